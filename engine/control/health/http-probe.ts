// HTTP health check: one request over a connection that is kept where the host lets it (Envoy: HttpHealthCheckerImpl).
import type { ClientStream } from '../../codec/codec.ts';
import type { Headers, ResponseHeaders } from '../../headers/headers.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import type { HttpCheckPlan, StatusRange } from '../../plan/health-plan.ts';
import { BlockSearch } from './block-search.ts';
import { ExchangeProbe, type ExchangeProbeEnv } from './exchange-probe.ts';
import type { ProbeResult, ProbeTarget } from './probe.ts';

const inside = (status: number, ranges: readonly StatusRange[]): boolean => ranges.some((r) => status >= r.from && status < r.to);

export class HttpProbe extends ExchangeProbe {
  private readonly plan: HttpCheckPlan;
  private readonly serviceName: StringMatcher | null;
  private readonly search: BlockSearch;
  private response: ResponseHeaders | null = null;

  constructor(plan: HttpCheckPlan, target: ProbeTarget, env: ExchangeProbeEnv) {
    super(target, env, plan.headers);
    this.plan = plan;
    this.serviceName = plan.serviceName === null ? null : makeStringMatcher(plan.serviceName);
    this.search = new BlockSearch(plan.receive, plan.responseBufferBytes);
  }

  protected clear(): void { this.response = null; this.search.clear(); }

  protected send(stream: ClientStream): void {
    const { plan } = this, h = this.head(plan.method, plan.path, plan.host);
    h.add('user-agent', 'Envoy/HC');
    if (plan.send !== null) h.set('content-length', String(plan.send.length));
    stream.headers(this.mutated(h, stream), plan.send === null);
    if (plan.send !== null) stream.data(plan.send, 0, plan.send.length, true);
  }

  private judge(r: ResponseHeaders): ProbeResult {
    const { plan } = this, { status } = r;
    if (!inside(status, plan.expected)) return { ok: false, type: 'ACTIVE', retriable: inside(status, plan.retriable), status };
    if (plan.receive.length > 0 && !this.search.found) return { ok: false, type: 'ACTIVE', retriable: false, status };
    if (this.serviceName !== null && !this.serviceName.matches(r.get('x-envoy-upstream-healthchecked-cluster') ?? '')) return { ok: false, type: 'ACTIVE', retriable: false, wrongCluster: true, status };
    return { ok: true, degraded: r.has('x-envoy-degraded') };
  }
  private complete(): void { if (this.response !== null) this.result = this.judge(this.response); }

  // ResponseSink
  onHeaders(headers: ResponseHeaders, end: boolean): void { this.response = headers; if (end) this.complete(); }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.search.add(bytes, start, end); if (last) this.complete(); }
  onTrailers(_trailers: Headers): void { this.complete(); }
}
