// Frames on the wire (RFC 9113 sections 4 and 6): numbers, and the writer. What is written is gathered and goes to the output in one piece: at `flush`, which the
// owner calls once at the end of a turn, or when the gathering buffer is full. Large DATA is handed on from where it lies, without a copy.
import type { CodecOutput } from '../codec.ts';

export const FRAME = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9, METADATA: 0x4d } as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, END_METADATA: 4, PADDED: 8, PRIORITY: 32 } as const;
export const ERROR = { NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, FLOW_CONTROL_ERROR: 3, SETTINGS_TIMEOUT: 4, STREAM_CLOSED: 5, FRAME_SIZE_ERROR: 6, REFUSED_STREAM: 7, CANCEL: 8, COMPRESSION_ERROR: 9, CONNECT_ERROR: 10, ENHANCE_YOUR_CALM: 11 } as const;
export const SETTING = { HEADER_TABLE_SIZE: 1, ENABLE_PUSH: 2, MAX_CONCURRENT_STREAMS: 3, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5, MAX_HEADER_LIST_SIZE: 6, ENABLE_CONNECT_PROTOCOL: 8 } as const;

/** The client's connection preface (section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const MAX_WINDOW = 0x7fffffff;
/** The frame size that we take, and that every peer takes (section 4.2). */
export const FRAME_SIZE = 16_384;
/** The texts of :status, made once. */
export const STATUS_TEXT: readonly string[] = Array.from({ length: 600 }, (_, i) => String(i));
/** Windows before anything is announced (section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;

const GATHER = 16_384;
/** DATA from this size on is not copied into the gathering buffer. */
const DIRECT = 2048;
/** Gathering buffers that nobody uses now: a connection holds one only while it has something unsent. */
const spare: Buffer[] = [];

/** Writes frames for one connection. */
export class FrameWriter {
  private readonly output: CodecOutput;
  private readonly onPending: () => void;
  private buffer: Buffer | null = null;
  private at = 0;
  /** Frames that the peer makes us write (acknowledgements; the owner adds resets), and all frames: since they were last set to 0. */
  controlFrames = 0;
  frames = 0;
  /** DATA frames ever written. */
  dataFrames = 0;

  /** `onPending` is called when there is something to flush where there was nothing. */
  constructor(output: CodecOutput, onPending: () => void) { this.output = output; this.onPending = onPending; }

  /** Gives everything gathered to the output. */
  flush(): void {
    const buffer = this.buffer;
    if (buffer === null) return;
    const at = this.at;
    this.buffer = null;
    this.at = 0;
    this.output.write(buffer, 0, at);
    if (spare.length < 32) spare.push(buffer);
  }

  /** Drops what is gathered. */
  abandon(): void {
    if (this.buffer !== null && spare.length < 32) spare.push(this.buffer);
    this.buffer = null;
    this.at = 0;
  }

  /** Room for `bytes` in one piece; at most GATHER. */
  private room(bytes: number): Buffer {
    if (this.buffer !== null) {
      if (this.at + bytes <= GATHER) return this.buffer;
      this.flush();
    }
    this.onPending();
    this.at = 0;
    return this.buffer = spare.pop() ?? Buffer.allocUnsafeSlow(GATHER);
  }

  private head(h: Buffer, length: number, type: number, flags: number, stream: number): void {
    let at = this.at;
    h[at++] = length >>> 16; h[at++] = (length >>> 8) & 255; h[at++] = length & 255; h[at++] = type; h[at++] = flags;
    h[at++] = (stream >>> 24) & 127; h[at++] = (stream >>> 16) & 255; h[at++] = (stream >>> 8) & 255; h[at++] = stream & 255;
    this.at = at;
    this.frames++;
  }

  private copy(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= 48) { const b = this.buffer!; let at = this.at; for (let i = start; i < end; i++) b[at++] = bytes[i]!; } else this.buffer!.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.at);
    this.at += length;
  }

  /** The client's preface. */
  preface(): void { this.room(PREFACE.length); this.copy(PREFACE, 0, PREFACE.length); }

  /** One DATA frame; the piece is not longer than a frame may be. */
  data(stream: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const length = end - start;
    this.dataFrames++;
    const direct = length >= DIRECT;
    this.head(this.room(direct ? 9 : 9 + length), length, FRAME.DATA, last ? FLAG.END_STREAM : 0, stream);
    if (!direct) { if (length > 0) this.copy(bytes, start, end); return; }
    this.flush();
    this.output.write(bytes, start, end);
  }

  /** A header block of `length` bytes, cut into CONTINUATIONs where it is longer than a frame. */
  headers(stream: number, block: Buffer, length: number, end: boolean): void {
    const piece = GATHER - 9;
    for (let at = 0, first = true; first || at < length; first = false) {
      const next = Math.min(length, at + piece);
      const flags = (first && end ? FLAG.END_STREAM : 0) | (next === length ? FLAG.END_HEADERS : 0);
      this.head(this.room(9 + next - at), next - at, first ? FRAME.HEADERS : FRAME.CONTINUATION, flags, stream);
      this.copy(block, at, next);
      at = next;
    }
  }

  /** A map of METADATA, cut like a header block. */
  metadata(stream: number, block: Buffer): void {
    for (let at = 0; at < block.length;) {
      const next = Math.min(block.length, at + GATHER - 9);
      this.head(this.room(9 + next - at), next - at, FRAME.METADATA, next === block.length ? FLAG.END_METADATA : 0, stream);
      this.copy(block, at, next);
      at = next;
    }
  }

  settings(entries: readonly (readonly [number, number])[]): void {
    const b = this.room(9 + entries.length * 6);
    this.head(b, entries.length * 6, FRAME.SETTINGS, 0, 0);
    for (const [id, value] of entries) { b.writeUInt16BE(id, this.at); b.writeUInt32BE(value, this.at + 2); this.at += 6; }
  }

  settingsAck(): void { this.controlFrames++; this.head(this.room(9), 0, FRAME.SETTINGS, FLAG.ACK, 0); }

  ping(ack: boolean, bytes: Uint8Array, start: number): void {
    if (ack) this.controlFrames++;
    this.head(this.room(17), 8, FRAME.PING, ack ? FLAG.ACK : 0, 0);
    this.copy(bytes, start, start + 8);
  }

  reset(stream: number, error: number): void { this.word(FRAME.RST_STREAM, stream, error); }
  windowUpdate(stream: number, bytes: number): void { this.word(FRAME.WINDOW_UPDATE, stream, bytes); }

  goAway(lastStream: number, error: number, debug = ''): void {
    const text = debug.slice(0, 64), b = this.room(17 + text.length);
    this.head(b, 8 + text.length, FRAME.GOAWAY, 0, 0);
    b.writeUInt32BE(lastStream, this.at);
    b.writeUInt32BE(error, this.at + 4);
    b.latin1Write(text, this.at + 8);
    this.at += 8 + text.length;
  }

  private word(type: number, stream: number, value: number): void {
    const b = this.room(13);
    this.head(b, 4, type, 0, stream);
    b.writeUInt32BE(value, this.at);
    this.at += 4;
  }
}
