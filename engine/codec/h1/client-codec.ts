// HTTP/1 from the client's side: one exchange at a time on a connection, no pipelining. Bytes that nobody asked for end the connection and never reach a request
// (response splitting, keep-alive races). After an exchange the owner is told whether the connection may be used again.
//
//   idle ──open──▶ head (1xx repeat) ──▶ body ──▶ idle        head ──101 / CONNECT 2xx──▶ tunnel        any ──▶ dead
import { Kept, keepLast } from '../../base/kept.ts';
import type { PeerFault } from '../../base/fault.ts';
import { ResponseHeaders, type Headers, type RequestHeaders } from '../../headers/headers.ts';
import { VALUE } from '../../headers/char-class.ts';
import type { Http1OptionsPlan } from '../../plan/http1-options-plan.ts';
import type { ClientCodec, ClientHost, ClientStream, CodecOutput, HttpProtocol, PauseReason, ResetReason, ResponseSink } from '../codec.ts';
import { BodyReader, type BodySink } from './body-reader.ts';
import { UNASKED_BYTES, UPSTREAM_FAULT } from './faults.ts';
import { FieldParser, hasToken, parseLength, type FieldLimits } from './field-parser.ts';
import { HeadBuffer } from './head-buffer.ts';
import { fieldLines, ownName } from './head-writer.ts';
import { PauseSet } from '../pause-set.ts';

