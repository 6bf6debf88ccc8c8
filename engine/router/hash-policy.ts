// Hash policies of a route (Envoy: RouteAction.HashPolicy): the hash that ring hash and maglev place a request by. Combined as Envoy does: rotate left by one, xor.
import { hashed, xxHash64 } from '../base/xxhash64.ts';
import { cookieTail, cookieValue } from '../headers/cookies.ts';
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { HashPolicyPlan } from '../plan/route-plan.ts';
import { firstValue } from './match/route-matcher.ts';
import { RegexRewrite } from './rewrite.ts';

/** What came of the policies: a hash, and cookies to be set in the response. */
export interface HashResult { has: boolean; high: number; low: number; cookies: string[] | null }

export class HashPolicies {
  private readonly policies: readonly { readonly plan: HashPolicyPlan; readonly rewrite: RegexRewrite | null }[];
  constructor(plans: readonly HashPolicyPlan[]) { this.policies = plans.map((p) => ({ plan: p, rewrite: p.kind === 'header' && p.rewrite !== null ? new RegexRewrite(p.rewrite) : null })); }

  /** `setsCookies` false: a cookie that is missing has no hash, and none is set. */
  compute(headers: RequestHeaders, facts: StreamFacts, out: HashResult, setsCookies = true): void {
    out.has = false;
    out.high = out.low = 0;
    out.cookies = null;
    for (const { plan, rewrite } of this.policies) {
      if (!this.one(plan, rewrite, headers, facts, out, setsCookies)) continue;
      if (out.has) { const h = ((out.high << 1) | (out.low >>> 31)) >>> 0, l = ((out.low << 1) | (out.high >>> 31)) >>> 0; out.high = (h ^ hashed.high) >>> 0; out.low = (l ^ hashed.low) >>> 0; } else { out.high = hashed.high; out.low = hashed.low; }
      out.has = true;
      if (plan.terminal) return;
    }
  }

  /** Leaves the policy's hash in `hashed`; false: it has none. */
  private one(plan: HashPolicyPlan, rewrite: RegexRewrite | null, headers: RequestHeaders, facts: StreamFacts, out: HashResult, setsCookies: boolean): boolean {
    switch (plan.kind) {
      case 'header': {
        const values = headers.getAll(plan.name);
        if (values.length === 0) return false;
        const parts = rewrite === null ? values : values.map((v) => rewrite.apply(v));
        xxHash64(parts.length === 1 ? parts[0]! : [...parts].sort().join(''));
        return true;
      }
      case 'cookie': {
        const value = cookieValue(headers, plan.name);
        if (value !== undefined) { xxHash64(value); return true; }
        if (plan.ttlMs < 0 || !setsCookies) return false;
        xxHash64(`${facts.connection.remoteText}${facts.connection.localText}`);
        const made = hashed.high.toString(16).padStart(8, '0') + hashed.low.toString(16).padStart(8, '0');
        (out.cookies ??= []).push(`${plan.name}="${made}"${cookieTail(plan.ttlMs > 0 ? Math.floor(plan.ttlMs / 1000) : -1, plan.path, plan.attributes)}`);
        xxHash64(made);
        return true;
      }
      case 'source-ip': if (facts.remoteIp === '') return false; xxHash64(facts.remoteIp); return true;
      case 'query': { const q = headers.path.indexOf('?'); const v = q < 0 ? undefined : firstValue(headers.path.slice(q + 1), plan.name); if (v === undefined) return false; xxHash64(v); return true; }
      case 'filter-state': { const v = facts.filterState?.get(plan.key); if (typeof v !== 'string') return false; xxHash64(v); return true; }
    }
  }
}

/** Adds the cookies that hash policies made to a response. */
export function addCookies(headers: ResponseHeaders, cookies: readonly string[] | null): void { if (cookies !== null) for (const c of cookies) headers.add('set-cookie', c); }
