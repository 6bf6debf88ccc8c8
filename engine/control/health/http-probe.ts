// HTTP health check: one request over a connection that is kept where the host lets it (Envoy: HttpHealthCheckerImpl).
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, CodecOutput, ResetReason, ResponseSink } from '../../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../../headers/headers.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import type { Clock } from '../../loop/clock.ts';
import { HeaderMutations } from '../../observe/format/header-mutation.ts';
import type { OperatorEnv } from '../../observe/format/operators.ts';
import { ConnectionFacts, StreamFacts } from '../../observe/stream-facts.ts';
import type { HttpCheckPlan, StatusRange } from '../../plan/health-plan.ts';
import { BlockSearch } from './block-search.ts';
import { ProbeConnection, type ConnectionOwner } from './probe-connection.ts';
import type { Probe, ProbeConnector, ProbeResult, ProbeTarget } from './probe.ts';

export interface HttpProbeEnv {
  readonly connector: ProbeConnector;
  makeCodec(host: ClientHost, output: CodecOutput): ClientCodec;
  readonly reuse: boolean;
  readonly operators: OperatorEnv;
  readonly clock: Clock;
}

const inside = (status: number, ranges: readonly StatusRange[]): boolean => ranges.some((r) => status >= r.from && status < r.to);
const NETWORK: ProbeResult = { ok: false, type: 'NETWORK', retriable: false };

export class HttpProbe implements Probe, ResponseSink, ConnectionOwner {
  private readonly plan: HttpCheckPlan;
  private readonly target: ProbeTarget;
  private readonly env: HttpProbeEnv;
  private readonly mutations: HeaderMutations;
  private readonly serviceName: StringMatcher | null;
  private readonly search: BlockSearch;
  private connection: ProbeConnection | null = null;
  private response: ResponseHeaders | null = null;
  private result: ProbeResult | null = null;
  private done: ((result: ProbeResult) => void) | null = null;

  constructor(plan: HttpCheckPlan, target: ProbeTarget, env: HttpProbeEnv) {
    this.plan = plan; this.target = target; this.env = env;
    this.mutations = new HeaderMutations(plan.headers, env.operators, env.clock);
    this.serviceName = plan.serviceName === null ? null : makeStringMatcher(plan.serviceName);
    this.search = new BlockSearch(plan.receive, plan.responseBufferBytes);
  }

  start(done: (result: ProbeResult) => void): void {
    const { plan } = this;
    this.done = done;
    this.response = this.result = null;
    this.search.clear();
    this.connection ??= new ProbeConnection(this.target.address, this.env.connector, (host, output) => this.env.makeCodec(host, output), this);
    const stream = this.connection.open(this);
    if (stream === 'full') return; // never kept while it still answers; time will tell
    stream.headers(this.request(), plan.send === null);
    if (plan.send !== null) stream.data(plan.send, 0, plan.send.length, true);
  }

  private request(): RequestHeaders {
    const { plan, target, env } = this, h = new RequestHeaders();
    h.method = plan.method; h.path = plan.path; h.scheme = env.connector.secured ? 'https' : 'http';
    h.authority = plan.host || target.hostname || target.clusterName;
    h.add('user-agent', 'Envoy/HC');
    if (plan.send !== null) h.set('content-length', String(plan.send.length));
    // What formatters of added headers may look at.
    const facts = new StreamFacts(new ConnectionFacts());
    facts.request = h;
    facts.startMs = env.clock.nowMs();
    facts.startWallMs = env.clock.wallMs();
    this.mutations.apply(h, facts);
    return h;
  }

  private finish(result: ProbeResult, keep: boolean): void {
    const { done } = this;
    this.done = null;
    if (!keep) this.drop();
    done?.(result);
  }

  private drop(): void { this.connection?.destroy(); this.connection = null; }
  abort(): void { this.done = null; this.drop(); }
  close(): void { this.abort(); }

  private judge(r: ResponseHeaders): ProbeResult {
    const { plan } = this, { status } = r;
    if (!inside(status, plan.expected)) return { ok: false, type: 'ACTIVE', retriable: inside(status, plan.retriable), status };
    if (plan.receive.length > 0 && !this.search.found) return { ok: false, type: 'ACTIVE', retriable: false, status };
    if (this.serviceName !== null && !this.serviceName.matches(r.get('x-envoy-upstream-healthchecked-cluster') ?? '')) return { ok: false, type: 'ACTIVE', retriable: false, wrongCluster: true, status };
    return { ok: true, degraded: r.has('x-envoy-degraded') };
  }
  private complete(): void { if (this.response !== null) this.result = this.judge(this.response); }

  // ResponseSink
  onInformational(): void {}
  onHeaders(headers: ResponseHeaders, end: boolean): void { this.response = headers; if (end) this.complete(); }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.search.add(bytes, start, end); if (last) this.complete(); }
  onTrailers(_trailers: Headers): void { this.complete(); }
  onReset(_reason: ResetReason, _fault: PeerFault | null): void { this.finish(NETWORK, false); }
  onBlocked(): void {}
  onDrained(): void {}

  // ConnectionOwner
  onExchangeDone(reusable: boolean): void { const { result } = this; if (result !== null) { this.result = null; this.finish(result, reusable && this.env.reuse); } }
  onGone(): void { this.connection = null; const { result } = this; this.result = null; this.finish(result ?? NETWORK, false); }
}
