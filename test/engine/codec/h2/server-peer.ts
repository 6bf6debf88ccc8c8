// A scripted client for the HTTP/2 server codec: feeds bytes, keeps what came of them, answers when told.
import type { PeerFault } from '../../../../engine/base/fault.ts';
import type { RequestSink, ServerStream } from '../../../../engine/codec/codec.ts';
import { H2ServerCodec } from '../../../../engine/codec/h2/server-codec.ts';
import { ResponseHeaders, type Headers, type RequestHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan } from '../../../../engine/plan/http2-options-plan.ts';
import { HeadWriter, PREFACE, WireReader, settings } from './wire.ts';

export class ServerPeer {
  readonly events: string[] = [];
  readonly wire = new WireReader();
  readonly heads = new HeadWriter();
  readonly stats = new Map<string, number>();
  readonly streams: ServerStream[] = [];
  readonly requests: RequestHeaders[] = [];
  closed: string | null = null;
  body = '';
  writes = 0;
  readonly codec: H2ServerCodec;
  /** Answers each request with 200 as soon as it is whole. */
  answer = true;

  constructor(options: Partial<Http2OptionsPlan> = {}, greet = true) {
    const output = { writeLatin1: () => {}, write: (b: Uint8Array, s: number, e: number) => { this.writes++; this.wire.feed(Buffer.from(b.subarray(s, e))); }, pauseReading: () => {}, resumeReading: () => {} };
    this.codec = new H2ServerCodec({
      onStream: (s) => this.begin(s), onGoAway: () => { this.events.push('goaway'); }, onBadRequest: () => { this.events.push('bad'); },
      onConnectionClose: (how, fault: PeerFault | null) => { this.closed ??= `${how}${fault === null ? '' : ` ${fault.detail}`}`; },
    }, output, { ...HTTP2_DEFAULTS, ...options }, { flushSoon: () => {}, count: (stat, by) => { this.stats.set(stat, (this.stats.get(stat) ?? 0) + by); } });
    if (greet) { this.feed(PREFACE, settings()); this.wire.take(); }
  }

  private begin(stream: ServerStream): RequestSink {
    const n = this.streams.push(stream) * 2 - 1;
    const whole = (): void => { this.events.push(`${n} end`); if (this.answer) this.respond(stream); };
    return {
      onHeaders: (h, end) => { this.requests.push(h); this.events.push(`${n} ${h.method} ${h.path} ${h.authority}`); if (end) whole(); },
      onData: (b, s, e, last) => { if (e > s) { const text = Buffer.from(b.subarray(s, e)).toString('latin1'); this.body += text; } if (last) whole(); },
      onTrailers: (t: Headers) => { this.events.push(`${n} trailers ${t.flat.join(' ')}`); whole(); },
      onReset: (reason, fault) => { this.events.push(`${n} reset ${reason}${fault === null ? '' : ` ${fault.detail}`}`); },
      onBlocked: () => { this.events.push(`${n} blocked`); }, onDrained: () => { this.events.push(`${n} drained`); }, onComplete: () => { this.events.push(`${n} complete`); },
    };
  }

  respond(stream: ServerStream, body = '', status = 200): void {
    const h = new ResponseHeaders();
    h.status = status;
    stream.headers(h, body === '');
    if (body !== '') { const b = Buffer.from(body, 'latin1'); stream.data(b, 0, b.length, true); }
  }

  /** Feeds frames, cut into pieces of `size` bytes; then the turn ends. */
  feed(...frames: Buffer[]): this { return this.cut(Infinity, ...frames); }
  cut(size: number, ...frames: Buffer[]): this {
    const bytes = Buffer.concat(frames);
    for (let i = 0; i < bytes.length && this.closed === null; i += size) this.codec.receive(bytes, i, Math.min(bytes.length, i + size));
    this.codec.flush();
    return this;
  }
  /** What the codec wrote since the last look. */
  out(): string[] { this.codec.flush(); return this.wire.take(); }
}
