// The token buckets of one local rate limit: the default one and those of descriptors, shared by all workers, or a set for each downstream connection.
import { TokenBucket, type ProcessLimits } from '../../../net/shared-limits.ts';
import { DynamicBuckets } from './dynamic-buckets.ts';
import type { Descriptor } from '../../../http/rate-limit/rate-limits.ts';
import type { ConnectionFacts } from '../../../observe/stream-facts.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';

/** What became of a request, and the bucket that decided. `tells`: whether answers tell of it, null: as the filter says. `shadowed`: it passes though its descriptor had no tokens. */
export interface RateDecision { readonly allowed: boolean; readonly shadowed?: true; readonly bucket: TokenBucket | null; readonly tells: boolean | null }
const FREE: RateDecision = { allowed: true, bucket: null, tells: null };
/** What a request takes of the default bucket. */
const ONE: Descriptor = { entries: [], hits: 1, refill: false, tells: null };

interface Limited { readonly bucket: TokenBucket; readonly shadow: boolean }
interface Set { readonly fallback: TokenBucket | null; readonly byDescriptor: ReadonlyMap<string, Limited>; readonly dynamic: readonly DynamicBuckets[] }
/** A request's descriptor with the bucket that it takes from. */
interface Found extends Limited { readonly d: Descriptor }

/** Entries are compared in order. */
const keyOf = (entries: Descriptor['entries']): string => JSON.stringify(entries);

export class RateBuckets {
  private readonly plan: LocalRateLimitPlan;
  private readonly shared: Set | null;
  private readonly own = new WeakMap<ConnectionFacts, Set>();

  constructor(plan: LocalRateLimitPlan, limits: ProcessLimits) { this.plan = plan; this.shared = plan.perConnection ? null : this.make(limits); }

  private make(limits: ProcessLimits | null): Set {
    const { plan } = this, byDescriptor = new Map<string, Limited>(), dynamic: DynamicBuckets[] = [];
    for (const d of plan.descriptors) {
      const key = keyOf(d.entries), name = `http ${plan.key} ${key}`;
      if (d.entries.some(([, value]) => value === '')) dynamic.push(new DynamicBuckets(d, plan.maxDynamic, limits, name)); else byDescriptor.set(key, { bucket: new TokenBucket(d.bucket, limits, name), shadow: d.shadow });
    }
    return { fallback: plan.bucket === null ? null : new TokenBucket(plan.bucket, limits, `http ${plan.key}`), byDescriptor, dynamic };
  }

  private setOf(connection: ConnectionFacts): Set {
    if (this.shared !== null) return this.shared;
    let s = this.own.get(connection);
    if (s === undefined) { s = this.make(null); this.own.set(connection, s); }
    return s;
  }

  get hasDescriptors(): boolean { return this.plan.descriptors.length > 0; }

  /** Takes tokens for a request: the slowest bucket of its descriptors first, then the default one. `share`: so many proxies share what the buckets give, each takes as many times. */
  take(connection: ConnectionFacts, descriptors: readonly Descriptor[], wallMs: number, share = 1): RateDecision {
    const set = this.setOf(connection), { fallback } = set;
    let first: RateDecision | null = null;
    if (descriptors.length > 0) {
      for (const { d, bucket, shadow } of find(set, descriptors)) {
        const made = takeFrom(bucket, d, wallMs, share);
        if (!made.allowed && !shadow) return made;
        first ??= made.allowed ? made : { ...made, allowed: true, shadowed: true };
      }
    }
    if (fallback === null || (first !== null && !this.plan.alwaysDefault)) return first ?? FREE;
    const made = takeFrom(fallback, ONE, wallMs, share);
    return made.allowed && first !== null ? first : made;
  }
}

/** The slowest bucket first. One that is named with all values goes before those of any value. */
function find({ byDescriptor, dynamic }: Set, descriptors: readonly Descriptor[]): Found[] {
  const found: Found[] = [];
  for (const d of descriptors) {
    const key = keyOf(d.entries), limited = byDescriptor.get(key), any = limited === undefined ? dynamic.find((x) => x.matches(d.entries)) : undefined;
    if (limited !== undefined) found.push({ d, ...limited }); else if (any !== undefined) found.push({ d, bucket: any.bucket(key), shadow: any.shadow });
  }
  return found.length > 1 ? found.sort((a, b) => rate(a.bucket) - rate(b.bucket)) : found;
}

/** A descriptor's tokens of its bucket. A request that takes none is refused, as in Envoy. */
function takeFrom(bucket: TokenBucket, d: Descriptor, wallMs: number, share: number): RateDecision {
  if (d.refill) { bucket.give(d.hits, wallMs); return { allowed: true, bucket, tells: d.tells }; }
  return { allowed: bucket.take(d.hits * share, wallMs) && d.hits > 0, bucket, tells: d.tells };
}

const rate = (b: TokenBucket): number => b.plan.tokensPerFill / b.plan.fillIntervalMs;
