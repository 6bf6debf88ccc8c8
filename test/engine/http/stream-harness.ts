// One Stream without sockets: a recording codec below, filters and a recording terminal filter above, time and chance in the test's hands.
import { ByteQueue } from '../../../engine/base/byte-queue.ts';
import type { PauseReason, RequestSink, ResetReason, ServerStream } from '../../../engine/codec/codec.ts';
import { RequestHeaders, ResponseHeaders, type Headers } from '../../../engine/headers/headers.ts';
import { HcmRuntime } from '../../../engine/http/hcm-runtime.ts';
import type { DownstreamWatcher, HttpFilter, ResponseEntry, StreamEnd, StreamView, Verdict } from '../../../engine/http/filter.ts';
import type { Route } from '../../../engine/http/route.ts';
import { Stream } from '../../../engine/http/stream.ts';
import type { StreamOwner } from '../../../engine/http/stream-owner.ts';
import { ManualClock } from '../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../engine/loop/random.ts';
import { Runtime } from '../../../engine/loop/runtime.ts';
import { TimerWheel } from '../../../engine/loop/timer-wheel.ts';
import { OverloadView } from '../../../engine/net/overload.ts';
import type { WorkerEnv } from '../../../engine/net/worker-env.ts';
import { HCM } from '../../../engine/observe/stats/schemas.ts';
import type { StatStore } from '../../../engine/observe/stats/stat-block.ts';
import { ConnectionFacts } from '../../../engine/observe/stream-facts.ts';
import type { HcmPlan } from '../../../engine/plan/hcm-plan.ts';
import { HTTP1_DEFAULTS } from '../../../engine/plan/http1-options-plan.ts';

export function statStore(): StatStore {
  let next = 0;
  const column = new Float64Array(60_000);
  const take = (n: number): number => { const at = next; next += n; return at; };
  const store: StatStore = { column, released: false, claim: (schema) => take(schema.names.length), claimOne: () => take(1), claimHistogram: () => take(12), extend: (n) => take(n), owned: () => store };
  return store;
}

export const PLAN = {
  codec: 'AUTO', statPrefix: 'in', routesKey: 'r', scopes: null, filters: [], accessLogs: [], logOnStart: false, http1: HTTP1_DEFAULTS, useRemoteAddress: false, hops: 0, skipXffAppend: false, appendForwardedPort: false, internal: null,
  detection: [], schemeOverwrite: '', schemeMatchesUpstream: false, generateRequestId: false, preserveRequestId: false, requestIdInResponse: false, normalizePath: false, mergeSlashes: false, escapedSlashes: 'keep', stripPort: 'none', stripDot: false,
  serverHeader: 'pass', serverName: 'envoy', clientCertTree: null, protoPorts: { https: [], http: [] }, via: '', addUserAgent: false, logIntervalMs: 0, proxyStatus: null, runtimeHeadKb: false, runtimeHeadCount: false, safeConnectionDuration: false, proxy100: false, upgrades: [], clientCert: 'sanitize', earlyMutations: [], mappers: [], bodyFormat: null, requestTimeoutMs: 0, requestHeadersTimeoutMs: 0,
  streamIdleTimeoutMs: 0, streamFlushTimeoutMs: 0, appendLocalOverload: false, idleTimeoutMs: 0, maxConnectionDurationMs: 0, maxConnectionJitterPercent: 0, drainJitterPercent: 0, logOnTunnel: false, maxStreamDurationMs: 0, maxRequestsPerConnection: 0, drainTimeoutMs: 0, delayedCloseMs: 0,
} as unknown as HcmPlan;

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const textOf = (bytes: Uint8Array, start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1');
export function queueOf(text: string): ByteQueue { const q = new ByteQueue(); if (text !== '') q.push(bytesOf(text)); return q; }

/** Writes down what reaches it; says 'end' behind the last piece. Body pieces next to each other are written as one. */
export class Record {
  readonly list: string[] = [];
  private open = false;
  head(text: string, end: boolean): void { this.open = false; this.list.push(end ? `${text} end` : text); }
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const text = textOf(bytes, start, end);
    if (this.open) this.list[this.list.length - 1] += text; else this.list.push(text);
    this.open = !last;
    if (last) this.list[this.list.length - 1] += ' end';
  }
  note(text: string): void { this.open = false; this.list.push(text); }
}

/** The last filter: records the request; the test answers through it. */
export class Terminal implements HttpFilter, DownstreamWatcher {
  readonly got = new Record();
  readonly entry: StreamView & ResponseEntry;
  ends = 0;
  blocked = 0;
  constructor(entry: StreamView & ResponseEntry) { this.entry = entry; }
  onRequestHeaders(_s: StreamView, h: RequestHeaders, end: boolean): Verdict { this.got.head(`${h.method} ${h.path}`, end); return 'taken'; }
  onRequestData(_s: StreamView, b: Uint8Array, start: number, end: number, last: boolean): Verdict { this.got.data(b, start, end, last); return 'taken'; }
  onRequestTrailers(_s: StreamView, t: Headers): Verdict { this.got.note(`trailers ${t.flat.join('=')}`); return 'taken'; }
  onEnd(_s: StreamView, _how: StreamEnd): void { this.ends++; }
  onDownstreamBlocked(): void { this.blocked++; }
  onDownstreamDrained(): void { this.blocked--; }
  answer(status: number, end: boolean): void { const h = new ResponseHeaders(); h.status = status; this.entry.downstreamWatcher = this; this.entry.respondHeaders(h, end); }
  body(text: string, last: boolean): void { const b = bytesOf(text); this.entry.respondData(b, 0, b.length, last); }
}

