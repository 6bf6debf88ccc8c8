// Bodies of HTTP/1 messages (RFC 9112 sections 6 and 7): by length, chunked, or to the end of the connection. Pieces are passed on as they lie in the input.
// Chunk lines are strict: hexadecimal digits only, an optional extension without control bytes, CRLF. Extensions are dropped; trailers are bounded.
import type { PeerFault } from '../../base/fault.ts';
import { Headers } from '../../headers/headers.ts';
import { VALUE } from '../../headers/char-class.ts';
import { H1_FAULT } from './faults.ts';
import { FieldParser, type FieldLimits } from './field-parser.ts';
import { HeadBuffer } from './head-buffer.ts';

const CR = 13, LF = 10, SEMICOLON = 59;
const MAX_LINE = 4096;
const EMPTY = Buffer.alloc(0);

export interface BodySink {
  onBody(bytes: Buffer, start: number, end: number, last: boolean): void;
  onBodyTrailers(trailers: Headers): void;
}

const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 10; i++) HEX[48 + i] = i;
for (let i = 0; i < 6; i++) { HEX[65 + i] = 10 + i; HEX[97 + i] = 10 + i; }

export class BodyReader {
  /** 'none' between bodies. */
  state: 'none' | 'length' | 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'to-end' = 'none';
  private left = 0;
  private digits = 0;
  private line = 0;
  private readonly sink: BodySink;
  private readonly trailerText: HeadBuffer;
  private readonly trailerParser: FieldParser;
  private readonly trailersWanted: boolean;
  fault: PeerFault | null = null;
  /** Where the input has been consumed up to, while the sink is told. */
  position = 0;

  constructor(sink: BodySink, limits: FieldLimits, limitBytes: number, trailersWanted: boolean) {
    this.sink = sink;
    this.trailerText = new HeadBuffer(limitBytes);
    this.trailerParser = new FieldParser(limits);
    this.trailersWanted = trailersWanted;
  }

  /** `length` ≥ 1, or -1 chunked, or -2 to the end of the connection. */
  begin(length: number): void {
    this.fault = null;
    this.position = 0;
    this.left = length;
    this.digits = this.line = 0;
    this.state = length >= 0 ? 'length' : length === -1 ? 'size' : 'to-end';
  }

  abort(): void { this.state = 'none'; this.trailerText.clear(); }

  /** Reads on; returns where the body ended or the input did. Look at `fault` afterwards. `state` is 'none' once the body is whole. */
  read(bytes: Buffer, at: number, end: number): number {
    while (at < end) {
      switch (this.state) {
        case 'none': return at;
        case 'length': case 'data': {
          const to = Math.min(end, at + this.left);
          this.left -= to - at;
          const last = this.state === 'length' && this.left === 0;
          if (last) this.state = 'none'; else if (this.left === 0) this.state = 'data-cr';
          const from = at;
          at = this.position = to;
          this.sink.onBody(bytes, from, to, last);
          if (last) return at;
          break;
        }
        case 'to-end': this.position = end; this.sink.onBody(bytes, at, end, false); return end;
        case 'data-cr': if (bytes[at++] !== CR) return this.bad(at); this.state = 'data-lf'; break;
        case 'data-lf': if (bytes[at++] !== LF) return this.bad(at); this.state = 'size'; this.left = this.digits = this.line = 0; break;
        case 'trailers': at = this.readTrailers(bytes, at, end); if (this.fault !== null) return at; break;
        default: at = this.readSize(bytes, at, end); if (this.fault !== null) return at;
      }
    }
    return at;
  }

  private readSize(bytes: Buffer, at: number, end: number): number {
    while (at < end) {
      const c = bytes[at++]!;
      if (++this.line > MAX_LINE) return this.bad(at);
      if (this.state === 'size') {
        const d = HEX[c]!;
        if (d >= 0) {
          // 13 hexadecimal digits stay exact in a double.
          if (++this.digits > 13) return this.bad(at);
          this.left = this.digits === 1 ? d : this.left * 16 + d;
        } else if (this.digits === 0) return this.bad(at);
        else if (c === CR) this.state = 'size-lf';
        else if (c === SEMICOLON || ((c === 32 || c === 9) && this.digits > 0)) this.state = 'extension';
        else return this.bad(at);
      } else if (this.state === 'extension') {
        if (c === CR) this.state = 'size-lf'; else if (VALUE[c] !== 1) return this.bad(at);
      } else {
        if (c !== LF) return this.bad(at);
        this.state = this.left === 0 ? 'trailers' : 'data';
        return at;
      }
    }
    return at;
  }

  /** The trailer section has at least its blank line; the buffer wants two line ends, so the one of the last chunk line is put before it. */
  private readTrailers(bytes: Buffer, at: number, end: number): number {
    if (!this.trailerText.partial) {
      // Nearly always there are none, and the blank line is here.
      if (bytes[at] === CR && at + 1 < end && bytes[at + 1] === LF) { this.state = 'none'; this.sink.onBody(EMPTY, 0, 0, true); return at + 2; }
      this.trailerText.take(LINE_END, 0, 2);
    }
    const took = this.trailerText.take(bytes, at, end);
    if (took === 'more') return end;
    if (took === 'too-large') { this.fault = H1_FAULT.trailersTooLarge; return end; }
    if (took === 'bad') return this.bad(at);
    const at2 = this.position = this.trailerText.rest;
    this.state = 'none';
    if (this.trailerText.text.length === 4) { this.sink.onBody(EMPTY, 0, 0, true); return at2; }
    const trailers = new Headers();
    this.fault = this.trailerParser.parse(this.trailerText, 2, trailers);
    this.trailerText.release();
    if (this.fault !== null) return at2;
    trailers.remove('content-length');
    if (this.trailersWanted && trailers.size > 0) this.sink.onBodyTrailers(trailers); else this.sink.onBody(EMPTY, 0, 0, true);
    return at2;
  }

  private bad(at: number): number { this.fault = H1_FAULT.codec; this.state = 'none'; return at; }
}

const LINE_END = Buffer.from('\r\n', 'latin1');
