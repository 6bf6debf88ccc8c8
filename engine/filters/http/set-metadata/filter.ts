// The set_metadata filter (Envoy: SetMetadataFilter): fixed dynamic metadata for every request.
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { MetadataValue, StreamFacts } from '../../../observe/stream-facts.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { SetMetadataPlan } from '../../../plan/http-filter-plans.ts';

type Fields = { [key: string]: MetadataValue };

/** Envoy's StructUtil::update: structs are merged, lists joined, everything else is replaced. */
export function updated(have: MetadataValue | undefined, value: MetadataValue): MetadataValue {
  if (Array.isArray(value)) return Array.isArray(have) ? [...have as MetadataValue[], ...value as MetadataValue[]] : value;
  if (value === null || typeof value !== 'object') return value;
  const out: Fields = have !== null && typeof have === 'object' && !Array.isArray(have) ? { ...have as Fields } : {};
  for (const [k, v] of Object.entries(value as Fields)) out[k] = updated(out[k], v);
  return out;
}

export class SetMetadataFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly plan: SetMetadataPlan;
  private readonly column: Float64Array;
  private readonly denied: number;
  constructor(name: string, plan: SetMetadataPlan, stats: StatStore, statPrefix: string) {
    this.name = name; this.plan = plan; this.column = stats.column;
    this.denied = stats.claimOne(`${statPrefix}.set_metadata.overwrite_denied`, 'counter');
  }
  create(): HttpFilter { return this; }

  onRequestHeaders(s: StreamView): Verdict {
    for (const e of this.plan.entries) this.set(s.facts, e);
    return 'next';
  }
  private set(facts: StreamFacts, { namespace, overwrite, value }: SetMetadataPlan['entries'][number]): void {
    const have = facts.metadata?.get(namespace);
    if (have !== undefined && !overwrite) { this.column[this.denied]!++; return; }
    (facts.metadata ??= new Map()).set(namespace, updated(have, value) as Fields);
  }
}
