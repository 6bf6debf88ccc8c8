// Cuts the byte stream into frames. DATA is passed on as it comes, without being gathered; every other frame is given whole, of a bounded length, so what is
// held is bounded by one frame. Split at any byte, the calls are the same but for the pieces of DATA.
import { FLAG, FRAME } from './frames.ts';

export interface FrameSink {
  /** The head of a DATA frame: `length` counts padding, content does not; told one after the other. All calls return -1, or an HTTP/2 error code that ends the connection (0: it has ended already). */
  onDataHead(stream: number, length: number): number;
  onDataContent(stream: number, length: number, flags: number): number;
  /** A piece of its content; padding is told apart. `last`: the stream ends with this piece. */
  onDataPiece(bytes: Buffer, start: number, end: number, last: boolean): number;
  /** The frame is over. */
  onDataEnd(endStream: boolean): number;
  /** Any other frame, whole: payload is [start, end). */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): number;
}

export class FrameReader {
  private readonly sink: FrameSink;
  /** Made when a head comes in pieces. */
  private head: Buffer | null = null;
  private have = 0;
  private length = 0; private type = 0; private flags = 0; private stream = 0;
  private state: 'head' | 'pad-length' | 'data' | 'padding' | 'payload' = 'head';
  private left = 0;
  private padding = 0;
  private held: Buffer | null = null;

  /** Longest payload that is taken. */
  private readonly most: number;

  constructor(sink: FrameSink, most: number) { this.sink = sink; this.most = most; }

  /** Feeds bytes; an HTTP/2 error code ends the connection, -1 is well. */
  receive(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end || (this.state !== 'head' && this.left === 0 && this.state !== 'pad-length')) {
      switch (this.state) {
        case 'head': {
          if (this.have === 0 && end - at >= 9) { this.parseHead(bytes, at); at += 9; } else {
            const n = Math.min(9 - this.have, end - at);
            const head = this.head ??= Buffer.allocUnsafeSlow(9);
            bytes.copy(head, this.have, at, at + n);
            at += n; this.have += n;
            if (this.have < 9) return -1;
            this.have = 0;
            this.parseHead(head, 0);
          }
          const error = this.begin();
          if (error >= 0) return error;
          break;
        }
        case 'pad-length': {
          this.padding = bytes[at++]!;
          if (this.padding >= this.length) return 1;
          this.left = this.length - 1 - this.padding;
          this.state = 'data';
          const error = this.sink.onDataContent(this.stream, this.left, this.flags);
          if (error >= 0) return error;
          break;
        }
        case 'data': {
          const n = Math.min(this.left, end - at);
          if (n > 0) { const error = this.sink.onDataPiece(bytes, at, at + n, n === this.left && this.padding === 0 && (this.flags & FLAG.END_STREAM) !== 0); if (error >= 0) return error; }
          at += n; this.left -= n;
          if (this.left > 0) return -1;
          this.state = 'padding';
          this.left = this.padding;
          break;
        }
        case 'padding': {
          const n = Math.min(this.left, end - at);
          at += n; this.left -= n;
          if (this.left > 0) return -1;
          this.state = 'head';
          const error = this.sink.onDataEnd((this.flags & FLAG.END_STREAM) !== 0);
          if (error >= 0) return error;
          break;
        }
        case 'payload': {
          const error = this.payload(bytes, at, end);
          at = Math.min(end, at + this.taken);
          if (error >= 0) return error;
          break;
        }
      }
    }
    return -1;
  }

  /** Bytes that the last payload() call consumed. */
  private taken = 0;

  private payload(bytes: Buffer, at: number, end: number): number {
    if (this.held === null && end - at >= this.left) {
      this.taken = this.left;
      this.state = 'head';
      return this.sink.onFrame(this.type, this.flags, this.stream, bytes, at, at + this.left);
    }
    this.held ??= Buffer.allocUnsafe(this.length);
    const n = Math.min(this.left, end - at);
    bytes.copy(this.held, this.length - this.left, at, at + n);
    this.left -= n; this.taken = n;
    if (this.left > 0) return -1;
    const whole = this.held;
    this.held = null;
    this.state = 'head';
    return this.sink.onFrame(this.type, this.flags, this.stream, whole, 0, this.length);
  }

  private parseHead(b: Buffer, at: number): void {
    this.length = (b[at]! << 16) | (b[at + 1]! << 8) | b[at + 2]!;
    this.type = b[at + 3]!;
    this.flags = b[at + 4]!;
    this.stream = ((b[at + 5]! & 127) << 24) | (b[at + 6]! << 16) | (b[at + 7]! << 8) | b[at + 8]!;
  }

  private begin(): number {
    if (this.length > this.most) return 6;
    this.left = this.length;
    if (this.type !== FRAME.DATA) { this.state = 'payload'; return -1; }
    this.padding = 0;
    const error = this.sink.onDataHead(this.stream, this.length);
    if (error >= 0) return error;
    if (this.flags & FLAG.PADDED) { this.state = 'pad-length'; return this.length === 0 ? 6 : -1; }
    this.state = 'data';
    return this.sink.onDataContent(this.stream, this.length, this.flags);
  }
}
