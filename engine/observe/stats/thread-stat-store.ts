// One thread's stat store: a column of Float64 in shared memory, written with plain adds by this thread alone. Slots are handed out in order; each claim is
// reported once, so that control can read the column by name. The memory is reserved whole and its pages come to life as slots are used.
import { HISTOGRAM_DIRECTORY, type StatKind, type StatSchema, type StatStore } from './stat-block.ts';

/** What control is told of a claim. */
export type StatClaim =
  | { readonly kind: 'stat-block'; readonly schema: number; readonly prefix: string; readonly base: number }
  | { readonly kind: 'stat'; readonly name: string; readonly statKind: StatKind; readonly slot: number }
  | { readonly kind: 'histogram'; readonly name: string; readonly base: number };

/** Slots of one column: 32 MiB of address space. */
export const COLUMN_SLOTS = 1 << 22;

export class ThreadStatStore implements StatStore {
  readonly column: Float64Array;
  private next = 1; // slot 0 takes what finds no room, and is never read
  /** First slot by key: '+NAME' counter, '=NAME' gauge, '~NAME' histogram, 'SCHEMA:PREFIX' block. */
  private readonly bases = new Map<string, number>();
  private readonly report: (claim: StatClaim) => void;

  constructor(memory: SharedArrayBuffer, report: (claim: StatClaim) => void) {
    this.column = new Float64Array(memory);
    this.report = report;
  }

  /** Slots handed out. */
  get used(): number { return this.next; }

  claim(schema: StatSchema, prefix: string): number {
    return this.once(`${schema.id}:${prefix}`, schema.names.length);
  }

  claimOne(name: string, kind: 'counter' | 'gauge'): number {
    return this.once(kind === 'counter' ? `+${name}` : `=${name}`, 1);
  }

  claimHistogram(name: string): number {
    return this.once(`~${name}`, HISTOGRAM_DIRECTORY);
  }

  extend(slots: number): number {
    if (this.next + slots > this.column.length) return 0;
    const base = this.next;
    this.next += slots;
    return base;
  }

  /** Reports every claim again, for a reader that knows of none. */
  replay(): void { for (const [key, base] of this.bases) this.report(claimOf(key, base)); }

  private once(key: string, slots: number): number {
    let base = this.bases.get(key);
    if (base !== undefined) return base;
    if (this.next + slots > this.column.length) return 0;
    base = this.next;
    this.next += slots;
    this.bases.set(key, base);
    this.report(claimOf(key, base));
    return base;
  }
}

function claimOf(key: string, base: number): StatClaim {
  const name = key.slice(1);
  switch (key[0]) {
    case '+': return { kind: 'stat', name, statKind: 'counter', slot: base };
    case '=': return { kind: 'stat', name, statKind: 'gauge', slot: base };
    case '~': return { kind: 'histogram', name, base };
    default: { const colon = key.indexOf(':'); return { kind: 'stat-block', schema: Number(key.slice(0, colon)), prefix: key.slice(colon + 1), base }; }
  }
}
