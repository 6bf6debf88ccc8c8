// HTTP/1 from the server's side (RFC 9112): one request at a time, pipelined ones wait until the answer before them is whole. Owns the framing of both directions
// and nothing else. Fed by the connection's bytes; a head that cannot be understood is answered through the host and ends the connection.
//
//   head ──▶ body ──▶ waiting (for the response) ──▶ head …        head ──▶ tunnel (upgrade, CONNECT)        any ──▶ dead
import type { PeerFault } from '../../base/fault.ts';
import { RequestHeaders, type Headers } from '../../headers/headers.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import type { Http1OptionsPlan } from '../../plan/http1-options-plan.ts';
import type { CodecOutput, HttpProtocol, ServerCodec, ServerHost } from '../codec.ts';
import { BodyReader, type BodySink } from './body-reader.ts';
import { H1_FAULT } from './faults.ts';
import { FieldParser, hasToken, parseLength, type FieldLimits } from './field-parser.ts';
import { HeadBuffer } from './head-buffer.ts';
import type { NameFormat } from './head-writer.ts';
import { RequestLine } from './request-line.ts';
import { H1ServerStream, type ServerStreamOwner } from './server-stream.ts';

/** Answers that may be ready for one read of the peer before it counts as a flood of pipelined requests (Envoy: "Too many responses queued"). */
const MAX_ANSWERS_PER_READ = 2;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Parsers of lines keep nothing between two heads, so all connections of one configuration use the same. */
interface Parsers { readonly limits: FieldLimits; readonly line: RequestLine; readonly fields: FieldParser; readonly ignoreUpgrades: readonly StringMatcher[] }
const PARSERS = new WeakMap<Http1OptionsPlan, Parsers>();
function sharedParsers(options: Http1OptionsPlan): Parsers {
  let p = PARSERS.get(options);
  if (p === undefined) {
    const limits: FieldLimits = { maxCount: options.maxHeadersCount, underscores: options.headersWithUnderscores, keepSpelling: options.nameFormat === 'preserve', addedInProperCase: options.addedInProperCase };
    p = { limits, line: new RequestLine(options), fields: new FieldParser(limits), ignoreUpgrades: options.ignoreUpgrades.map(makeStringMatcher) };
    PARSERS.set(options, p);
  }
  return p;
}

/** What the codec counts, for its owner. */
export interface H1CodecCounters { onResponseFlood(): void; onUnderscoreDropped(count: number): void; onUnderscoreRejected(): void }

export class H1ServerCodec implements ServerCodec, ServerStreamOwner, BodySink {
  readonly protocol: HttpProtocol = 'HTTP/1.1';
  private state: 'head' | 'body' | 'waiting' | 'tunnel' | 'dead' = 'head';
  private readonly host: ServerHost;
  private readonly output: CodecOutput;
  private readonly options: Http1OptionsPlan;
  private readonly counters: H1CodecCounters;
  private readonly headText: HeadBuffer;
  private readonly requestLine: RequestLine;
  private readonly fields: FieldParser;
  private readonly limits: FieldLimits;
  private readonly ignoreUpgrades: readonly StringMatcher[];
  /** Made with the first body: idle connections are many. */
  private bodyReader: BodyReader | null = null;
  private stream: H1ServerStream | null = null;
  private shuttingDown = false;
  /** Bytes of pipelined requests behind the one that is being answered; no more are read until it is. */
  private pipelined: Buffer | null = null;
  /** What is received now was held back before: it is not lent. */
  private ours: Buffer | null = null;
  private receiving = false;
  private answers = 0;
  private outputBlocked = false;
  /** The input's bytes before this are counted. */
  private counted = 0;
  readonly nameFormat: NameFormat;
  readonly trailersEnabled: boolean;
  /** Whether `expect: 100-continue` is answered here (Envoy: unless proxy_100_continue). */
  private readonly answerContinue: boolean;

  constructor(host: ServerHost, output: CodecOutput, options: Http1OptionsPlan, counters: H1CodecCounters, answerContinue = true) {
    this.host = host; this.output = output; this.options = options; this.counters = counters; this.answerContinue = answerContinue;
    this.nameFormat = options.nameFormat;
    this.trailersEnabled = options.enableTrailers;
    const shared = sharedParsers(options);
    this.limits = shared.limits;
    this.requestLine = shared.line;
    this.fields = shared.fields;
    this.ignoreUpgrades = shared.ignoreUpgrades;
    this.headText = new HeadBuffer(options.maxHeadersKb * 1024);
  }

