// Scoped routes (Envoy: ScopedRoutes): the route table is chosen by a key made of parts of the request's headers. Values hold pieces such as 'tenant=one'.
import type { RequestHeaders } from '../headers/headers.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { ScopeFragmentPlan, ScopesPlan } from '../plan/hcm-plan.ts';
import type { Route, RouteTable, RouteTableCell } from './route.ts';

/** The fragment of a key that a request has; null: it has none. */
export function scopeFragment(plan: ScopeFragmentPlan, headers: RequestHeaders): string | null {
  const value = headers.get(plan.header);
  if (value === undefined) return null;
  const elements = plan.separator === '' ? [value] : value.split(plan.separator);
  if (plan.key === null) return elements[plan.index] ?? null;
  for (const e of elements) {
    const at = plan.keySeparator === '' ? -1 : e.indexOf(plan.keySeparator);
    if ((at < 0 ? e : e.slice(0, at)) === plan.key) return at < 0 ? '' : e.slice(at + plan.keySeparator.length);
  }
  return null;
}

const NONE: readonly string[] = [];

export class ScopedRoutes implements RouteTable {
  readonly name: string;
  private readonly fragments: readonly ScopeFragmentPlan[];
  private readonly tables = new Map<string, RouteTableCell>();
  constructor(plan: ScopesPlan, cell: (routesKey: string) => RouteTableCell) {
    this.name = plan.name;
    this.fragments = plan.fragments;
    for (const t of plan.tables) this.tables.set(t.fragments.join('\0'), cell(t.routesKey));
  }

  match(headers: RequestHeaders, facts: StreamFacts, random: number): Route | null { return this.table(headers)?.match(headers, facts, random) ?? null; }
  internalOnly(headers: RequestHeaders): readonly string[] { return this.table(headers)?.internalOnly(headers) ?? NONE; }

  private table(headers: RequestHeaders): RouteTable | null {
    let key = '';
    for (let i = 0; i < this.fragments.length; i++) {
      const part = scopeFragment(this.fragments[i]!, headers);
      if (part === null) return null;
      key += i === 0 ? part : `\0${part}`;
    }
    return this.tables.get(key)?.current ?? null;
  }
}
