// Walks every field that a configuration can reach, from Bootstrap and through every registered extension, sets each alone in a configuration that is valid without it,
// compiles that, and tells what became of the field. So the table of what is supported is what the compiler does, not what somebody wrote down.
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { COMPILERS } from '../../engine/catalog-config.ts';
import { compileBootstrap } from '../../engine/control/compile/bootstrap.ts';
import type { CompileFlags } from '../../engine/control/compile/resource-compiler.ts';
import type { Report } from '../../engine/proto/config-message.ts';
import { isDeprecated, messageNames, messageType } from '../../engine/proto/registry.ts';
import { EXCLUDES, IDLE_EDGES } from './known-samples.ts';
import { least, samples, wellKnown, type Json } from './samples.ts';

/** implemented: it changes what is compiled. read: it was read and nothing changed (a fault, unless listed). no-op: a warning. refused: an error that names it. */
export type Status = 'implemented' | 'read' | 'no-op' | 'refused' | 'unknown';
export interface FieldStatus { readonly message: string; readonly field: string; readonly status: Status; /** Enum values that are refused, the reason of a no-op, or what was wrong with the sample. */ readonly note: string; /** What an Any may hold. */ readonly types?: readonly string[]; readonly path: string }

/** Puts a message's JSON into a whole bootstrap; `path` is where it stands. */
interface Site { readonly path: string; readonly build: (message: Json) => Json }

const FLAGS: CompileFlags = { serviceNode: 'n', serviceCluster: 'c', serviceZone: '', allowUnknown: false, skipDeprecatedLogs: true, statsTags: [], disableExtensions: [] };
const CLUSTERS = ['c0', 'c1'].map((name) => ({ name, type: 'STATIC', connect_timeout: '1s' }));

export function compileJson(bootstrap: Json): { readonly reports: readonly Report[]; readonly plan: string } {
  const c = compileBootstrap({ file: 'x.json', bytes: Buffer.from(JSON.stringify(bootstrap)), overlay: '', concurrency: 1, flags: FLAGS }, COMPILERS);
  const packs = [...c.listeners, ...c.clusters, ...c.routes].map((r) => `${r.name}:${r.packed !== null ? Buffer.from(r.packed).toString('latin1') : r.plan === null ? 'bad' : JSON.stringify(r.plan)}`);
  const secrets = [...(c.secrets?.sources.values() ?? [])].map((s) => { try { return [s.name, s.load()]; } catch (e) { return (e as Error).message; } });
  return { reports: c.reports, plan: JSON.stringify([c.process, packs, secrets]) };
}

const SITES = 8;
const RANK: readonly Status[] = ['implemented', 'read', 'no-op', 'refused', 'unknown'];
const ROOT: Site = { path: '', build: (m) => m };
const within = (site: Site, host: Json, field: DescField, wrap: (m: Json) => unknown, suffix: string): Site => ({
  path: `${site.path === '' ? '' : `${site.path}.`}${field.name}${suffix}`, build: (m) => site.build({ ...host, [field.name]: wrap(m) }),
});

export class FieldWalk {
  readonly found: FieldStatus[] = [];
  private readonly seen = new Map<string, Set<string>>();
  private readonly queue: { readonly desc: DescMessage; readonly site: Site }[] = [];
  /** Extension types to try in an Any; all of the API's by default. */
  private readonly types: readonly DescMessage[];
  constructor(types?: readonly string[]) {
    this.types = types === undefined ? messageNames().filter((t) => /^envoy\.(extensions|config\.(route\.v3\.FilterConfig|cluster\.\w+|filter|trace|metrics\.v3\.\w*StatsdSink$|overload\.v3\.(ScaleTimers|ShrinkHeap)\w*Config$))/.test(t)).map((t) => messageType(t)!) : types.map((t) => messageType(t)!);
  }

