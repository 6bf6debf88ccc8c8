// A raw HTTP/2 client on a real socket, for flow tests of what no library would send.
import { connect, type Socket } from 'node:net';
import { HeadWriter, PREFACE, WireReader, settings } from '../engine/codec/h2/wire.ts';

export class RawH2 {
  readonly heads = new HeadWriter();
  readonly lines: string[] = [];
  closed = false;
  readonly socket: Socket;
  private readonly wire = new WireReader();
  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (b: Buffer) => { this.wire.feed(b); this.lines.push(...this.wire.take()); });
    socket.on('close', () => { this.closed = true; });
    socket.on('error', () => { this.closed = true; });
  }
  static open(port: number, ...announced: [number, number][]): Promise<RawH2> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => { const c = new RawH2(socket); c.send(PREFACE, settings(...announced)); resolve(c); });
      socket.once('error', reject);
    });
  }
  /** False: the kernel takes no more for now. */
  send(...frames: Buffer[]): boolean { return !this.closed && this.socket.write(Buffer.concat(frames)); }
  drained(): Promise<void> { return new Promise((r) => { if (this.closed || this.socket.writableLength === 0) r(); else { this.socket.once('drain', r); this.socket.once('close', () => r()); } }); }
  stop(): void { this.socket.destroy(); }
}
