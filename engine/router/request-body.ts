// What is kept of a request after its head: body bytes that no attempt could take yet; while `keeping`, all of them, for the next attempt. Made with the first of them.
import { ByteQueue } from '../base/byte-queue.ts';
import type { RequestWriter } from '../codec/codec.ts';
import type { Headers } from '../headers/headers.ts';

export class RequestBody {
  private readonly queue = new ByteQueue();
  trailers: Headers | null = null;
  get length(): number { return this.queue.length; }
  get empty(): boolean { return this.queue.length === 0 && this.trailers === null; }
  add(bytes: Uint8Array, start: number, end: number): void { this.queue.pushCopy(bytes, start, end); }

  /** All of it, for whoever sends the request again. */
  take(): ByteQueue { return this.queue; }

  /** Writes it all; what is not kept is given away. `ended`: it is the whole rest of the request. */
  send(stream: RequestWriter, keep: boolean, ended: boolean): void {
    const { queue, trailers } = this, last = ended && trailers === null;
    if (keep) {
      let left = queue.length;
      queue.each((c) => { left -= c.length; stream.data(c, 0, c.length, last && left === 0); });
    } else for (let c = queue.shift(); c !== undefined; c = queue.shift()) stream.data(c, 0, c.length, last && queue.length === 0);
    if (trailers !== null) stream.trailers(trailers);
  }
}