  run(): this {
    this.push(messageType('envoy.config.bootstrap.v3.Bootstrap')!, ROOT, '');
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) this.message(next.desc, next.site);
    return this;
  }

  /** A message is looked at in up to SITES places, as what uses it decides what is supported. */
  private push(desc: DescMessage, site: Site, edge: string): void {
    const edges = this.seen.get(desc.typeName) ?? new Set<string>();
    if (wellKnown(desc) !== '' || IDLE_EDGES.has(edge) || edges.has(edge) || edges.size >= SITES) return;
    this.seen.set(desc.typeName, edges.add(edge));
    this.queue.push({ desc, site });
  }

  /** One line a field: the best of its places, with a word on those where it is less. */
  summary(): FieldStatus[] {
    const all = new Map<string, FieldStatus[]>();
    for (const f of this.found) { const key = `${f.message}.${f.field}`; all.set(key, [...(all.get(key) ?? []), f]); }
    return [...all.values()].map((list) => {
      const best = RANK.map((s) => list.find((f) => f.status === s)).find((f) => f !== undefined)!, less = list.filter((f) => f.status === 'refused' && best.status !== 'refused');
      return less.length === 0 ? best : { ...best, note: [best.note, `refused at ${less.map((f) => f.path.replace(/^.*typed_config\./, '…')).join(', ')}`].filter((n) => n !== '').join('; ') };
    });
  }

  private message(desc: DescMessage, site: Site): void {
    const host = least(desc);
    for (const field of desc.fields) {
      const clean = { ...host };
      delete clean[field.name];
      for (const other of EXCLUDES[`${desc.typeName}.${field.name}`] ?? []) delete clean[other];
      if (field.oneof !== undefined) for (const f of field.oneof.fields) delete clean[f.name];
      this.field(desc, field, clean, site);
    }
  }

  /** A field with its values set in turn. */
  private field(desc: DescMessage, field: DescField, host: Json, site: Site): void {
    const path = `${site.path === '' ? '' : `${site.path}.`}${field.name}`, root = site === ROOT;
    if (root && field.name === 'static_resources') { this.statics(desc, field); return; }
    const put = (v: unknown): Json => this.whole(site.build({ ...host, [field.name]: v }));
    const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind === 'map' ? field.mapKind : field.fieldKind, any = kind === 'message' && field.message!.typeName === 'google.protobuf.Any';
    if (any) { this.any(desc, field, host, site, path); return; }
    const without = compileJson(this.whole(site.build(host))).plan;
    const values = samples(field), outcomes = values.map((v) => judge(path, compileJson(put(v))));
    const good = outcomes.filter((o) => o.status === 'implemented');
    if (good.length === 0) { this.add(desc, field, outcomes[0]!.status, outcomes[0]!.note, path); return; }
    const message = kind === 'message' && wellKnown(field.message!) === '';
    // A value that is an error where another is none has an effect, too.
    const effect = message || outcomes.some((o) => o.status === 'unknown') || good.some((o) => o.plan !== without) || new Set(good.map((o) => o.plan)).size > 1;
    const bad = kind === 'enum' ? values.filter((_, i) => outcomes[i]!.status !== 'implemented').map((v) => String(Array.isArray(v) ? v[0] : v)) : [];
    const refused = outcomes.find((o) => o.status === 'refused');
    if (!effect && refused !== undefined) { this.add(desc, field, 'refused', refused.note, path); return; }
    this.add(desc, field, effect ? 'implemented' : 'read', bad.length > 0 ? `not ${bad.join(', ')}` : '', path);
    if (!message) return;
    const edge = `${desc.typeName}.${field.name}`;
    if (field.fieldKind === 'list') this.push(field.message!, within(site, host, field, (m) => [m], '[0]'), edge);
    else if (field.fieldKind === 'map') this.push(field.message!, within(site, host, field, (m) => ({ key: m }), "['key']"), edge);
    else this.push(field.message!, within(site, host, field, (m) => m, ''), edge);
  }

  private readonly anys = new Set<string>();
  private any(desc: DescMessage, field: DescField, host: Json, site: Site, path: string): void {
    // What a transport socket may be depends on where it stands: a listener's are others than a cluster's.
    const names: string[] = [], key = `${desc.typeName}.${field.name}${desc.typeName.endsWith('.TransportSocket') ? site.path : ''}`;
    if (this.anys.has(key)) return;
    for (const type of this.types) {
      const wrap = (m: Json): unknown => { const v = { '@type': `type.googleapis.com/${type.typeName}`, ...m }; return field.fieldKind === 'list' ? [v] : field.fieldKind === 'map' ? { [type.typeName]: v } : v; };
      const suffix = field.fieldKind === 'list' ? '[0]' : field.fieldKind === 'map' ? `['${type.typeName}']` : '';
      const inner = within(site, host, field, wrap, suffix);
      const { reports } = compileJson(this.whole(inner.build(least(type))));
      if (reports.some((r) => r.severity === 'error' && (r.place.path === inner.path || r.place.path === path || r.place.path === site.path) )) continue;
      if (reports.some((r) => r.severity === 'warning' && r.place.path === path)) continue;
      names.push(type.typeName);
      this.push(type, inner, `${desc.typeName}.${field.name}`);
    }
    this.anys.add(key);
    const elsewhere = this.found.findIndex((f) => f.message === desc.typeName && f.field === field.name && f.types !== undefined);
    if (elsewhere >= 0) for (const n of this.found.splice(elsewhere, 1)[0]!.types!) if (!names.includes(n)) names.push(n);
    this.add(desc, field, names.length > 0 ? 'implemented' : 'refused', names.length > 0 ? `${names.length === 1 ? '' : `${names.length} types: `}${names.map((n) => n.replace('envoy.extensions.', '')).join(', ')}` : '', path, names);
  }

  /** listeners, clusters and what else static_resources holds. */
  private statics(desc: DescMessage, field: DescField): void {
    this.add(desc, field, 'implemented', '', field.name);
    const of = field.message!;
    this.seen.set(of.typeName, new Set());
    for (const f of of.fields) {
      const site: Site = { path: `static_resources.${f.name}[0]`, build: (m) => ({ static_resources: { [f.name]: [m] } }) };
      const o = judge(`static_resources.${f.name}`, compileJson(this.whole(site.build(least(f.message!)))));
      this.add(of, f, o.status, o.note, `static_resources.${f.name}`);
      if (o.status === 'implemented') this.push(f.message!, site, '');
    }
  }

  /** With the clusters that samples name. */
  private whole(b: Json): Json {
    const statics = (b['static_resources'] ?? {}) as Json;
    return { ...b, static_resources: { ...statics, clusters: [...((statics['clusters'] ?? []) as unknown[]), ...CLUSTERS] } };
  }

  private add(desc: DescMessage, field: DescField, status: Status, note: string, path: string, types?: readonly string[]): void { this.found.push({ ...(types === undefined ? {} : { types }), message: desc.typeName, field: field.name, status, note: isDeprecated(field) && note === '' ? 'deprecated' : note, path }); }
}

