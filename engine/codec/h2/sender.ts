// The sending side of a connection's flow control (RFC 9113 section 5.2): the connection's window, and the streams that wait for it, for their own or for the socket.
// They take turns frame by frame. Heads and trailers wait for nothing but what their own stream has queued.
import type { FrameWriter } from './frames.ts';
import { DEFAULT_WINDOW, FRAME_SIZE, MAX_WINDOW } from './frames.ts';
import type { H2Stream } from './stream.ts';

export class Sender {
  private window = DEFAULT_WINDOW;
  private readonly writer: FrameWriter;
  private readonly waiting: H2Stream[] = [];
  private pumping = false;
  /** The socket is full: DATA stays in the streams. */
  blocked = false;

  constructor(writer: FrameWriter) { this.writer = writer; }

  /** Sends DATA as far as the windows let, in at most `frames` frames; returns the first byte not sent, or -1 for all. */
  send(s: H2Stream, bytes: Uint8Array, start: number, end: number, last: boolean, frames: number): number {
    if (this.blocked) return start;
    let at = start;
    for (let n = 0; n < frames; n++) {
      const size = Math.max(0, Math.min(end - at, FRAME_SIZE, s.sendWindow, this.window));
      if (size === 0 && at < end) return at;
      s.sendWindow -= size;
      this.window -= size;
      s.bytesSent += size + 9;
      this.writer.data(s.id, bytes, at, at + size, last && at + size === end);
      at += size;
      if (at === end) return -1;
    }
    return at;
  }

  /** The stream has something that a window or the socket holds back. */
  wait(s: H2Stream): void {
    if (s.waiting) return;
    s.waiting = true;
    this.waiting.push(s);
  }

  /** The connection's window grows; false: beyond what can be. */
  grow(bytes: number): boolean {
    this.window += bytes;
    if (this.window > MAX_WINDOW) return false;
    this.pump();
    return true;
  }

  /** A stream's window grows, possibly below zero still; false: beyond what can be. The caller pumps. */
  growStream(s: H2Stream, bytes: number): boolean {
    const stuck = s.sendWindow <= 0;
    s.sendWindow += bytes;
    if (s.sendWindow > MAX_WINDOW) return false;
    if (stuck && s.sendWindow > 0) this.wait(s);
    return true;
  }

  unblock(): void { this.blocked = false; this.pump(); }

  /** Lets those that wait send, a frame each in turn. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    const { waiting } = this;
    // Without connection window only ends and trailers go; it ends when each of the list had its chance at those.
    for (let idle = 0; waiting.length > idle && !this.blocked;) {
      const s = waiting.shift()!, before = this.window;
      s.waiting = false;
      const more = s.sendWaiting();
      if (more) this.wait(s);
      idle = more && this.window === before ? idle + 1 : 0;
    }
    this.pumping = false;
  }

  clear(): void { this.waiting.length = 0; }
}
