// Hosts that a request names itself: by a header or by dynamic metadata (the override_host policy), or through a filter such as stateful_session.
import type { MetadataValue, StreamFacts } from '../../observe/stream-facts.ts';
import type { OverridePlan } from '../../plan/cluster-plan.ts';
import type { Host, PickContext } from '../upstream.ts';

type Fields = { readonly [key: string]: MetadataValue };

function inMetadata(facts: StreamFacts | null, filter: string, path: readonly string[]): string {
  let v: MetadataValue | undefined = facts?.metadata?.get(filter);
  for (const p of path) v = v !== null && typeof v === 'object' && !Array.isArray(v) ? (v as Fields)[p] : undefined;
  return typeof v === 'string' ? v : '';
}

/** The next host of those that the request names and the cluster has; each is used for one attempt only. Null: the policy itself chooses. */
export function overridden(ctx: PickContext, plan: OverridePlan, byAddress: ReadonlyMap<string, Host>): Host | null {
  let at = 0;
  for (const source of plan.sources) {
    const text = source.metadata === null ? ctx.request?.get(source.header) ?? '' : inMetadata(ctx.facts, source.metadata.filter, source.metadata.path);
    for (const part of text.split(',')) {
      const address = part.trim();
      if (address === '' || at++ < ctx.overridesUsed) continue;
      ctx.overridesUsed = at;
      const host = byAddress.get(address);
      if (host !== undefined) return host;
    }
  }
  return null;
}

/** selected_host_key: the address of the chosen host becomes dynamic metadata. */
export function noteSelected(facts: StreamFacts, key: { readonly filter: string; readonly path: readonly string[] }, host: Host): void {
  facts.metadata ??= new Map();
  let at: Record<string, MetadataValue> = facts.metadata.get(key.filter) ?? {};
  facts.metadata.set(key.filter, at);
  for (const p of key.path.slice(0, -1)) {
    const inner = at[p], next: Record<string, MetadataValue> = inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? { ...(inner as Fields) } : {};
    at[p] = next;
    at = next;
  }
  at[key.path[key.path.length - 1]!] = host.text;
}