/** Methods whose requests carry no `content-length: 0` when they have no body, as in Envoy. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'TRACE', 'CONNECT']);
const EMPTY = Buffer.alloc(0);
const LAST_CHUNK = '0\r\n\r\n';

export class H1ClientCodec implements ClientCodec, BodySink {
  readonly protocol: HttpProtocol = 'HTTP/1.1';
  /** @internal */ state: 'idle' | 'head' | 'body' | 'tunnel' | 'dead' = 'idle';
  private readonly host: ClientHost;
  /** @internal */ readonly output: CodecOutput;
  /** @internal */ readonly options: Http1OptionsPlan;
  private readonly headText: HeadBuffer;
  private readonly fields: FieldParser;
  private readonly limits: FieldLimits;
  private bodyReader: BodyReader | null = null;
  private stream: H1ClientStream | null = null;
  private reusable = true;
  private minor = 1;
  /** The input's bytes before this are counted. */
  private counted = 0;

  constructor(host: ClientHost, output: CodecOutput, options: Http1OptionsPlan) {
    this.host = host; this.output = output; this.options = options;
    const limits: FieldLimits = this.limits = { maxCount: options.maxHeadersCount, underscores: 'allow', keepSpelling: options.nameFormat === 'preserve', addedInProperCase: options.addedInProperCase };
    this.headText = new HeadBuffer(options.maxHeadersKb * 1024);
    this.fields = new FieldParser(limits);
  }

  private get body(): BodyReader { return this.bodyReader ??= new BodyReader(this, this.limits, this.options.maxHeadersKb * 1024, this.options.enableTrailers); }

  get activeStreams(): number { return this.stream === null ? 0 : 1; }

  open(sink: ResponseSink): ClientStream | 'full' {
    if (this.state !== 'idle') return 'full';
    this.state = 'head';
    this.stream = new H1ClientStream(this, sink);
    return this.stream;
  }

  receive(bytes: Buffer, at: number, end: number): PeerFault | null {
    while (at < end) {
      switch (this.state) {
        case 'head': {
          const stream = this.stream!;
          const took = this.headText.take(bytes, at, end);
          if (took === 'more') { stream.bytesReceived += end - at; return null; }
          if (took !== 'head') return this.faulted();
          stream.bytesReceived += this.headText.rest - at;
          at = this.headText.rest;
          if (!this.readHead(stream)) return this.faulted();
          break;
        }
        case 'body': {
          const { stream } = this;
          this.counted = at;
          at = this.body.read(bytes, at, end);
          if (this.stream === stream) this.count(at);
          if (this.body.fault !== null) return this.faulted();
          break;
        }
        case 'tunnel': this.stream!.bytesReceived += end - at; this.stream!.sink.onData(bytes, at, end, false); return null;
        case 'idle': this.state = 'dead'; this.host.onConnectionClose('now', UNASKED_BYTES); return UNASKED_BYTES;
        case 'dead': return null;
      }
    }
    return null;
  }

  /** Parses the head in `headText`; false: not HTTP. */
  private readHead(stream: H1ClientStream): boolean {
    const text = this.headText.text;
    const status = statusOf(text);
    const lineEnd = text.indexOf('\r\n');
    if (status < 0) return false;
    for (let i = 12; i < lineEnd; i++) if (VALUE[text.charCodeAt(i)] !== 1) return false;
    this.minor = text.charCodeAt(7) - 48;
    const headers = new ResponseHeaders();
    headers.status = status;
    if (this.options.forwardReason) headers.reason = text.substring(13, lineEnd);
    const bad = this.fields.parse(this.headText, lineEnd + 2, headers);
    this.headText.release();
    if (bad !== null) return false;
    stream.headerBytesReceived = text.length - lineEnd - 4 - this.fields.lines;
    const notes = this.fields.notes;
    if (status === 101) {
      headers.add('connection', notes.connection);
      if (stream.upgrade === '') { this.reusable = false; return this.finishHead(stream, headers, 0); }
      this.state = 'tunnel';
      this.reusable = false;
      stream.tunnel();
      stream.sink.onHeaders(headers, false);
      return true;
    }
    if (status < 200) { stream.sink.onInformational(headers); return true; }
    if (this.minor === 0 ? !hasToken(notes.connection, 'keep-alive') : notes.connection !== '' && hasToken(notes.connection, 'close')) this.reusable = false;
    if (stream.isConnect && status < 300) {
      headers.remove('content-length');
      this.state = 'tunnel';
      this.reusable = false;
      stream.tunnel();
      stream.sink.onHeaders(headers, false);
      return true;
    }
    const length = this.framing(stream, status, headers);
    return length !== -3 && this.finishHead(stream, headers, length);
  }

  private finishHead(stream: H1ClientStream, headers: ResponseHeaders, length: number): boolean {
    if (length === 0) {
      this.responseDone(stream);
      stream.sink.onHeaders(headers, true);
      this.settle(stream);
      return true;
    }
    this.state = 'body';
    this.counted = 0;
    this.body.begin(length);
    stream.sink.onHeaders(headers, false);
    return true;
  }

  /** Length of the response's body: ≥ 0, -1 chunked, -2 to the end, -3 a fault (RFC 9112 section 6.3). */
  private framing(stream: H1ClientStream, status: number, headers: ResponseHeaders): number {
    const notes = this.fields.notes;
    let length = -2;
    if (notes.transferEncodings > 0) {
      if (notes.transferEncodings > 1 || notes.transferEncoding.toLowerCase() !== 'chunked' || notes.contentLengths > 0) return -3;
      headers.add('transfer-encoding', 'chunked');
      length = -1;
    } else if (notes.contentLengths > 0) {
      length = parseLength(notes.contentLength);
      if (notes.contentLengths > 1 || length < 0) return -3;
    }
    if (stream.isHead || status === 204 || status === 304) { if (length === -2 && !stream.isHead && status !== 204 && status !== 304) return -2; return 0; }
    if (length === -2) this.reusable = false;
    return length;
  }

  /** Counts what was read up to `to` for the exchange it belongs to: once that is told of its end, the next one may be open already. */
  private count(to: number): void { if (this.stream !== null) this.stream.bytesReceived += to - this.counted; this.counted = to; }

  // BodySink
  onBody(bytes: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.stream;
    if (stream === null) return;
    this.count(this.body.position);
    if (last) this.responseDone(stream);
    stream.sink.onData(bytes, start, end, last);
    if (last) this.settle(stream);
  }
  onBodyTrailers(trailers: Headers): void {
    const stream = this.stream;
    if (stream === null) return;
    this.count(this.body.position);
    this.responseDone(stream);
    stream.sink.onTrailers(trailers);
    this.settle(stream);
  }

  private responseDone(stream: H1ClientStream): void { stream.responseDone = true; }

  /** The response is whole: the connection is free if the request is whole as well, else it can only be closed. */
  private settle(stream: H1ClientStream): void {
    if (this.stream !== stream) return;
    this.stream = null;
    const reusable = this.reusable && stream.requestDone;
    this.state = reusable ? 'idle' : 'dead';
    this.host.onStreamDone(reusable);
  }

  /** @internal One direction of a tunnel has ended; with the other one the connection ends. */
  tunnelEnded(stream: H1ClientStream): void { if (stream.requestDone && stream.responseDone) this.settle(stream); }

  private faulted(): PeerFault {
    const stream = this.stream;
    this.stream = null;
    this.state = 'dead';
    if (stream !== null) stream.sink.onReset('protocol-error', UPSTREAM_FAULT);
    this.host.onConnectionClose('now', UPSTREAM_FAULT);
    return UPSTREAM_FAULT;
  }

  receiveEnd(): void {
    const stream = this.stream;
    if (stream === null) { if (this.state === 'idle') { this.state = 'dead'; this.host.onConnectionClose('now', null); } return; }
    if (this.state === 'tunnel') { this.responseDone(stream); stream.sink.onData(EMPTY, 0, 0, true); this.tunnelEnded(stream); return; }
    if (this.state === 'body' && this.body.state === 'to-end') {
      this.reusable = false;
      this.body.abort();
      this.onBody(EMPTY, 0, 0, true);
      return;
    }
    // Cut in the middle of a message is a protocol error (Envoy: UPE, 502); before its first byte it is the end of the connection (UC, 503).
    if (this.headText.partial || this.state === 'body') { this.faulted(); return; }
    this.lost(stream, 'connection-end');
  }

  close(_error: string): void {
    const stream = this.stream;
    if (stream === null) { this.state = 'dead'; return; }
    if (this.state === 'body' && this.body.state === 'to-end' && _error === '') { this.receiveEnd(); return; }
    const cut = this.headText.partial || this.state === 'body';
    this.stream = null;
    this.state = 'dead';
    // In the middle of a message it is a protocol error, by FIN or by reset (Envoy: UPE); before its first byte the end of the connection (UC).
    stream.sink.onReset(cut ? 'protocol-error' : 'connection-end', cut ? UPSTREAM_FAULT : null);
  }

  private lost(stream: H1ClientStream, reason: ResetReason): void {
    this.stream = null;
    this.state = 'dead';
    stream.sink.onReset(reason, null);
    this.host.onConnectionClose('now', null);
  }

  /** @internal The stream gives up: the connection cannot be used again. */
  abandoned(stream: H1ClientStream): void {
    if (this.stream !== stream) return;
    this.stream = null;
    this.state = 'dead';
    this.host.onConnectionClose('now', null);
  }

  onBlocked(): void { this.stream?.sink.onBlocked(); }
  onDrained(): void { this.stream?.sink.onDrained(); }
}

