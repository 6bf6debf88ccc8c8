// What consistent hashing starts from: each host's share of 1, by its own weight and, where wanted, its locality's (Envoy: thread_aware_lb_impl, normalizeWeights).
import type { HostSet, WithLocality } from '../host-sets.ts';
import type { Host } from '../upstream.ts';

export interface HashWeight { readonly host: Host; readonly key: string; readonly weight: number }

/** What a host is hashed by: its hash_key metadata, else hostname or address. */
function keyOf(host: Host, byHostname: boolean): string {
  const lb = host.metadata?.['envoy.lb'] as { hash_key?: unknown } | undefined;
  return typeof lb?.hash_key === 'string' && lb.hash_key !== '' ? lb.hash_key : byHostname ? host.hostname : host.text;
}

export function hashWeights(set: HostSet, panic: boolean, byHostname: boolean, localityWeighted: boolean): HashWeight[] {
  const out: HashWeight[] = [];
  const add = (hosts: readonly WithLocality[], share: number): void => {
    const total = hosts.reduce((n, h) => n + h.weight, 0);
    for (const host of hosts) out.push({ host, key: keyOf(host, byHostname), weight: (host.weight * share) / total });
  };
  if (!localityWeighted || !set.weighted) { add(panic ? set.all : set.healthy, 1); return out; }
  const total = set.localities.reduce((n, l) => n + l.weight, 0);
  for (const l of set.localities) if (l.weight > 0) add(panic ? l.all : l.healthy, l.weight / total);
  return out;
}
