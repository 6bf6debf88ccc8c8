// Maglev consistent hashing (Envoy: MAGLEV), filled exactly as Envoy fills its table.
import { hashed, xxHash64 } from '../../base/xxhash64.ts';
import type { Host } from '../upstream.ts';
import type { HashWeight } from './hash-weights.ts';
import type { HashTable } from './hash-picker.ts';

/** A 64-bit word modulo n < 2^24, by parts that stay exact. */
function modulo(high: number, low: number, n: number): number { return ((high % n) * (4294967296 % n) + (low % n)) % n; }

/** Which host takes the next slot, until all are filled: a host skips turns as its weight is below the largest. */
function eachTurn(weights: readonly HashWeight[], size: number, each: (i: number) => void): void {
  const most = weights.reduce((n, w) => Math.max(n, w.weight), 0), target = new Float64Array(weights.length);
  let filled = 0;
  for (let turn = 1; filled < size; turn++) {
    for (let i = 0; i < weights.length && filled < size; i++) {
      if (turn * weights[i]!.weight < target[i]!) continue;
      target[i]! += most;
      each(i);
      filled++;
    }
  }
}

/** For the maglev_lb.* gauges: slots of the host with the fewest and with the most; null without hosts. */
export function maglevFacts(list: readonly HashWeight[], size: number): { readonly least: number; readonly most: number } | null {
  if (list.length === 0) return null;
  if (list.length === 1) return { least: 1, most: 1 }; // Envoy builds no table for one host
  const sorted = inOrder(list), placed = new Uint32Array(sorted.length);
  eachTurn(sorted, size, (i) => { placed[i]!++; });
  return { least: placed.reduce((a, b) => Math.min(a, b)), most: placed.reduce((a, b) => Math.max(a, b)) };
}

/** In the order of their keys, so that the table does not depend on the order of endpoints. */
function inOrder(list: readonly HashWeight[]): HashWeight[] { return [...list].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)); }

export class Maglev implements HashTable {
  private readonly hosts: readonly Host[];
  /** Index of a host for each slot. */
  private readonly slots: Uint32Array;

  constructor(list: readonly HashWeight[], size: number) {
    const sorted = inOrder(list);
    const count = sorted.length;
    this.hosts = sorted.map((w) => w.host);
    this.slots = new Uint32Array(count === 0 ? 0 : size);
    if (count === 0) return;
    const at = new Float64Array(count), skip = new Float64Array(count), taken = new Uint8Array(size);
    sorted.forEach(({ key }, i) => {
      xxHash64(key);
      at[i] = modulo(hashed.high, hashed.low, size);
      xxHash64(key, 0, 1);
      skip[i] = modulo(hashed.high, hashed.low, size - 1) + 1;
    });
    eachTurn(sorted, size, (i) => {
      let c = at[i]!;
      while (taken[c] === 1) c = (c + skip[i]!) % size;
      taken[c] = 1;
      this.slots[c] = i;
      at[i] = (c + skip[i]!) % size;
    });
  }

  at(high: number, low: number, attempt: number): Host | null {
    const size = this.slots.length;
    if (size === 0) return null;
    // Envoy: hash ^= ~0 - attempt + 1 where a further choice is wanted.
    if (attempt > 0) { high = ~high >>> 0; low = (low ^ -attempt) >>> 0; }
    return this.hosts[this.slots[modulo(high, low, size)]!]!;
  }
}
