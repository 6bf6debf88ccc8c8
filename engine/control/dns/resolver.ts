// Names to addresses for clusters: /etc/hosts and the system's resolver (getaddrinfo) for what must work everywhere, DNS queries where their TTL is wanted or
// resolvers are named. Control thread; promises are fine here. Never rejects: a failure is a value.
import { getServers, lookup, Resolver } from 'node:dns';
import { networkInterfaces } from 'node:os';
import type { DnsPlan, DnsServersPlan } from '../../upstream/dns-config.ts';

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

/** What a machine has: its DNS servers (127.0.0.1 alone stands for none), and families that some interface but the loopback has an address of. */
export interface DnsMachine { servers(): readonly string[]; families(): { readonly v4: boolean; readonly v6: boolean }; nowMs(): number }

function families(): { readonly v4: boolean; readonly v6: boolean } {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter((i) => !i.internal);
  return { v4: all.some((i) => i.family === 'IPv4'), v6: all.some((i) => i.family === 'IPv6') };
}
/** This machine. */
export function thisMachine(nowMs: () => number): DnsMachine { return { servers: getServers, families, nowMs }; }

/** The servers to ask in their order, for the `turn`-th query; none: the system's, as they are. */
export function serverOrder(plan: DnsServersPlan, system: readonly string[], turn: number): readonly string[] {
  const none = system.length === 0 || (system.length === 1 && system[0] === '127.0.0.1'), list = plan.named.length > 0 && !(plan.asFallback && !none) ? plan.named : plan.rotate ? system : [];
  if (!plan.rotate || list.length < 2) return list;
  const first = turn % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

interface Channel { readonly resolver: Resolver; readonly madeMs: number }

/** Stats of Envoy's resolver (prefix 'dns.cares'): there from the first name on. */
const COUNTERS = ['get_addr_failure', 'not_found', 'reinits', 'resolve_total', 'timeouts'] as const;
export type ResolverStat = (name: string, kind: 'counter' | 'gauge', change: { readonly add?: number }) => void;

export class SystemResolver implements NameResolver {
  private readonly machine: DnsMachine;
  private readonly channels = new Map<string, Channel>();
  private turn = 0;
  private readonly stat: ResolverStat;
  private counting = false;
  constructor(machine: DnsMachine, stat: ResolverStat = () => undefined) { this.machine = machine; this.stat = stat; }

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
    const named = plan.servers.named.length > 0;
    if (named || (plan.respectTtl && name.includes('.'))) {
      const asked = await this.query(name, plan);
      if (asked.ok || named) return asked;
    }
    return this.system(name, plan);
  }

  private chosen(all: readonly string[], plan: DnsPlan): string[] {
    let list = all;
    if (plan.servers.routableOnly) { const has = this.machine.families(); list = all.filter((a) => (family(a) === 6 ? has.v6 : has.v4)); }
    return [...new Set(chooseFamilies(list, plan))];
  }

  /** The sockets for a query, by what is asked of whom; `forget`: they are made anew for the next. */
  private channel(plan: DnsServersPlan): { readonly resolver: Resolver; forget(): void } {
    const servers = serverOrder(plan, this.machine.servers(), this.turn++), key = `${servers.join(',')} ${plan.timeoutMs} ${plan.tries}`, now = this.machine.nowMs();
    let channel = this.channels.get(key);
    if (channel === undefined || (plan.maxAgeMs > 0 && now - channel.madeMs >= plan.maxAgeMs)) {
      channel = { resolver: new Resolver({ timeout: plan.timeoutMs < 0 ? 2000 : plan.timeoutMs, tries: plan.tries < 0 ? 3 : plan.tries }), madeMs: now };
      if (servers.length > 0) channel.resolver.setServers([...servers]);
      this.channels.set(key, channel);
    }
    return { resolver: channel.resolver, forget: () => { if (this.channels.delete(key)) this.stat('dns.cares.reinits', 'counter', { add: 1 }); } };
  }

  private system(name: string, plan: DnsPlan): Promise<Resolution> {
    return new Promise((done) => lookup(name, { all: true, verbatim: true }, (error, list) => {
      if (error) { done({ ok: false, error: error.code ?? error.message, empty: error.code === 'ENOTFOUND' }); return; }
      const addresses = this.chosen(list.map((a) => a.address), plan);
      done(addresses.length > 0 ? { ok: true, addresses, ttlMs: -1 } : { ok: false, error: 'no addresses of the wanted family', empty: true });
    }));
  }

  private async query(name: string, plan: DnsPlan): Promise<Resolution> {
    const { resolver, forget } = this.channel(plan.servers);
    const ask = (six: boolean): Promise<{ address: string; ttl: number }[] | string> => new Promise((done) => {
      const answer = (error: NodeJS.ErrnoException | null, list: { address: string; ttl: number }[]): void => done(error ? error.code ?? error.message : list);
      if (six) resolver.resolve6(name, { ttl: true }, answer); else resolver.resolve4(name, { ttl: true }, answer);
    });
    const [v4, v6] = await Promise.all([plan.family === 'V6_ONLY' ? [] : ask(false), plan.family === 'V4_ONLY' ? [] : ask(true)]);
    const records = [v4, v6].flatMap((r) => (typeof r === 'string' ? [] : r));
    if (plan.servers.renewOnTimeout && (v4 === 'ETIMEOUT' || v6 === 'ETIMEOUT')) forget();
    const addresses = this.chosen(records.map((r) => r.address), plan);
    if (addresses.length > 0) return { ok: true, addresses, ttlMs: 1000 * Math.min(...records.map((r) => r.ttl)) };
    const error = [v4, v6].find((r) => typeof r === 'string');
    return { ok: false, error: typeof error === 'string' ? error : 'ENODATA', empty: error === undefined || error === 'ENODATA' || error === 'ENOTFOUND' };
  }
}
