// The smaller network filters as workers install them.
import type { TokenBucketPlan } from '../net/shared-limits.ts';

export interface DirectResponsePlan { readonly body: Uint8Array }

/** A runtime switch; '' : no key. */
export interface RuntimeFlagPlan { readonly key: string; readonly on: boolean }

export interface ConnectionLimitPlan { readonly statPrefix: string; readonly maxConnections: number; readonly delayMs: number; readonly enabled: RuntimeFlagPlan }

export interface ConnectionRateLimitPlan { readonly statPrefix: string; readonly bucket: TokenBucketPlan; /** Filters with the same key share one bucket; '' : the filter's own. */ readonly shareKey: string; readonly enabled: RuntimeFlagPlan }
