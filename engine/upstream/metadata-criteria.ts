// What a route asks of the metadata of an upstream host ('envoy.lb'), sorted by key (Envoy: Router::MetadataMatchCriteria). A route's own is made when its plan is
// installed; one object stays one object, so that balancers may remember what they found for it.
import type { MetadataValue } from '../observe/stream-facts.ts';

type Fields = { readonly [key: string]: MetadataValue };

/** A value as text that is equal for equal values. */
export function valueKey(v: MetadataValue): string {
  if (v === null || typeof v !== 'object') return JSON.stringify(v);
  if (Array.isArray(v)) return `[${(v as readonly MetadataValue[]).map(valueKey).join(',')}]`;
  const o = v as Fields;
  return `{${Object.keys(o).sort().map((k) => `${JSON.stringify(k)}:${valueKey(o[k]!)}`).join(',')}}`;
}

export class MetadataCriteria {
  readonly names: readonly string[];
  readonly values: readonly MetadataValue[];
  /** The names, and names with values, as one text each. */
  readonly namesKey: string;
  readonly key: string;

  private constructor(names: readonly string[], values: readonly MetadataValue[]) {
    this.names = names; this.values = values;
    this.namesKey = names.join('\0');
    this.key = names.map((n, i) => `${n}=${valueKey(values[i]!)}`).join('\0');
  }

  static of(fields: Fields): MetadataCriteria { const names = Object.keys(fields).sort(); return new MetadataCriteria(names, names.map((n) => fields[n]!)); }

  /** These with `fields` in addition; theirs win. */
  merged(fields: Fields): MetadataCriteria {
    const all: Record<string, MetadataValue> = {};
    this.names.forEach((n, i) => { all[n] = this.values[i]!; });
    return MetadataCriteria.of(Object.assign(all, fields));
  }

  /** Those of them whose names are in `keep`; null: none. */
  only(keep: readonly string[]): MetadataCriteria | null {
    const at = this.names.map((_, i) => i).filter((i) => keep.includes(this.names[i]!));
    return at.length === 0 ? null : new MetadataCriteria(at.map((i) => this.names[i]!), at.map((i) => this.values[i]!));
  }

  get(name: string): MetadataValue | undefined { const i = this.names.indexOf(name); return i < 0 ? undefined : this.values[i]; }
}
