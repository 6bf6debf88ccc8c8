// The fault filter (Envoy: FaultFilter): delays, aborts and slows requests down, by chance, by what they are, or as their headers ask.
import { HeaderMatcher, matchesAll } from '../../../headers/header-matcher.ts';
import type { Headers, RequestHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamEnd, type StreamView, type Verdict } from '../../../http/filter.ts';
import { StreamRateLimiter } from '../../../http/stream-rate-limiter.ts';
import { ofShare, runtimeNumber, type RuntimeCell } from '../../../loop/runtime.ts';
import type { Timer } from '../../../loop/timer-wheel.ts';
import { SharedHold, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { setStreamMetadata } from '../../../observe/stream-facts.ts';
import type { FractionPlan } from '../../../plan/match-plan.ts';
import type { FaultPlan } from '../../../plan/http-filter-plans.ts';

const DI = flagBit('DI'), FI = flagBit('FI');

interface Cells { readonly delay: RuntimeCell; readonly abort: RuntimeCell; readonly delayMs: RuntimeCell; readonly status: RuntimeCell; readonly grpc: RuntimeCell }

/** A cluster that requests say they come from (x-envoy-downstream-service-cluster): its runtime keys, which stand in place of the filter's, and its counters. */
class DownstreamCluster {
  readonly cells: Cells;
  private readonly env: WorkerEnv;
  private readonly prefix: string;
  private readonly slots: Record<'aborts_injected' | 'delays_injected', number> = { aborts_injected: -1, delays_injected: -1 };
  /** `prefix` '': it has no name, and is not counted. */
  constructor(name: string, env: WorkerEnv, prefix: string) {
    this.env = env; this.prefix = name === '' ? '' : `${prefix}.fault.${name}`;
    const cell = (key: string): RuntimeCell => env.runtime.cell(`fault.http.${name}.${key}`);
    this.cells = { delay: cell('delay.fixed_delay_percent'), abort: cell('abort.abort_percent'), delayMs: cell('delay.fixed_duration_ms'), status: cell('abort.http_status'), grpc: cell('abort.grpc_status') };
  }
  count(what: 'aborts_injected' | 'delays_injected'): void {
    if (this.prefix === '') return;
    if (this.slots[what] < 0) this.slots[what] = this.env.stats.claimOne(`${this.prefix}.${what}`, 'counter');
    this.env.stats.column[this.slots[what]]!++;
  }
}
/** Names of downstream clusters that are kept: who sends them may make them up. */
const MAX_CLUSTERS = 1000;

/** One set of faults, the filter's or a route's. */
class Faults {
  readonly plan: FaultPlan;
  private readonly matchers: readonly HeaderMatcher[];
  private readonly env: WorkerEnv;
  private readonly cells: Cells & { readonly maxActive: RuntimeCell; readonly rate: RuntimeCell };
  constructor(plan: FaultPlan, env: WorkerEnv) {
    this.plan = plan; this.env = env;
    this.matchers = plan.headers.map((h) => new HeaderMatcher(h));
    const { keys } = plan, cell = (key: string): RuntimeCell => env.runtime.cell(key);
    this.cells = { maxActive: cell(keys.maxActive), delay: cell(keys.delay), abort: cell(keys.abort), rate: cell(keys.rate), delayMs: cell(keys.delayMs), status: cell(keys.status), grpc: cell(keys.grpc) };
  }

  concerns(s: StreamView, headers: RequestHeaders): boolean {
    const { cluster, nodes } = this.plan;
    if (cluster !== '' && s.route?.clusterName(headers) !== cluster) return false;
    if (nodes.length > 0 && !nodes.includes(headers.get('x-envoy-downstream-service-node') ?? '')) return false;
    return matchesAll(this.matchers, headers);
  }

  /** How many may be at a time; Infinity: no limit. */
  get maxActive(): number { const n = this.plan.maxActive; return runtimeNumber(this.cells.maxActive, n < 0 ? Infinity : n); }

  /** `percent`: the header that asks for less than the share; a runtime value stands above both. */
  private happens(share: FractionPlan, cell: RuntimeCell, percent: string | undefined): boolean {
    const { denominator } = share, numerator = percent !== undefined && /^\d{1,9}$/.test(percent) ? Math.min(Number(percent), share.numerator) : share.numerator;
    if (numerator === 0 && cell.value === undefined) return false;
    return ofShare(cell, { numerator, denominator }, this.env.random.u32());
  }

  /** ms; 0: none. `from`: null: the request names no downstream cluster. */
  delay(headers: RequestHeaders, from: DownstreamCluster | null): number {
    const { delay } = this.plan;
    const cells = from?.cells ?? this.cells;
    if (delay === null || !this.happens(delay.share, cells.delay, delay.byHeader ? headers.get('x-envoy-fault-delay-request-percentage') : undefined)) return 0;
    return delay.byHeader ? number(headers, 'x-envoy-fault-delay-request') : runtimeNumber(cells.delayMs, delay.ms);
  }
  abort(headers: RequestHeaders, from: DownstreamCluster | null): LocalReply | null {
    const { abort } = this.plan, cells = from?.cells ?? this.cells;
    if (abort === null || !this.happens(abort.share, cells.abort, abort.byHeader ? headers.get('x-envoy-fault-abort-request-percentage') : undefined)) return null;
    const asked = number(headers, 'x-envoy-fault-abort-request'), status = abort.byHeader ? (asked >= 200 && asked < 600 ? asked : 0) : abort.status === 0 ? 0 : runtimeNumber(cells.status, abort.status);
    const body = abort.body === '' ? 'fault filter abort' : abort.body;
    if (status > 0) return new LocalReply(status, body, 'fault_filter_abort', FI);
    const grpc = abort.byHeader ? (headers.has('x-envoy-fault-abort-grpc-request') ? number(headers, 'x-envoy-fault-abort-grpc-request') : -1) : abort.grpc < 0 ? -1 : runtimeNumber(cells.grpc, abort.grpc);
    // To a request that is no gRPC the status says nothing: Envoy answers it with 200.
    return grpc < 0 ? null : new LocalReply(200, body, 'fault_filter_abort', FI, null, grpc);
  }
  /** KiB per second; 0: no limit. */
  rate(headers: RequestHeaders): number {
    const { rate } = this.plan;
    if (rate === null || !this.happens(rate.share, this.cells.rate, rate.byHeader ? headers.get('x-envoy-fault-throughput-response-percentage') : undefined)) return 0;
    return rate.byHeader ? number(headers, 'x-envoy-fault-throughput-response') : rate.kbps;
  }
}

function number(headers: RequestHeaders, name: string): number { const v = headers.get(name); return v !== undefined && /^\d{1,9}$/.test(v) ? Number(v) : 0; }

export class FaultFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  readonly env: WorkerEnv;
  readonly base: Faults;
  private readonly slots: Readonly<Record<'aborts_injected' | 'delays_injected' | 'response_rl_injected' | 'active_faults' | 'faults_overflow', number>>;
  private readonly hold: SharedHold;
  private readonly prefix: string;
  private readonly clusters = new Map<string, DownstreamCluster>();
  constructor(name: string, index: number, plan: FaultPlan, env: WorkerEnv, limits: ProcessLimits, statPrefix: string) {
    this.name = name; this.index = index; this.env = env; this.prefix = statPrefix;
    this.base = new Faults(plan, env);
    const slot = (n: string, kind: 'counter' | 'gauge' = 'counter'): number => env.stats.claimOne(`${statPrefix}.fault.${n}`, kind);
    this.slots = { aborts_injected: slot('aborts_injected'), delays_injected: slot('delays_injected'), response_rl_injected: slot('response_rl_injected'), active_faults: slot('active_faults', 'gauge'), faults_overflow: slot('faults_overflow') };
    // As Envoy's gauge: one count for all fault filters of a stat prefix.
    this.hold = new SharedHold(limits, env.stats, `faults ${statPrefix}`);
  }
  /** The downstream cluster that a request names; null: none. */
  from(headers: RequestHeaders): DownstreamCluster | null {
    const name = headers.get('x-envoy-downstream-service-cluster');
    if (name === undefined) return null;
    let cluster = this.clusters.get(name);
    if (cluster === undefined && this.clusters.size < MAX_CLUSTERS) { cluster = new DownstreamCluster(name, this.env, this.prefix); this.clusters.set(name, cluster); }
    return cluster ?? null;
  }
  create(): HttpFilter { return new FaultFilter(this); }
  routeConfig(plan: unknown): Faults { return new Faults(plan as FaultPlan, this.env); }
  /** One more active fault, if there may be; counted where not. */
  tryBegin(max: number): boolean {
    const begun = this.hold.tryHold(max, this.env.stats.column[this.slots.active_faults]!);
    this.count(begun ? 'active_faults' : 'faults_overflow');
    return begun;
  }
  over(): void { this.count('active_faults', -1); this.hold.release(); }
  count(what: keyof FaultFactory['slots'], by = 1): void { this.env.stats.column[this.slots[what]]! += by; }
}

