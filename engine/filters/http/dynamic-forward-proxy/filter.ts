// The dynamic_forward_proxy filter (Envoy): before a request goes to a dynamic forward proxy cluster, the host that it names is resolved; the request waits for that.
import type { RequestHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { parseIp } from '../../../net/cidr.ts';
import type { DnsAnswer, DnsCaches, DnsWaiter } from '../../../upstream/dns-caches.ts';
import { nameOf } from '../../../upstream/kinds/dynamic-forward.ts';
import type { ClusterDirectory } from '../../../upstream/upstream.ts';
import { unresolved } from './failures.ts';
import type { DynamicForwardPlan, HostRewritePlan } from '../../../plan/dynamic-forward-plan.ts';

const CACHE_FULL = new LocalReply(503, 'DNS cache overflow', 'dns_cache_overflow');
const PENDING = new LocalReply(503, 'Dynamic forward proxy pending request overflow', 'dynamic_forward_proxy_pending_request_overflow');

export interface DynamicForwardParts { readonly clusters: ClusterDirectory; readonly dns: DnsCaches }

export class DynamicForwardProxyFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  readonly plan: DynamicForwardPlan;
  readonly parts: DynamicForwardParts;
  constructor(name: string, index: number, plan: DynamicForwardPlan, parts: DynamicForwardParts) { this.name = name; this.index = index; this.plan = plan; this.parts = parts; }
  create(s: StreamView): HttpFilter { return new DynamicForwardProxy(s, this); }
}

class DynamicForwardProxy implements HttpFilter, DnsWaiter {
  private readonly s: StreamView;
  private readonly factory: DynamicForwardProxyFactory;
  private waitsFor = '';
  private cache = '';
  private ownName = true;
  constructor(s: StreamView, factory: DynamicForwardProxyFactory) { this.s = s; this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const { parts, plan, index } = this.factory, { route } = s;
    const cluster = route === null ? null : parts.clusters.get(route.clusterName(headers));
    if (cluster === null || cluster.dnsCache === null) return 'next';
    const rewrite = s.routeConfig(index) as HostRewritePlan | undefined;
    if (rewrite !== undefined) { const to = rewrite.literal !== '' ? rewrite.literal : headers.get(rewrite.header) ?? ''; if (to !== '') headers.authority = to; }
    const given = plan.fromFilterState ? s.facts.filterState?.get('envoy.upstream.dynamic_host') : undefined;
    const name = nameOf(typeof given === 'string' && given !== '' ? given : headers.authority);
    if (parseIp(name) !== null) return 'next';
    this.cache = cluster.dnsCache;
    this.ownName = cluster.dnsOwnName;
    const answer = parts.dns.resolve(this.cache, name, this);
    if (answer === 'overflow') return PENDING;
    if (answer === 'waiting') { this.waitsFor = name; return 'hold'; }
    return verdict(answer, this.ownName);
  }

  onResolved(answer: DnsAnswer): void {
    this.waitsFor = '';
    const v = verdict(answer, this.ownName);
    if (v instanceof LocalReply) this.s.reply(this, v); else this.s.resume(this);
  }

  onEnd(): void { if (this.waitsFor !== '') this.factory.parts.dns.cancel(this.cache, this.waitsFor, this); }
}

function verdict(answer: DnsAnswer, ownName: boolean): 'next' | LocalReply { return answer.error === 'overflow' ? CACHE_FULL : answer.addresses.length === 0 ? unresolved(answer.error, ownName) : 'next'; }
