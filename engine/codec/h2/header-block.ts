// A header block on its way: HEADERS and its CONTINUATIONs, which nothing may interrupt (RFC 9113 section 4.3). Bounded in bytes and frames (CVE-2024-30255).
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import { H2_FAULT, type H2Fault } from './faults.ts';
import type { FloodGuard } from './flood-guard.ts';
import { ERROR, FLAG, MAX_WINDOW } from './frames.ts';

const OK = -1;
const NONE = Buffer.alloc(0);

export class HeaderBlock {
  /** Its stream. */
  stream = 0;
  /** The whole block, after `headers` or `continuation` has said so: [start, end) of bytes, and END_STREAM. */
  bytes: Buffer = NONE;
  start = 0;
  end = 0;
  endStream = false;
  /** Bytes on the wire. */
  wire = 0;
  whole = false;
  /** More than an error code: what was too much. */
  fault: H2Fault | null = null;
  private pieces: Buffer[] = [];
  private length = 0;

  /** A HEADERS frame; -1 or an error code. */
  headers(guard: FloodGuard, flags: number, id: number, bytes: Buffer, start: number, end: number): number {
    this.fault = null;
    this.whole = false;
    if (id === 0) return ERROR.PROTOCOL_ERROR;
    let from = start, to = end;
    if (flags & FLAG.PADDED) {
      if (from >= to) return ERROR.FRAME_SIZE_ERROR;
      to -= bytes[from++]!;
    }
    if (flags & FLAG.PRIORITY) {
      if (from + 5 > end) return ERROR.FRAME_SIZE_ERROR;
      if ((bytes.readUInt32BE(from) & MAX_WINDOW) === id) return ERROR.PROTOCOL_ERROR;
      from += 5;
    }
    if (from > to) return ERROR.PROTOCOL_ERROR;
    this.endStream = (flags & FLAG.END_STREAM) !== 0;
    this.wire = end - start + 9;
    this.stream = id;
    if (this.empty(guard, from === to && !this.endStream)) return OK;
    this.whole = (flags & FLAG.END_HEADERS) !== 0;
    if (this.whole) { this.bytes = bytes; this.start = from; this.end = to; return OK; }
    this.pieces.push(Buffer.from(bytes.subarray(from, to)));
    this.length = to - from;
    guard.headersBegin();
    return OK;
  }

  continuation(guard: FloodGuard, options: Http2OptionsPlan, flags: number, bytes: Buffer, start: number, end: number): number {
    if (this.empty(guard, start === end)) return OK;
    this.length += end - start;
    this.wire += end - start + 9;
    // The limit of a block as it lies on the wire: what it decodes to is limited line by line.
    if (guard.continuation() || this.length > options.maxHeadersKb * 1024 + 65_536) { this.fault = H2_FAULT.continuationFlood; return OK; }
    this.pieces.push(Buffer.from(bytes.subarray(start, end)));
    if ((flags & FLAG.END_HEADERS) === 0) return OK;
    this.bytes = Buffer.concat(this.pieces);
    this.start = 0;
    this.end = this.bytes.length;
    this.pieces = [];
    this.whole = true;
    return OK;
  }

  private empty(guard: FloodGuard, empty: boolean): boolean {
    if (!empty) { guard.fullFrame(); return false; }
    if (!guard.emptyFrame()) return false;
    this.fault = H2_FAULT.emptyFrames;
    return true;
  }
}