class FaultFilter implements HttpFilter {
  private readonly factory: FaultFactory;
  private timer: Timer | null = null;
  private limiter: StreamRateLimiter | null = null;
  private active = false;
  private from: DownstreamCluster | null = null;
  constructor(factory: FaultFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const faults = (s.routeConfig(this.factory.index) as Faults | undefined) ?? this.factory.base;
    if (!faults.concerns(s, headers)) return 'next';
    const from = this.from = this.factory.from(headers), kbps = faults.rate(headers), delay = faults.delay(headers, from);
    if (kbps > 0 && this.mayBegin(faults)) { this.limiter = new StreamRateLimiter(this.factory.env, s, this, 'response', kbps); this.factory.count('response_rl_injected'); }
    if (delay > 0 && this.mayBegin(faults)) {
      this.factory.count('delays_injected');
      if (faults.plan.countsDownstream) from?.count('delays_injected');
      s.facts.flags |= DI;
      this.mark(s, faults);
      this.timer = this.factory.env.wheel.after(delay, () => this.delayed(s, faults));
      return 'hold';
    }
    return this.abort(s, faults, headers) ?? 'next';
  }

  /** A delay may be followed by an abort. */
  private delayed(s: StreamView, faults: Faults): void {
    this.timer = null;
    const reply = this.abort(s, faults, s.request);
    if (reply !== null) { s.reply(this, reply); return; }
    if (faults.plan.rate === null) this.end();
    s.resume(this);
  }
  private abort(s: StreamView, faults: Faults, headers: RequestHeaders): LocalReply | null {
    const reply = faults.abort(headers, this.from);
    if (reply === null || !this.mayBegin(faults)) return null;
    this.factory.count('aborts_injected');
    if (faults.plan.countsDownstream) this.from?.count('aborts_injected');
    this.mark(s, faults);
    return reply;
  }
  /** Where there is no metadata, the namespace is there all the same. */
  private mark(s: StreamView, faults: Faults): void { setStreamMetadata(s.facts, this.factory.name, faults.plan.metadata); }
  /** A request is one active fault, however many it has. */
  private mayBegin(faults: Faults): boolean { return this.active || (this.active = this.factory.tryBegin(faults.maxActive)); }
  private end(): void { if (this.active) { this.active = false; this.factory.over(); } }

  onResponseData(_s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (this.limiter === null) return 'next';
    this.limiter.take(bytes, start, end, last);
    return 'taken';
  }
  heldBytes(): number { return this.limiter === null ? 0 : this.limiter.heldBytes; }
  onResponseTrailers(s: StreamView, trailers: Headers): Verdict { return this.limiter === null || this.limiter.idle(() => { s.pushTrailers(this, trailers, 'response'); }) ? 'next' : 'taken'; }

  onEnd(_s: StreamView, _how: StreamEnd): void {
    if (this.timer !== null) this.factory.env.wheel.cancel(this.timer);
    this.limiter?.end();
    this.end();
  }
}
