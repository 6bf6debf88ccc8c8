// Names to addresses for clusters: /etc/hosts and the system's resolver (getaddrinfo) for what must work everywhere, DNS queries where their TTL is wanted or
// resolvers are named. Control thread; promises are fine here. Never rejects: a failure is a value.
import { lookup, Resolver } from 'node:dns';
import type { DnsPlan } from '../../upstream/dns-config.ts';

export type Resolution = { readonly ok: true; readonly addresses: readonly string[]; /** Smallest TTL in ms, -1 unknown. */ readonly ttlMs: number } | { readonly ok: false; readonly error: string; /** The name is known not to exist, or has no addresses. */ readonly empty: boolean };

export interface NameResolver { resolve(name: string, plan: DnsPlan): Promise<Resolution> }

const family = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4);

/** Addresses of the families that a cluster wants (Envoy: dns_lookup_family). */
export function chooseFamilies(all: readonly string[], plan: DnsPlan): string[] {
  const v4 = all.filter((a) => family(a) === 4), v6 = all.filter((a) => family(a) === 6);
  switch (plan.family) {
    case 'V4_ONLY': return v4;
    case 'V6_ONLY': return v6;
    case 'ALL': return [...v6, ...v4];
    case 'V4_PREFERRED': return v4.length > 0 ? v4 : v6;
    case 'AUTO': return v6.length > 0 ? v6 : v4;
  }
}

/** Stats of Envoy's resolver (prefix 'dns.cares'): there from the first name on. */
const COUNTERS = ['get_addr_failure', 'not_found', 'reinits', 'resolve_total', 'timeouts'] as const;
export type ResolverStat = (name: string, kind: 'counter' | 'gauge', change: { readonly add?: number }) => void;

export class SystemResolver implements NameResolver {
  private readonly named = new Map<string, Resolver>();
  private readonly stat: ResolverStat;
  private counting = false;
  constructor(stat: ResolverStat = () => undefined) { this.stat = stat; }

  async resolve(name: string, plan: DnsPlan): Promise<Resolution> {
    if (!this.counting) { this.counting = true; for (const c of COUNTERS) this.stat(`dns.cares.${c}`, 'counter', { add: 0 }); }
    this.stat('dns.cares.resolve_total', 'counter', { add: 1 });
    this.stat('dns.cares.pending_resolutions', 'gauge', { add: 1 });
    const found = await this.find(name, plan);
    this.stat('dns.cares.pending_resolutions', 'gauge', { add: -1 });
    if (!found.ok) this.stat(`dns.cares.${found.empty ? 'not_found' : /ETIMEOUT|EAI_AGAIN/.test(found.error) ? 'timeouts' : 'get_addr_failure'}`, 'counter', { add: 1 });
    return found;
  }

  private async find(name: string, plan: DnsPlan): Promise<Resolution> {
    if (plan.resolvers.length > 0 || (plan.respectTtl && name.includes('.'))) {
      const asked = await this.query(name, plan);
      if (asked.ok || plan.resolvers.length > 0) return asked;
    }
    return this.system(name, plan);
  }

  private system(name: string, plan: DnsPlan): Promise<Resolution> {
    return new Promise((done) => lookup(name, { all: true, verbatim: true }, (error, list) => {
      if (error) { done({ ok: false, error: error.code ?? error.message, empty: error.code === 'ENOTFOUND' }); return; }
      const addresses = [...new Set(chooseFamilies(list.map((a) => a.address), plan))];
      done(addresses.length > 0 ? { ok: true, addresses, ttlMs: -1 } : { ok: false, error: 'no addresses of the wanted family', empty: true });
    }));
  }

  private async query(name: string, plan: DnsPlan): Promise<Resolution> {
    const key = plan.resolvers.join(',');
    let resolver = this.named.get(key);
    if (resolver === undefined) { resolver = new Resolver({ timeout: 2000, tries: 3 }); if (plan.resolvers.length > 0) resolver.setServers([...plan.resolvers]); this.named.set(key, resolver); }
    const ask = (six: boolean): Promise<{ address: string; ttl: number }[] | string> => new Promise((done) => {
      const answer = (error: NodeJS.ErrnoException | null, list: { address: string; ttl: number }[]): void => done(error ? error.code ?? error.message : list);
      if (six) resolver.resolve6(name, { ttl: true }, answer); else resolver.resolve4(name, { ttl: true }, answer);
    });
    const [v4, v6] = await Promise.all([plan.family === 'V6_ONLY' ? [] : ask(false), plan.family === 'V4_ONLY' ? [] : ask(true)]);
    const records = [v4, v6].flatMap((r) => (typeof r === 'string' ? [] : r));
    const addresses = [...new Set(chooseFamilies(records.map((r) => r.address), plan))];
    if (addresses.length > 0) return { ok: true, addresses, ttlMs: 1000 * Math.min(...records.map((r) => r.ttl)) };
    const error = [v4, v6].find((r) => typeof r === 'string');
    return { ok: false, error: typeof error === 'string' ? error : 'ENODATA', empty: error === undefined || error === 'ENODATA' || error === 'ENOTFOUND' };
  }
}
