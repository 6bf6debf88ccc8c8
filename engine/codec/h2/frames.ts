// HTTP/2 frames on the wire (RFC 9113 sections 4 and 6): numbers, and a writer of the small ones into a scratch buffer.
import type { CodecOutput } from '../codec.ts';

export const FRAME = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 } as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
export const ERROR = { NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, FLOW_CONTROL_ERROR: 3, SETTINGS_TIMEOUT: 4, STREAM_CLOSED: 5, FRAME_SIZE_ERROR: 6, REFUSED_STREAM: 7, CANCEL: 8, COMPRESSION_ERROR: 9, CONNECT_ERROR: 10, ENHANCE_YOUR_CALM: 11 } as const;
export const SETTING = { HEADER_TABLE_SIZE: 1, ENABLE_PUSH: 2, MAX_CONCURRENT_STREAMS: 3, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5, MAX_HEADER_LIST_SIZE: 6, ENABLE_CONNECT_PROTOCOL: 8 } as const;

/** The client's connection preface (section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const MAX_WINDOW = 0x7fffffff;
/** The frame size that we take, and that every peer takes (section 4.2). */
export const FRAME_SIZE = 16_384;

/** Writes frames to the output; one scratch buffer, consumed by every write. */
export class FrameWriter {
  private readonly head = Buffer.allocUnsafe(64);
  readonly output: CodecOutput;
  /** Frames written so far that a peer may force us to write (SETTINGS and PING acks, RST_STREAM). */
  controlFrames = 0;
  dataFrames = 0;
  bytes = 0;
  constructor(output: CodecOutput) { this.output = output; }

  /** Just the nine octets; the payload follows by `payload`. */
  header(length: number, type: number, flags: number, stream: number): void {
    this.fill(length, type, flags, stream);
    this.send(9);
  }

  payload(bytes: Uint8Array, start: number, end: number): void {
    this.bytes += end - start;
    if (end > start) this.output.write(bytes, start, end);
  }

  data(stream: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.dataFrames++;
    this.header(end - start, FRAME.DATA, last ? FLAG.END_STREAM : 0, stream);
    this.payload(bytes, start, end);
  }

  /** A header block, cut into CONTINUATIONs where it is longer than `maxFrame`. */
  headers(stream: number, block: Buffer, end: boolean, maxFrame: number): void {
    let at = Math.min(block.length, maxFrame);
    this.header(at, FRAME.HEADERS, (end ? FLAG.END_STREAM : 0) | (at === block.length ? FLAG.END_HEADERS : 0), stream);
    this.payload(block, 0, at);
    while (at < block.length) {
      const next = Math.min(block.length, at + maxFrame);
      this.header(next - at, FRAME.CONTINUATION, next === block.length ? FLAG.END_HEADERS : 0, stream);
      this.payload(block, at, next);
      at = next;
    }
  }

  settings(entries: readonly (readonly [number, number])[]): void {
    this.fill(entries.length * 6, FRAME.SETTINGS, 0, 0);
    let at = 9;
    for (const [id, value] of entries) { this.head.writeUInt16BE(id, at); this.head.writeUInt32BE(value, at + 2); at += 6; }
    this.send(at);
  }

  settingsAck(): void { this.controlFrames++; this.header(0, FRAME.SETTINGS, FLAG.ACK, 0); }

  ping(ack: boolean, bytes: Uint8Array, start: number): void {
    if (ack) this.controlFrames++;
    this.fill(8, FRAME.PING, ack ? FLAG.ACK : 0, 0);
    for (let i = 0; i < 8; i++) this.head[9 + i] = bytes[start + i]!;
    this.send(17);
  }

  reset(stream: number, error: number): void { this.controlFrames++; this.word(FRAME.RST_STREAM, stream, error); }
  windowUpdate(stream: number, bytes: number): void { this.word(FRAME.WINDOW_UPDATE, stream, bytes); }

  goAway(lastStream: number, error: number, debug = ''): void {
    this.fill(8 + Math.min(debug.length, 40), FRAME.GOAWAY, 0, 0);
    this.head.writeUInt32BE(lastStream, 9);
    this.head.writeUInt32BE(error, 13);
    this.head.latin1Write(debug.slice(0, 40), 17);
    this.send(17 + Math.min(debug.length, 40));
  }

  private word(type: number, stream: number, value: number): void {
    this.fill(4, type, 0, stream);
    this.head.writeUInt32BE(value, 9);
    this.send(13);
  }

  private fill(length: number, type: number, flags: number, stream: number): void {
    const h = this.head;
    h[0] = length >>> 16; h[1] = (length >>> 8) & 255; h[2] = length & 255; h[3] = type; h[4] = flags;
    h[5] = (stream >>> 24) & 127; h[6] = (stream >>> 16) & 255; h[7] = (stream >>> 8) & 255; h[8] = stream & 255;
  }

  private send(length: number): void { this.bytes += length; this.output.write(this.head, 0, length); }
}
