// Overload action reset_high_memory_stream: ends the streams that hold most bytes. Nothing is counted while streams run: when the action's strength changes, the worker asks
// each HTTP/2 stream what waits on its behalf. One for a worker. Source: Envoy's WatermarkBufferFactory::resetAccountsGivenPressure and BufferFactoryConfig.
import type { Logger } from '../observe/log.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';

/** A stream that holds bytes. */
export interface AccountedStream { /** Ends it; false: it has ended already. */ resetForMemory(): boolean }
/** Who has such streams. */
export interface AccountHolder { collectAccounts(accounts: StreamAccounts): void }

/** Streams are classed by powers of two; the last class has no upper end. */
const CLASSES = 8;
/** More at once would hold the worker up. */
const MOST_RESETS = 50;

export class StreamAccounts {
  private readonly env: { readonly stats: StatStore; readonly log: Logger };
  private readonly slot: number;
  /** Of the pass under way: bytes from which a stream is too large, and those that are. */
  private least = 0;
  private large: { readonly stream: AccountedStream; readonly bytes: number }[] = [];

  constructor(env: { readonly stats: StatStore; readonly log: Logger }) { this.env = env; this.slot = env.stats.claimOne('envoy.overload_actions.reset_high_memory_stream.count', 'counter'); }

  /** Called by holders during a pass. */
  add(stream: AccountedStream, bytes: number): void { if (bytes >= this.least) this.large.push({ stream, bytes }); }

  /**
   * One pass. `pressure`, 0 to 1, says how many classes are cleared, the largest first: one at least, all from 7/8. The first class begins, as Envoy does though its
   * documents say otherwise, at 2^(powerOfTwo - 1) bytes. Returns how many streams were reset.
   */
  relieve(holder: AccountHolder, pressure: number, powerOfTwo: number): number {
    // Envoy's strengths are of single precision: what is 0.5 there is not to be a little less here.
    const cleared = Math.min(CLASSES, Math.floor(Math.fround(pressure) * CLASSES) + 1), first = 2 ** (powerOfTwo - 1);
    this.large = [];
    this.least = first * 2 ** (CLASSES - cleared);
    holder.collectAccounts(this);
    const large = this.large.sort((a, b) => b.bytes - a.bytes);
    this.large = [];
    if (large.length === 0) return 0;
    const classes = new Set(large.map((a) => Math.min(CLASSES - 1, Math.floor(Math.log2(a.bytes / first))))).size;
    let count = 0;
    for (const a of large.slice(0, MOST_RESETS)) if (a.stream.resetForMemory()) count++;
    this.env.stats.column[this.slot]! += count;
    this.env.log.log('misc', 'warning', `resetting ${count} streams in ${classes} buckets, ${cleared - classes} empty buckets`);
    return count;
  }
}
