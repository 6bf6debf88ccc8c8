// GET /stats: text, JSON, and the page's formats. The answer is made in pieces: a million names neither fill memory nor stall this thread.
import { total } from '../control/stats/buckets.ts';
import type { HistogramView } from '../control/stats/stat-reader.ts';
import type { StatView } from '../control/stats/stat-view.ts';
import { text, type AdminEndpoint } from './endpoint.ts';
import { statsPage } from './home.ts';
import { histogramFrame, histogramJson, histogramText } from './stats-histograms.ts';
import { statsParams, type StatsParams } from './stats-params.ts';
import { prometheusAnswer } from './stats-prometheus.ts';

/** Characters of one piece. */
export const PIECE = 128 << 10;

export const stats: AdminEndpoint = {
  path: '/stats', help: 'print server stats',
  params: [['usedonly', 'Only include stats that have been written by system since restart'], ['filter', 'Regular expression (Google re2) for filtering stats'], ['invert_filter', 'Invert the filter regex'], ['format', 'Format to use; One of (html, active-html, text, json)'], ['type', 'Stat types to include.; One of (All, Counters, Histograms, Gauges, TextReadouts)'], ['histogram_buckets', 'Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)']],
  answer(source, query) {
    const p = statsParams(query);
    if ('status' in p) return p;
    const view = source.stats();
    if (p.format === 'prometheus') return prometheusAnswer(view, p);
    if (p.buckets === 'prometheusnative') return text('Invalid histogram_buckets type for non prometheus stats type', 400);
    if (p.format === 'json') return { status: 200, type: 'json', body: pieces(view, p, jsonWriter(p)) };
    if (p.format === 'text') return { status: 200, body: pieces(view, p, textWriter(p)) };
    return { status: 200, type: 'html', body: statsPage(pieces(view, p, textWriter(p)), p.format === 'active-html') };
  },
};

const wants = (p: StatsParams, type: StatsParams['type']): boolean => !p.nothing && (p.type === 'All' || p.type === type);

/** How a format writes each kind; text goes straight out, so that a piece is one string being built. */
interface StatWriter {
  readonly open: string;
  readonly close: string;
  text(name: string, value: string): string;
  scalar(name: string, value: number): string;
  histogram(name: string, h: HistogramView, bounds: readonly number[]): string;
  /** After the last histogram. */
  histogramsEnd(): string;
}

function* pieces(view: StatView, p: StatsParams, writer: StatWriter): Generator<string> {
  let out = writer.open;
  if (wants(p, 'TextReadouts')) for (const [name, value] of view.texts()) if (p.shown(name)) out += writer.text(name, value);
  if (wants(p, 'Counters') || wants(p, 'Gauges')) {
    const walk = view.scalars();
    let looked = 0;
    while (walk.next()) {
      if (out.length > PIECE || ++looked % 4096 === 0) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const s = view.at(walk);
      if (wants(p, s.kind === 'counter' ? 'Counters' : 'Gauges') && (!p.usedOnly || s.used)) out += writer.scalar(walk.name, s.value);
    }
  }
  if (wants(p, 'Histograms')) {
    const walk = view.histograms();
    while (walk.next()) {
      if (out.length > PIECE) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const h = view.histogram(walk.name);
      if (!p.usedOnly || total(h.cumulative) > 0) out += writer.histogram(walk.name, h, view.bounds(walk.name));
    }
    out += writer.histogramsEnd();
  }
  yield out + writer.close;
}

const textWriter = (p: StatsParams): StatWriter => ({
  open: '', close: '',
  text: (name, value) => `${name}: "${value}"\n`,
  scalar: (name, value) => `${name}: ${value}\n`,
  histogram: (name, h, bounds) => histogramText(name, h, p.buckets, bounds),
  histogramsEnd: () => '',
});

function jsonWriter(p: StatsParams): StatWriter {
  const frame = histogramFrame(p.buckets);
  let comma = '', any = false;
  const next = (): string => { const c = comma; comma = ','; return c; };
  return {
    open: '{"stats":[', close: ']}',
    text: (name, value) => `${next()}${JSON.stringify({ name, value })}`,
    scalar: (name, value) => `${next()}{"name":${JSON.stringify(name)},"value":${value}}`,
    histogram: (name, h, bounds) => { const before = any ? ',' : comma + frame.open; any = true; return before + histogramJson(name, h, p.buckets, bounds); },
    histogramsEnd: () => (any ? frame.close : ''),
  };
}