  private get body(): BodyReader { return this.bodyReader ??= new BodyReader(this, this.limits, this.options.maxHeadersKb * 1024, this.options.enableTrailers); }

  get activeStreams(): number { return this.stream === null ? 0 : 1; }

  receive(bytes: Buffer, start: number, end: number): PeerFault | null {
    if (this.state === 'dead') return null;
    if (this.pipelined !== null) { this.keep(bytes, start, end); return null; }
    this.receiving = true;
    this.answers = 0;
    this.run(bytes, start, end);
    this.receiving = false;
    return null;
  }

  private run(bytes: Buffer, at: number, end: number): void {
    while (at < end) {
      switch (this.state) {
        case 'head': {
          if (this.stream === null) {
            // RFC 9112 section 2.2: empty lines before a request line are skipped.
            while (at < end && (bytes[at] === 13 || bytes[at] === 10) && !this.headText.partial) at++;
            if (at === end) return;
            this.begin();
            if (this.stream === null) return;
          }
          at = this.readHead(bytes, at, end);
          break;
        }
        case 'body': {
          const { stream } = this;
          this.counted = at;
          at = this.body.read(bytes, at, end);
          if (this.stream === stream) this.count(at);
          if (this.body.fault !== null) { this.faulted(this.body.fault); return; }
          break;
        }
        case 'tunnel': this.stream!.bytesReceived += end - at; this.stream!.sink!.onData(bytes, at, end, false); return;
        case 'waiting': this.keep(bytes, at, end); return;
        case 'dead': return;
      }
    }
  }

  private begin(): void {
    if (this.answers >= MAX_ANSWERS_PER_READ) {
      this.counters.onResponseFlood();
      this.state = 'dead';
      this.host.onConnectionClose('flush', null);
      return;
    }
    const stream = new H1ServerStream(this);
    this.stream = stream;
    stream.sink = this.host.onStream(stream);
  }

  private readHead(bytes: Buffer, at: number, end: number): number {
    const stream = this.stream!;
    const took = this.headText.take(bytes, at, end);
    if (took === 'more') { stream.bytesReceived += end - at; return end; }
    if (took !== 'head') { this.faulted(took === 'bad' ? H1_FAULT.codec : H1_FAULT.headersTooLarge); return end; }
    stream.bytesReceived += this.headText.rest - at;
    const rest = this.headText.rest;
    const headers = new RequestHeaders();
    const malformed = this.requestLine.parse(this.headText, headers) ?? this.fields.parse(this.headText, this.requestLine.position, headers);
    if (malformed === null) stream.headerBytesReceived = this.headText.text.length - this.requestLine.position - 2 - this.fields.lines;
    this.headText.release();
    const bad = malformed ?? this.accept(stream, headers);
    if (bad !== null) {
      if (bad === H1_FAULT.underscore) this.counters.onUnderscoreRejected();
      this.faulted(bad);
    }
    return rest;
  }

  /** The head is well formed: settles host, connection and framing, and hands it over. */
  private accept(stream: H1ServerStream, headers: RequestHeaders): PeerFault | null {
    const notes = this.fields.notes;
    if (notes.underscoresDropped > 0) this.counters.onUnderscoreDropped(notes.underscoresDropped);
    stream.isHead = headers.method === 'HEAD';
    stream.isConnect = headers.method === 'CONNECT';
    if (!this.connection(stream, headers)) return H1_FAULT.codec;
    headers.authority = this.requestLine.targetHost !== '' ? this.requestLine.targetHost : notes.host;
    if (notes.hosts === 0 && headers.authority === '' && this.requestLine.minor === 0) headers.authority = this.options.defaultHostForHttp10;
    // RFC 9112 section 3.2: several Host lines are 400. (None at all is answered by the connection manager, as in Envoy.)
    if (notes.hosts > 1 || !validHost(headers.authority)) return H1_FAULT.codec;
    headers.missingHost = notes.hosts === 0 && headers.authority === '';

    const length = this.framing(headers);
    if (typeof length !== 'number') return length;
    if (stream.upgrade !== '' || stream.isConnect) { this.state = 'tunnel'; stream.sink!.onHeaders(headers, false); return null; }
    if (length === 0) {
      this.state = 'waiting';
      stream.requestDone = true;
      stream.sink!.onHeaders(headers, true);
      return null;
    }
    this.state = 'body';
    this.counted = 0;
    this.body.begin(length);
    if (this.answerContinue && this.requestLine.minor === 1 && notes.expect.toLowerCase() === '100-continue') { headers.remove('expect'); this.output.writeLatin1(CONTINUE); }
    stream.sink!.onHeaders(headers, false);
    return null;
  }