/** The status of 'HTTP/1.x NNN…', or -1. */
function statusOf(text: string): number {
  if (!text.startsWith('HTTP/1.') || (text.charCodeAt(7) & ~1) !== 48 || text.charCodeAt(8) !== 32) return -1;
  const a = text.charCodeAt(9) - 48, b = text.charCodeAt(10) - 48, c = text.charCodeAt(11) - 48, after = text.charCodeAt(12);
  if (a < 1 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9 || (after !== 32 && after !== 13)) return -1;
  return a * 100 + b * 10 + c;
}

/** The client's side of one exchange. Made by the codec. */
export class H1ClientStream implements ClientStream {
  readonly protocol: HttpProtocol = 'HTTP/1.1';
  readonly sink: ResponseSink;
  private readonly codec: H1ClientCodec;
  isHead = false;
  isConnect = false;
  upgrade = '';
  requestDone = false;
  responseDone = false;
  private framing: 'none' | 'length' | 'chunked' | 'raw' = 'none';
  private dead = false;
  private readonly pauses = new PauseSet();
  bytesReceived = 0;
  bytesSent = 0;
  headerBytesReceived = 0;
  headerBytesSent = 0;
  get queuedBytes(): number { return this.dead ? 0 : this.codec.output.pendingBytes ?? 0; }