/** The codec below. Like HTTP/1's it completes the stream as soon as the response is whole. */
class RecordingCodec implements ServerStream {
  readonly protocol = 'HTTP/1.1';
  readonly sent = new Record();
  readonly pauses = new Set<PauseReason>();
  sink: RequestSink | null = null;
  over = false; queuedBytes = 0;
  /** The last bytes wait for the client. */
  stuck = false;
  bytesReceived = 0; bytesSent = 0; headerBytesReceived = 0; headerBytesSent = 0;
  informational(h: ResponseHeaders): void { this.sent.note(String(h.status)); }
  headers(h: ResponseHeaders, end: boolean): void { this.check(); this.sent.head(String(h.status), end); if (end) this.complete(); }
  data(b: Uint8Array, start: number, end: number, last: boolean): void { this.check(); this.sent.data(b, start, end, last); if (last) this.complete(); }
  trailers(t: Headers): void { this.check(); this.sent.note(`trailers ${t.flat.join('=')}`); this.complete(); }
  reset(reason: ResetReason): void { this.check(); this.over = true; this.sent.note(`reset ${reason}`); }
  pause(why: PauseReason): void { this.pauses.add(why); }
  resume(why: PauseReason): void { this.pauses.delete(why); }
  closeAfter(): void { /* nothing to see */ }
  private check(): void { if (this.over) throw new Error('written to after its end'); }
  private complete(): void { if (this.stuck) { this.queuedBytes = 1; return; } this.over = true; this.sink!.onComplete(); }
}

export interface Harness {
  readonly stream: Stream; readonly codec: RecordingCodec; readonly terminal: Terminal; readonly clock: ManualClock; readonly wheel: TimerWheel; readonly runtime: HcmRuntime;
  /** How often the stream told its connection that it is over. */
  ended(): number;
  /** Lines of the access log. */
  logged(): number;
  /** The stream that took over, null for none. */
  recreated(): Stream | null;
  request(method: string, path: string, end: boolean, headers?: { readonly [name: string]: string }): void;
  body(text: string, last: boolean): void;
  advance(ms: number): void;
}

/** `filters` in the order of the chain, before the terminal one. */
export function harness(filters: readonly HttpFilter[], options: { plan?: Partial<HcmPlan>; limit?: number; route?: (path: string) => Route | null; disabled?: readonly boolean[] } = {}): Harness {
  const clock = new ManualClock(), wheel = new TimerWheel(clock);
  const env = { clock, wheel, random: new SeededRandom(7), runtime: new Runtime(), stats: statStore(), workerId: 0 } as unknown as WorkerEnv;
  let terminal: Terminal | null = null, logged = 0;
  const plan: HcmPlan = { ...PLAN, filters: [...filters.map((_, i) => ({ name: `f${i}`, filter: { kind: `f${i}`, body: null }, disabled: options.disabled?.[i] ?? false })), { name: 'router', filter: { kind: 'router', body: null }, disabled: false }], accessLogs: [{ kind: 'log', body: null }], ...options.plan } as HcmPlan;
  const runtime = new HcmRuntime(plan, env, {
    httpFilter: (kind, _body, name, index) => ({ name, create: (s) => (kind === 'router' ? (terminal = new Terminal(s)) : filters[index]!) }),
    accessLog: () => ({ log: (_f, kind) => { if (kind === 'DownstreamEnd') logged++; } }) as ReturnType<ConstructorParameters<typeof HcmRuntime>[2]['accessLog']>,
    routes: () => ({ current: { name: 'r', internalOnly: () => [], match: (h: RequestHeaders) => options.route?.(h.path) ?? null } }),
    mutation: () => ({ apply() {} }), mapper: () => { throw new Error('none'); }, bodyFormat: () => { throw new Error('none'); }, machineAddress: '127.0.0.1', node: { id: '', cluster: '' }, overload: new OverloadView({ overload: () => 0, overloaded: () => false }, () => []),
  }, 'listener.x');
  const codec = new RecordingCodec();
  let ended = 0, recreated: Stream | null = null;
  const owner: StreamOwner = { runtime, facts: new ConnectionFacts(), bufferLimit: options.limit ?? 1000, streamEnded: () => { ended++; }, recreateStream: (c) => (recreated = new Stream(owner, c)), idleChanged() {}, refusesRequest: () => null, shedsRequest: () => false, streamIdleMs: (ms) => ms, streamFlushMs: (ms) => ms };
  const stream = codec.sink = new Stream(owner, codec);
  return {
    stream, codec, clock, wheel, runtime,
    get terminal(): Terminal { return terminal!; },
    recreated: () => recreated, ended: () => ended, logged: () => logged,
    request(method, path, end, headers = {}) { const h = new RequestHeaders(); h.method = method; h.path = path; h.authority = 'x'; for (const [k, v] of Object.entries(headers)) h.add(k, v); stream.onHeaders(h, end); },
    body(text, last) { const b = bytesOf(text); stream.onData(b, 0, b.length, last); },
    advance(ms) { clock.set(clock.nowMs() + ms); wheel.advance(); stream.checkIdle(clock.nowMs()); },
  };
}

export const activeStreams = (h: Harness): number => h.runtime.stats.own(HCM.downstream_rq_active);

/** A route with these configs of the filters, by index. */
export function route(configs: readonly { disabled?: boolean; all: readonly unknown[] }[] | null, more: Partial<Route> = {}): Route {
  return { name: 'n', answersItself: false, rateLimits: null, virtualHostName: 'v', clusterName: () => '', idleTimeoutMs: -1, flushTimeoutMs: -1, streamDurationMs: () => -1, bufferLimit: -1, upgradeAllowed: () => undefined, filterConfigs: () => configs?.map((c) => ({ disabled: c.disabled, all: c.all })) ?? null, finalizeResponse() {}, ...more };
}
