// The token buckets of one local rate limit: the default one and those of descriptors, shared by all workers, or a set for each downstream connection.
import { TokenBucket, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { Descriptor } from '../../../http/rate-limit/rate-limits.ts';
import type { ConnectionFacts } from '../../../observe/stream-facts.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';

/** What became of a request: `left` tokens are in the bucket that decided. `tells`: whether answers tell of it, null: as the filter says. `shadowed`: it passes though its descriptor had no tokens. */
export interface RateDecision { readonly allowed: boolean; readonly shadowed?: true; readonly bucket: TokenBucket | null; readonly left: number; readonly tells: boolean | null }
const FREE: RateDecision = { allowed: true, bucket: null, left: 0, tells: null };
/** What a request takes of the default bucket. */
const ONE: Descriptor = { entries: [], hits: 1, refill: false, tells: null };

interface Limited { readonly bucket: TokenBucket; readonly shadow: boolean }
interface Set { readonly fallback: TokenBucket | null; readonly byDescriptor: ReadonlyMap<string, Limited> }

/** Entries are compared in order. */
const keyOf = (entries: Descriptor['entries']): string => JSON.stringify(entries);

export class RateBuckets {
  private readonly plan: LocalRateLimitPlan;
  private readonly shared: Set | null;
  private readonly own = new WeakMap<ConnectionFacts, Set>();

  constructor(plan: LocalRateLimitPlan, limits: ProcessLimits) { this.plan = plan; this.shared = plan.perConnection ? null : this.make(limits); }

  private make(limits: ProcessLimits | null): Set {
    const { plan } = this;
    return { fallback: plan.bucket === null ? null : new TokenBucket(plan.bucket, limits, `http ${plan.key}`), byDescriptor: new Map(plan.descriptors.map((d) => { const key = keyOf(d.entries); return [key, { bucket: new TokenBucket(d.bucket, limits, `http ${plan.key} ${key}`), shadow: d.shadow }] as const; })) };
  }

  private setOf(connection: ConnectionFacts): Set {
    if (this.shared !== null) return this.shared;
    let s = this.own.get(connection);
    if (s === undefined) { s = this.make(null); this.own.set(connection, s); }
    return s;
  }

  get hasDescriptors(): boolean { return this.plan.descriptors.length > 0; }

  /** Takes tokens for a request: the slowest bucket of its descriptors first, then the default one. */
  take(connection: ConnectionFacts, descriptors: readonly Descriptor[], wallMs: number): RateDecision {
    const { fallback, byDescriptor } = this.setOf(connection);
    let first: RateDecision | null = null;
    if (descriptors.length > 0) {
      const found = descriptors.map((d) => ({ d, limited: byDescriptor.get(keyOf(d.entries)) })).filter((x): x is { d: Descriptor; limited: Limited } => x.limited !== undefined).sort((a, b) => rate(a.limited.bucket) - rate(b.limited.bucket));
      for (const { d, limited: { bucket, shadow } } of found) {
        const made = takeFrom(bucket, d, wallMs);
        if (!made.allowed && !shadow) return made;
        first ??= made.allowed ? made : { ...made, allowed: true, shadowed: true };
      }
    }
    if (fallback === null || (first !== null && !this.plan.alwaysDefault)) return first ?? FREE;
    const made = takeFrom(fallback, ONE, wallMs);
    return made.allowed && first !== null ? first : made;
  }
}

/** A descriptor's tokens of its bucket. A request that takes none is refused, as in Envoy. */
function takeFrom(bucket: TokenBucket, d: Descriptor, wallMs: number): RateDecision {
  if (d.refill) return { allowed: true, bucket, left: bucket.give(d.hits, wallMs), tells: d.tells };
  const left = bucket.left(d.hits, wallMs), missing = left < 0;
  return { allowed: !missing && d.hits > 0, bucket, left: missing ? left + d.hits : left, tells: d.tells };
}

const rate = (b: TokenBucket): number => b.plan.tokensPerFill / b.plan.fillIntervalMs;
