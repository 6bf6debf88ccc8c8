// Consistent hashing on a ring (Envoy: RING_HASH, ketama): the same key to the same host, in every worker and every run, placed exactly as Envoy places it.
import { hashed, xxHash64 } from '../../base/xxhash64.ts';
import { murmurHash2 } from '../../base/murmur-hash2.ts';
import type { Host } from '../upstream.ts';
import type { HashWeight } from './hash-weights.ts';
import type { HashTable } from './hash-picker.ts';

/** For the ring_hash_lb.* gauges: places in all, and of the host with the fewest and with the most. */
export interface RingFacts { readonly size: number; readonly least: number; readonly most: number }

type RingPlan = { readonly minRing: number; readonly maxRing: number; readonly murmur: boolean };

/** Tells how many places each host gets; the lightest one gets a whole number, running sums let the others keep their shares where those are not whole. */
function eachShare(weights: readonly HashWeight[], plan: RingPlan, each: (w: HashWeight, places: number) => void): number {
  const least = weights.reduce((n, w) => Math.min(n, w.weight), 1);
  const scale = Math.min(Math.ceil(least * plan.minRing) / least, plan.maxRing);
  let current = 0, target = 0;
  for (const w of weights) { target += scale * w.weight; let i = 0; for (; current < target; current++) i++; each(w, i); }
  return Math.ceil(scale);
}

/** Null without hosts. */
export function ringFacts(weights: readonly HashWeight[], plan: RingPlan): RingFacts | null {
  if (weights.length === 0) return null;
  let least = Infinity, most = 0;
  const size = eachShare(weights, plan, (_, n) => { least = Math.min(least, n); most = Math.max(most, n); });
  return { size, least: Math.min(least, size), most };
}

export class RingHash implements HashTable {
  private readonly highs: Uint32Array; private readonly lows: Uint32Array; private readonly hosts: readonly Host[];

  constructor(weights: readonly HashWeight[], plan: RingPlan) {
    const hash = plan.murmur ? murmurHash2 : xxHash64;
    const entries: { readonly high: number; readonly low: number; readonly host: Host }[] = [];
    eachShare(weights, plan, ({ host, key }, places) => { for (let i = 0; i < places; i++) { hash(`${key}_${i}`); entries.push({ high: hashed.high, low: hashed.low, host }); } });
    entries.sort((a, b) => a.high - b.high || a.low - b.low);
    this.highs = Uint32Array.from(entries, (e) => e.high);
    this.lows = Uint32Array.from(entries, (e) => e.low);
    this.hosts = entries.map((e) => e.host);
  }

  at(high: number, low: number, attempt: number): Host | null {
    const n = this.hosts.length;
    if (n === 0) return null;
    let from = 0, to = n;
    while (from < to) { const mid = (from + to) >> 1; if (this.highs[mid]! < high || (this.highs[mid] === high && this.lows[mid]! < low)) from = mid + 1; else to = mid; }
    return this.hosts[(from === n ? attempt : from + attempt) % n]!;
  }
}
