// The server's side of one HTTP/1 exchange: writes the response and decides its framing (RFC 9112 section 6, as Envoy frames). Made by the codec for each request.
import { Kept, keepLast } from '../../base/kept.ts';
import type { HttpProtocol, PauseReason, RequestSink, ResetReason, ServerStream } from '../codec.ts';
import type { Headers, ResponseHeaders } from '../../headers/headers.ts';
import { fieldLines, ownName, statusLine, type NameFormat } from './head-writer.ts';
import { PauseSet } from '../pause-set.ts';

/** What the stream needs of its codec. */
export interface ServerStreamOwner {
  writeLatin1(text: string): void;
  write(bytes: Uint8Array, start: number, end: number): void;
  pauseReading(): void;
  resumeReading(): void;
  readonly nameFormat: NameFormat;
  readonly trailersEnabled: boolean;
  /** The response is whole. */
  responseDone(stream: H1ServerStream): void;
  /** The exchange is given up: the connection closes. */
  aborted(stream: H1ServerStream): void;
}

const LAST_CHUNK = '0\r\n\r\n';

export class H1ServerStream implements ServerStream {
  protocol: HttpProtocol = 'HTTP/1.1';
  sink: RequestSink | null = null;
  /** The request: its method decides the framing of the response. */
  isHead = false;
  isConnect = false;
  upgrade = '';
  requestDone = false;
  /** 'idle' → 'head' written → 'done'; 'dead' after a reset from either side. */
  state: 'idle' | 'head' | 'done' | 'dead' = 'idle';
  /** Framing of the response body. */
  private framing: 'none' | 'length' | 'chunked' | 'raw' | 'to-end' = 'none';
  /** The connection ends with this response. */
  closing = false;
  /** The peer asked (1.0 with keep-alive) to be told that the connection stays. */
  sayKeepAlive = false;
  private readonly pauses = new PauseSet();
  bytesReceived = 0;
  bytesSent = 0;
  headerBytesReceived = 0;
  headerBytesSent = 0;
  /** Nobody asks: only HTTP/2 streams are reset for what they hold. */
  get queuedBytes(): number { return 0; }
  private readonly owner: ServerStreamOwner;

  constructor(owner: ServerStreamOwner) { keepLast(Kept.h1ServerStream, this); this.owner = owner; }

  /** True once bytes of the request are no longer HTTP. */
  get tunnelling(): boolean { return this.framing === 'raw'; }

  informational(headers: ResponseHeaders): void {
    if (this.state !== 'idle' || this.protocol === 'HTTP/1.0') return;
    this.put(statusLine(headers.status) + fieldLines(headers, this.owner.nameFormat) + '\r\n');
  }

  headers(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'idle') return;
    this.state = 'head';
    const status = headers.status, format = this.owner.nameFormat;
    const switched = (this.upgrade !== '' && status === 101) || (this.isConnect && status >= 200 && status < 300);
    if (!switched && (!this.requestDone || this.upgrade !== '' || this.isConnect)) this.closing = true;
    const line = headers.reason === '' ? statusLine(status) : `HTTP/1.1 ${status} ${headers.reason}\r\n`;
    let head = (this.protocol === 'HTTP/1.0' ? line.replace('HTTP/1.1', 'HTTP/1.0') : line) + fieldLines(headers, format);
    if (switched) this.framing = 'raw';
    else head += this.frame(headers, status, end);
    if (this.closing && !switched) head += ownName('connection', format, headers) + ': close\r\n';
    else if (this.sayKeepAlive) head += ownName('connection', format, headers) + ': keep-alive\r\n';
    this.headerBytesSent = head.length - line.length;
    this.put(head + '\r\n');
    if (end) this.finish();
  }

  /** Chooses the framing; returns the lines that say so. */
  private frame(headers: ResponseHeaders, status: number, end: boolean): string {
    if (headers.has('content-length')) { this.framing = this.isHead ? 'none' : 'length'; return ''; }
    if (status < 200 || status === 204 || (status === 304 && end)) { this.framing = 'none'; return ''; }
    if (end && !this.isHead) { this.framing = 'none'; return ownName('content-length', this.owner.nameFormat, headers) + ': 0\r\n'; }
    if (this.protocol === 'HTTP/1.0') { this.framing = this.isHead ? 'none' : 'to-end'; this.closing = true; return ''; }
    this.framing = this.isHead || status === 304 ? 'none' : 'chunked';
    return ownName('transfer-encoding', this.owner.nameFormat, headers) + ': chunked\r\n';
  }

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'head') return;
    if (end > start && this.framing !== 'none') {
      if (this.framing === 'chunked') {
        this.put((end - start).toString(16) + '\r\n');
        this.pass(bytes, start, end);
        this.put(last ? '\r\n' + LAST_CHUNK : '\r\n');
        if (last) this.finish();
        return;
      }
      this.pass(bytes, start, end);
    }
    if (!last) return;
    if (this.framing === 'chunked') this.put(LAST_CHUNK);
    this.finish();
  }

  trailers(trailers: Headers): void {
    if (this.state !== 'head') return;
    if (this.framing === 'chunked') this.put(this.owner.trailersEnabled ? '0\r\n' + fieldLines(trailers, this.owner.nameFormat) + '\r\n' : LAST_CHUNK);
    this.finish();
  }

  reset(_reason: ResetReason): void {
    if (this.state === 'dead') return;
    const whole = this.state === 'done';
    this.state = 'dead';
    if (!whole) this.owner.aborted(this);
  }

  pause(why: PauseReason): void { if (this.pauses.add(why) && this.state !== 'dead') this.owner.pauseReading(); }
  resume(why: PauseReason): void { if (this.pauses.remove(why)) this.owner.resumeReading(); }
  get paused(): boolean { return this.pauses.paused; }
  closeAfter(): void { this.closing = true; }

  private finish(): void {
    this.state = 'done';
    if (this.framing === 'raw' || this.framing === 'to-end') this.closing = true;
    this.owner.responseDone(this);
  }

  private put(text: string): void { this.bytesSent += text.length; this.owner.writeLatin1(text); }
  private pass(bytes: Uint8Array, start: number, end: number): void { this.bytesSent += end - start; this.owner.write(bytes, start, end); }
}
