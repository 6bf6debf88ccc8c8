// GET /stats/prometheus: the text exposition format, named and labelled as Envoy's. Metrics are grouped by name over all scopes; what a group consists of is found by
// shape (scopes with the same names and the same tags), so ten thousand clusters cost one line at a time and no list of a million names.
import { cumulativeCounts, QUANTILES, quantiles, sum, total } from '../control/stats/buckets.ts';
import type { LayoutEntry, ScopeLayout, StatScope } from '../control/stats/stat-scope.ts';
import type { Extracted } from '../control/stats/tag-extractor.ts';
import type { StatView } from '../control/stats/stat-view.ts';
import { text, type AdminAnswer, type AdminEndpoint } from './endpoint.ts';
import { statsParams, type StatsParams } from './stats-params.ts';

const PIECE = 128 << 10;

export const statsPrometheus: AdminEndpoint = {
  path: '/stats/prometheus', help: 'print server stats in prometheus format',
  params: [['usedonly', 'Only include stats that have been written by system since restart'], ['text_readouts', 'Render text_readouts as new gaugues with value 0 (increases Prometheus data size)'], ['filter', 'Regular expression (Google re2) for filtering stats'], ['invert_filter', 'Invert the filter regex'], ['histogram_buckets', 'Histogram bucket display mode; One of (cumulative, summary)']],
  answer(source, query) {
    if (query.has('prom_protobuf')) return text('the protobuf exposition format is not supported', 400);
    const p = statsParams(query);
    return 'status' in p ? p : prometheusAnswer(source.stats(), p);
  },
};

export function prometheusAnswer(view: StatView, p: StatsParams): AdminAnswer {
  if (p.buckets === 'prometheusnative') return text('unsupported prometheusnative histogram type when not using protobuf exposition format', 400);
  if (p.buckets === 'disjoint' || p.buckets === 'detailed') return text('unsupported prometheus histogram bucket mode', 400);
  return { status: 200, body: pieces(view, p) };
}

type Tags = Extracted['tags'];
const sanitize = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_');
const metricName = (extracted: string): string => { const n = sanitize(extracted); return /^\d/.test(n) ? `envoy__${n}` : `envoy_${n}`; };
const label = (tag: string, value: string): string => `${sanitize(tag)}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`;
const labels = (tags: Tags): string => tags.map(([t, v]) => label(t, v)).join(',');
/** As "%.32g". */
const precise = (n: number): string => { if (Number.isNaN(n)) return 'nan'; if (Number.isInteger(n) && Math.abs(n) < 2 ** 53) return String(n); const s = n.toPrecision(32); return s.includes('e') ? s : s.replace(/\.?0+$/, ''); };

/** Scopes whose names differ in the values of tags alone. */
interface Shape { readonly layout: ScopeLayout; readonly tagNames: readonly string[]; readonly scopes: { readonly scope: StatScope; readonly tags: Tags; /** The tags as labels. */ readonly labels: readonly string[] }[] }
/** One name of a shape's scopes: labels are constants of the name and tags of the scope, in order. */
interface Row { readonly shape: Shape; readonly entry: LayoutEntry; readonly parts: readonly (string | number)[] }
interface Group { readonly kind: 'counter' | 'gauge'; readonly rows: Row[]; readonly singles: { readonly name: string; readonly labels: string }[] }

/** Yields now and then, so that ten thousand scopes do not stall the thread. */
function* shapesOf(view: StatView): Generator<string, Shape[]> {
  const shapes = new Map<string, Shape>(), layouts = new Map<ScopeLayout, number>();
  let looked = 0;
  for (const scope of view.scopes()) {
    if (++looked % 512 === 0) yield '';
    const { name, tags } = view.tagsOf(scope, 'x'), tagNames = tags.map(([t]) => t);
    const id = layouts.get(scope.layout) ?? layouts.size;
    layouts.set(scope.layout, id);
    // A regex of the configuration may look at anything: then every scope stands for itself.
    const key = view.tags.custom ? scope.prefix : `${id} ${name} ${tagNames.join(' ')}`;
    let shape = shapes.get(key);
    if (shape === undefined) { shape = { layout: scope.layout, tagNames, scopes: [] }; shapes.set(key, shape); }
    shape.scopes.push({ scope, tags, labels: tags.map(([t, v]) => label(t, v)) });
  }
  return [...shapes.values()];
}

function* groupsOf(view: StatView): Generator<string, Map<string, Group>> {
  const groups = new Map<string, Group>();
  const group = (extracted: string, kind: Group['kind']): Group => { const key = `${kind} ${extracted}`; let g = groups.get(key); if (g === undefined) { g = { kind, rows: [], singles: [] }; groups.set(key, g); } return g; };
  let looked = 0;
  for (const shape of yield* shapesOf(view)) {
    const first = shape.scopes[0]!;
    for (const entry of shape.layout.scalars) {
      const x = view.tagsOf(first.scope, entry.name);
      const parts = x.tags.map(([t, v]) => { const at = shape.tagNames.indexOf(t); return at >= 0 && first.tags[at]![1] === v ? at : label(t, v); });
      group(x.name, entry.kind as Group['kind']).rows.push({ shape, entry, parts });
    }
  }
  for (const name of view.singles()) { if (++looked % 512 === 0) yield ''; const x = view.tags.extract(name); group(x.name, view.single(name).kind).singles.push({ name, labels: labels(x.tags) }); }
  return groups;
}

