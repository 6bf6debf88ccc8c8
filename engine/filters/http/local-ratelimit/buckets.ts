// The token buckets of one local rate limit: the default one and those of descriptors, shared by all workers, or a set for each downstream connection.
import { TokenBucket, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { Descriptor } from '../../../http/rate-limit/rate-limits.ts';
import type { ConnectionFacts } from '../../../observe/stream-facts.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';

/** What became of a request: `left` tokens of the bucket that decided (negative: missing). */
export interface RateDecision { readonly allowed: boolean; readonly bucket: TokenBucket | null; readonly left: number }
const FREE: RateDecision = { allowed: true, bucket: null, left: 0 };

interface Limited { readonly bucket: TokenBucket; readonly shadow: boolean }
interface Set { readonly fallback: TokenBucket | null; readonly byDescriptor: ReadonlyMap<string, Limited> }

/** Entries in any order are the same descriptor. */
const keyOf = (d: Descriptor): string => JSON.stringify([...d].sort((a, b) => (a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]) ? -1 : 1)));

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
    let last = FREE, matched = false;
    if (descriptors.length > 0) {
      const found = descriptors.map((d) => byDescriptor.get(keyOf(d))).filter((x) => x !== undefined).sort((a, b) => rate(a.bucket) - rate(b.bucket));
      for (const { bucket, shadow } of found) {
        matched = true;
        const left = bucket.left(1, wallMs);
        if (left < 0 && !shadow) return { allowed: false, bucket, left };
        last = { allowed: true, bucket, left: Math.max(0, left) };
      }
    }
    if (fallback === null || (matched && !this.plan.alwaysDefault)) return last;
    const left = fallback.left(1, wallMs);
    return left < 0 || !matched ? { allowed: left >= 0, bucket: fallback, left } : last;
  }
}

const rate = (b: TokenBucket): number => b.plan.tokensPerFill / b.plan.fillIntervalMs;