  /** False: `connection` names what may not be taken away. */
  private connection(stream: H1ServerStream, headers: RequestHeaders): boolean {
    const { connection, upgrade } = this.fields.notes;
    if (this.requestLine.minor === 0) {
      stream.protocol = 'HTTP/1.0';
      if (hasToken(connection, 'keep-alive')) stream.sayKeepAlive = true; else stream.closing = true;
    } else if (connection !== '' && hasToken(connection, 'close')) stream.closing = true;
    if (this.shuttingDown) stream.closing = true;
    if (connection !== '' && !this.dropNominated(connection, headers)) return false;
    if (upgrade === '') return true;
    const token = upgrade.toLowerCase();
    // h2c by upgrade is not offered, and must not reach the upstream (request smuggling through the second protocol).
    if (this.requestLine.minor === 1 && hasToken(connection, 'upgrade') && token !== 'h2c' && !this.ignoreUpgrades.some((m) => m.matches(upgrade))) {
      headers.protocol = stream.upgrade = token;
      headers.add('connection', connection);
    } else { headers.remove('upgrade'); headers.remove('http2-settings'); }
    return true;
  }

  /** Headers that `connection` names stop here (RFC 9110 section 7.6.1). */
  private dropNominated(connection: string, headers: RequestHeaders): boolean {
    for (const part of connection.split(',')) {
      const name = part.trim().toLowerCase();
      if (name === '' || name === 'close' || name === 'keep-alive' || name === 'upgrade' || name === 'te') continue;
      if (name.startsWith(':')) return false;
      if (name === 'host') { this.fields.notes.host = ''; this.fields.notes.hosts = 0; } else if (name !== 'content-length') headers.remove(name);
    }
    return true;
  }

  /** Length of the body: ≥ 0, -1 chunked. Both lengths present is refused: picking one is how requests get smuggled (RFC 9112 section 6.3). */
  private framing(headers: RequestHeaders): number | PeerFault {
    const notes = this.fields.notes;
    if (notes.transferEncodings > 0) {
      if (notes.transferEncodings > 1 || notes.transferEncoding.toLowerCase() !== 'chunked') return H1_FAULT.transferEncoding;
      if (this.requestLine.minor === 0) return H1_FAULT.transferEncodingNotAllowed;
      if (notes.contentLengths > 0) {
        if (!this.options.allowChunkedLength) return H1_FAULT.chunkedContentLength;
        headers.remove('content-length');
      }
      if (headers.method === 'CONNECT') return H1_FAULT.transferEncodingNotAllowed;
      headers.add('transfer-encoding', 'chunked');
      return -1;
    }
    if (notes.contentLengths === 0) return 0;
    const length = notes.contentLengths === 1 ? parseLength(notes.contentLength) : -1;
    if (length < 0 || (length > 0 && headers.method === 'CONNECT')) return H1_FAULT.codec;
    return length;
  }

  /** Gives up what is being received, or would be with the next bytes, as if it could not be understood. */
  abort(why: PeerFault): void {
    if (this.state === 'dead') return;
    if (this.stream === null) { const stream = this.stream = new H1ServerStream(this); stream.sink = this.host.onStream(stream); this.state = 'head'; }
    this.faulted(why);
  }

  /** A request that cannot be understood, in its head or in its body: answered if nothing was sent yet; the connection ends. */
  private faulted(bad: PeerFault): void {
    const stream = this.stream;
    const inHead = this.state === 'head';
    this.state = 'dead';
    this.headText.clear();
    if (stream === null) { this.host.onConnectionClose('flush', bad); return; }
    stream.closing = true;
    if (inHead) this.host.onBadRequest(stream, bad);
    else stream.sink?.onReset('protocol-error', bad);
    if (this.stream !== null && this.stream.state === 'idle') { this.stream = null; this.host.onConnectionClose('flush', bad); }
  }

  /** Counts what was read up to `to` for the exchange it belongs to, before that is told of its end. */
  private count(to: number): void { if (this.stream !== null) this.stream.bytesReceived += to - this.counted; this.counted = to; }