function* pieces(view: StatView, p: StatsParams): Generator<string> {
  if (p.nothing) return;
  const groups = yield* groupsOf(view);
  const keys = [...groups.keys()].sort();
  yield* scalarPieces(view, p, keys, groups);
  if (p.textReadouts) for (const [name, value] of view.texts()) if (p.shown(name)) { const x = view.tags.extract(name); yield `# TYPE ${metricName(x.name)} gauge\n${metricName(x.name)}{${labels([...x.tags, ['text_value', value]])}} 0\n`; }
  yield* histogramPieces(view, p);
}

function* scalarPieces(view: StatView, p: StatsParams, keys: readonly string[], groups: ReadonlyMap<string, Group>): Generator<string> {
  let out = '', looked = 0;
  const chosen = p.chosen || view.chosen, shown = (name: string): boolean => view.wanted(name) && p.shown(name);
  // Counters come before gauges: 'counter …' < 'gauge …'.
  for (const key of keys) {
    const g = groups.get(key)!, metric = metricName(key.slice(g.kind.length + 1));
    let head = `# TYPE ${metric} ${g.kind}\n`;
    for (const { shape, entry, parts } of g.rows) {
      for (const { scope, labels: own } of shape.scopes) {
        if (out.length > PIECE || ++looked % 4096 === 0) { yield out; out = ''; }
        if ((p.usedOnly && !scope.used(entry)) || (chosen && !shown(scope.prefix + entry.name))) continue;
        out += head; head = '';
        let l = '';
        for (const part of parts) l += (l === '' ? '' : ',') + (typeof part === 'string' ? part : own[part]!);
        out += `${metric}{${l}} ${scope.value(entry)}\n`;
      }
    }
    for (const s of g.singles) {
      if (out.length > PIECE || ++looked % 4096 === 0) { yield out; out = ''; }
      if (!view.wanted(s.name) || !p.shown(s.name)) continue;
      const now = view.single(s.name);
      if (p.usedOnly && !now.used) continue;
      out += `${head}${metric}{${s.labels}} ${now.value}\n`; head = '';
    }
  }
  yield out;
}

function* histogramPieces(view: StatView, p: StatsParams): Generator<string> {
  const groups = new Map<string, { readonly name: string; readonly labels: string }[]>(), walk = view.histograms();
  while (walk.next()) {
    if (!view.wanted(walk.name) || !p.shown(walk.name) || (p.usedOnly && total(view.histogram(walk.name).cumulative) === 0)) continue;
    const x = view.tags.extract(walk.name);
    let g = groups.get(x.name);
    if (g === undefined) { g = []; groups.set(x.name, g); }
    g.push({ name: walk.name, labels: labels(x.tags) });
  }
  const summary = p.buckets === 'summary' || p.buckets === 'none';
  for (const extracted of [...groups.keys()].sort()) {
    const metric = metricName(extracted);
    let out = `# TYPE ${metric} ${summary ? 'summary' : 'histogram'}\n`;
    for (const h of groups.get(extracted)!) {
      if (out.length > PIECE) { yield out; out = ''; }
      out += summary ? summaryLines(view, metric, h) : bucketLines(view, metric, h);
    }
    yield out;
  }
}

function bucketLines(view: StatView, metric: string, h: { readonly name: string; readonly labels: string }): string {
  const { cumulative } = view.histogram(h.name), bounds = view.bounds(h.name), counts = cumulativeCounts(cumulative, bounds), all = total(cumulative), start = h.labels === '' ? '' : `${h.labels},`;
  return `${bounds.map((b, i) => `${metric}_bucket{${start}le="${precise(b)}"} ${counts[i]}\n`).join('')}${metric}_bucket{${start}le="+Inf"} ${all}\n${metric}_sum{${h.labels}} ${precise(sum(cumulative))}\n${metric}_count{${h.labels}} ${all}\n`;
}

function summaryLines(view: StatView, metric: string, h: { readonly name: string; readonly labels: string }): string {
  const { interval } = view.histogram(h.name), at = quantiles(interval), start = h.labels === '' ? '' : `${h.labels},`;
  return `${QUANTILES.map((q, i) => `${metric}{${start}quantile="${Number((q / 100).toPrecision(6))}"} ${precise(at[i]!)}\n`).join('')}${metric}_sum{${h.labels}} ${precise(sum(interval))}\n${metric}_count{${h.labels}} ${total(interval)}\n`;
}