function judge(path: string, c: { readonly reports: readonly Report[]; readonly plan: string }): { status: Status; note: string; plan: string } {
  const at = c.reports.filter((r) => r.place.path === path || r.place.path.startsWith(`${path}[`) || r.place.path.startsWith(`${path}.`));
  const refused = c.reports.find((r) => r.severity === 'error' && (/not supported/.test(r.message)) && (at.includes(r) || path.startsWith(`${r.place.path}.`) || r.message.includes(`'${path.slice(path.lastIndexOf('.') + 1)}'`)));
  if (refused !== undefined) return { status: 'refused', note: refused.message.replace(/^'[^']*' is not supported yet ?/, '').replace(/^\((.*)\)$/, '$1'), plan: '' };
  const noop = at.find((r) => /^has no effect/.test(r.message) && r.place.path.replace(/\[\d+\]$/, '') === path);
  if (noop !== undefined) return { status: 'no-op', note: noop.message.replace('has no effect: ', ''), plan: '' };
  const error = c.reports.find((r) => r.severity === 'error');
  if (error !== undefined) return { status: 'unknown', note: `${error.place.path}: ${error.message}`, plan: '' };
  return { status: 'implemented', note: at.find((r) => r.severity === 'warning')?.message ?? '', plan: c.plan };
}