  // BodySink
  onBody(bytes: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.stream;
    this.count(this.body.position);
    if (last) this.state = 'waiting';
    if (stream === null || stream.state === 'dead') return;
    if (last) stream.requestDone = true;
    stream.sink!.onData(bytes, start, end, last);
  }
  onBodyTrailers(trailers: Headers): void {
    const stream = this.stream;
    this.count(this.body.position);
    this.state = 'waiting';
    if (stream === null || stream.state === 'dead') return;
    stream.requestDone = true;
    stream.sink!.onTrailers(trailers);
  }

  // ServerStreamOwner
  writeLatin1(text: string): void { this.output.writeLatin1(text); }
  write(bytes: Uint8Array, start: number, end: number): void { this.output.write(bytes, start, end); }
  pauseReading(): void { this.output.pauseReading(); }
  resumeReading(): void { if (this.pipelined === null && !(this.stream?.paused ?? false)) this.output.resumeReading(); }

  responseDone(stream: H1ServerStream): void {
    if (this.stream !== stream) return;
    const complete = stream.requestDone || stream.tunnelling;
    // What held this exchange's body back does not hold the next one.
    if (stream.paused && this.pipelined === null) this.output.resumeReading();
    if (stream.closing || !complete) {
      this.stream = null;
      this.state = 'dead';
      stream.sink!.onComplete();
      this.host.onConnectionClose(complete ? 'done' : 'flush', null);
      return;
    }
    this.stream = null;
    this.state = 'head';
    stream.sink!.onComplete();
    if (this.receiving) this.answers++; else this.next();
  }

  aborted(stream: H1ServerStream): void {
    if (this.stream !== stream) return;
    this.stream = null;
    this.state = 'dead';
    this.host.onConnectionClose('flush', null);
  }

  /** Goes on with what was pipelined behind the answered request. */
  private next(): void {
    const waiting = this.pipelined;
    if (waiting === null) return;
    this.pipelined = null;
    this.output.resumeReading();
    this.ours = waiting;
    this.receive(waiting, 0, waiting.length);
    this.ours = null;
  }

  /** Holds back what came behind an unanswered request, and stops reading: the bound is one read. */
  private keep(bytes: Buffer, start: number, end: number): void {
    const rest = bytes.subarray(start, end);
    if (this.pipelined === null) this.output.pauseReading();
    // Bytes of the peer are lent; what was held back before is not copied again for each request in it.
    if (this.pipelined === null) this.pipelined = bytes === this.ours ? rest : Buffer.from(rest); else this.pipelined = Buffer.concat([this.pipelined, rest]);
  }

  receiveEnd(): void {
    const stream = this.stream;
    // A tunnel ends whole with either side, as Envoy ends it.
    if (this.state === 'tunnel' && stream !== null) { this.close(); this.host.onConnectionClose('now', null); return; }
    if (this.state === 'dead') return;
    if (stream === null) { this.state = 'dead'; this.host.onConnectionClose('done', null); return; }
    // A client that has sent FIN is taken as gone, as in Envoy: its exchange is cut, and with it the upstream's work.
    this.state = stream.state = 'dead';
    this.stream = null;
    stream.sink!.onReset('connection-end', null);
    this.host.onConnectionClose('now', null);
  }

  close(): void {
    const stream = this.stream;
    this.stream = null;
    this.state = 'dead';
    this.pipelined = null;
    this.headText.clear();
    if (stream !== null && stream.state !== 'done') { stream.state = 'dead'; stream.sink!.onReset('connection-end', null); }
  }

  onBlocked(): void { if (!this.outputBlocked) { this.outputBlocked = true; this.stream?.sink?.onBlocked(); } }
  onDrained(): void { if (this.outputBlocked) { this.outputBlocked = false; this.stream?.sink?.onDrained(); } }

  announceShutdown(): void { /* the next response says it */ }

  shutdown(): void {
    this.shuttingDown = true;
    if (this.stream !== null) this.stream.closing = true;
    else { this.state = 'dead'; this.host.onConnectionClose('done', null); }
  }
}

/** No byte that cannot stand in an authority. Envoy refuses these with 400; an empty value passes. */
function validHost(host: string): boolean {
  for (let i = 0; i < host.length; i++) {
    const c = host.charCodeAt(i);
    if (c <= 32 || c >= 127 || c === 47 || c === 92 || c === 35 || c === 63 || c === 34 || c === 60 || c === 62) return false;
  }
  return true;
}