  constructor(codec: H1ClientCodec, sink: ResponseSink) { keepLast(Kept.h1ClientStream, this); this.codec = codec; this.sink = sink; }

  headers(headers: RequestHeaders, end: boolean): void {
    const { nameFormat: format, sendFullyQualifiedUrl } = this.codec.options;
    this.isHead = headers.method === 'HEAD';
    this.isConnect = headers.method === 'CONNECT';
    this.upgrade = headers.protocol;
    const target = this.isConnect ? headers.authority : sendFullyQualifiedUrl ? `${headers.scheme}://${headers.authority}${headers.path}` : headers.path;
    const line = headers.method + ' ' + target + ' HTTP/1.1\r\n';
    let head = line + ownName('host', format, headers) + ': ' + headers.authority + '\r\n';
    const chunked = headers.remove('transfer-encoding');
    head += fieldLines(headers, format);
    if (this.upgrade !== '' || this.isConnect) this.framing = 'raw';
    else if (end) { if (headers.method !== 'GET' && !BODILESS.has(headers.method) && !headers.has('content-length')) head += ownName('content-length', format, headers) + ': 0\r\n'; } else if (!chunked && headers.has('content-length')) this.framing = 'length';
    else { this.framing = 'chunked'; head += ownName('transfer-encoding', format, headers) + ': chunked\r\n'; }
    this.headerBytesSent = head.length - line.length;
    this.put(head + '\r\n');
    if (end && this.framing !== 'raw') this.requestDone = true;
  }

  /** @internal Both directions are raw from here. */
  tunnel(): void { this.framing = 'raw'; }

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.dead || this.requestDone) return;
    if (end > start) {
      if (this.framing === 'chunked') {
        this.put((end - start).toString(16) + '\r\n');
        this.pass(bytes, start, end);
        this.put('\r\n');
      } else this.pass(bytes, start, end);
    }
    if (!last) return;
    if (this.framing === 'chunked') this.put(LAST_CHUNK);
    this.requestDone = true;
    if (this.isConnect) this.codec.output.endWriting?.();
    if (this.framing === 'raw') this.codec.tunnelEnded(this);
  }

  trailers(trailers: Headers): void {
    if (this.dead || this.requestDone) return;
    if (this.framing === 'chunked') this.put(this.codec.options.enableTrailers ? '0\r\n' + fieldLines(trailers, this.codec.options.nameFormat) + '\r\n' : LAST_CHUNK);
    this.requestDone = true;
  }

  reset(_reason: ResetReason): void {
    if (this.dead) return;
    this.dead = true;
    this.codec.abandoned(this);
  }

  pause(why: PauseReason): void { if (this.pauses.add(why) && !this.dead) this.codec.output.pauseReading(); }
  resume(why: PauseReason): void { if (this.pauses.remove(why) && !this.dead) this.codec.output.resumeReading(); }

  private put(text: string): void { this.bytesSent += text.length; this.codec.output.writeLatin1(text); }
  private pass(bytes: Uint8Array, start: number, end: number): void { this.bytesSent += end - start; this.codec.output.write(bytes, start, end); }
}
