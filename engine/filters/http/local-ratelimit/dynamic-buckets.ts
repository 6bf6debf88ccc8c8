// A descriptor with an entry of any value: each of its values has a bucket of its own, up to max_dynamic_descriptors of them; the value that was asked for least recently
// makes room (Envoy: DynamicDescriptor). Shared by all workers where the table of limits has room; else, and for one connection, this worker's own.
import { TokenBucket, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';
import type { Descriptor } from '../../../http/rate-limit/rate-limits.ts';

type DescriptorPlan = LocalRateLimitPlan['descriptors'][number];

export class DynamicBuckets {
  readonly shadow: boolean;
  private readonly plan: DescriptorPlan;
  private readonly most: number;
  private readonly limits: ProcessLimits | null;
  /** Records of the buckets that all workers share; null: they are this worker's own. */
  private readonly set: Int32Array | null;
  private readonly byRecord = new Map<number, TokenBucket>();
  /** This worker's own, in the order of their last use. */
  private readonly own = new Map<string, TokenBucket>();

  constructor(plan: DescriptorPlan, most: number, limits: ProcessLimits | null, name: string) {
    this.plan = plan; this.most = most; this.limits = limits; this.shadow = plan.shadow;
    const set = limits === null ? null : new Int32Array(limits.seats(most));
    for (let i = 0; set !== null && i < set.length; i++) {
      const bucket = new TokenBucket(plan.bucket, limits, `${name} ${i} of ${most}`);
      set[i] = bucket.record;
      this.byRecord.set(bucket.record, bucket);
    }
    this.set = this.byRecord.has(-1) ? null : set;
  }

  matches(entries: Descriptor['entries']): boolean {
    const mine = this.plan.entries;
    if (entries.length !== mine.length) return false;
    for (let i = 0; i < mine.length; i++) if (entries[i]![0] !== mine[i]![0] || (mine[i]![1] !== '' && entries[i]![1] !== mine[i]![1])) return false;
    return true;
  }

  /** `key`: the request's entries. */
  bucket(key: string): TokenBucket {
    const { set, own } = this;
    if (set !== null) return this.byRecord.get(this.limits!.seat(set, key))!;
    const known = own.get(key) ?? new TokenBucket(this.plan.bucket, null, '');
    own.delete(key);
    own.set(key, known);
    if (own.size > this.most) for (const oldest of own.keys()) { own.delete(oldest); break; }
    return known;
  }
}
