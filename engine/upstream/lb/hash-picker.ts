// A consistent-hash table as a picker: the request's hash, or chance where it has none, says which place of the table.
import type { Random } from '../../loop/random.ts';
import type { Host, PickContext } from '../upstream.ts';
import type { BoundedLoad } from './bounded-load.ts';
import type { Picker } from './pickers.ts';

/** A host for a 64-bit hash given as two unsigned words. */
export interface HashTable { at(high: number, low: number, attempt: number): Host | null }

export class HashPicker implements Picker {
  private readonly table: HashTable; private readonly random: Random; private readonly bounded: BoundedLoad | null;
  constructor(table: HashTable, random: Random, bounded: BoundedLoad | null) { this.table = table; this.random = random; this.bounded = bounded; }
  pick(ctx: PickContext, attempt: number): Host | null {
    const high = ctx.hasHash ? ctx.hashHigh : this.random.u32(), low = ctx.hasHash ? ctx.hashLow : this.random.u32();
    const host = this.table.at(high >>> 0, low >>> 0, attempt);
    return host === null || this.bounded === null ? host : this.bounded.choose(host, low >>> 0);
  }
}
