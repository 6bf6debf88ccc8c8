// GET /stats: text, JSON, and the page's formats. The answer is made in pieces: a million names neither fill memory nor stall this thread.
import { total } from '../control/stats/buckets.ts';
import type { StatView } from '../control/stats/stat-view.ts';
import { text, type AdminEndpoint } from './endpoint.ts';
import { statsPage } from './home.ts';
import { histogramFrame, histogramJson, histogramText } from './stats-histograms.ts';
import { statsParams, type StatsParams } from './stats-params.ts';
import { prometheusAnswer } from './stats-prometheus.ts';

/** Characters of one piece. */
export const PIECE = 32 << 10;

export const stats: AdminEndpoint = {
  path: '/stats', help: 'print server stats',
  params: [['usedonly', 'Only include stats that have been written by system since restart'], ['filter', 'Regular expression (Google re2) for filtering stats'], ['invert_filter', 'Invert the filter regex'], ['format', 'Format to use; One of (html, active-html, text, json)'], ['type', 'Stat types to include.; One of (All, Counters, Histograms, Gauges, TextReadouts)'], ['histogram_buckets', 'Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)']],
  answer(source, query) {
    const p = statsParams(query);
    if ('status' in p) return p;
    const view = source.stats();
    if (p.format === 'prometheus') return prometheusAnswer(view, p);
    if (p.buckets === 'prometheusnative') return text('Invalid histogram_buckets type for non prometheus stats type', 400);
    if (p.format === 'json') return { status: 200, type: 'json', body: jsonPieces(view, p) };
    if (p.format === 'text') return { status: 200, body: textPieces(view, p) };
    return { status: 200, type: 'html', body: statsPage(textPieces(view, p), p.format === 'active-html') };
  },
};

const wants = (p: StatsParams, type: StatsParams['type']): boolean => !p.nothing && (p.type === 'All' || p.type === type);

function* textPieces(view: StatView, p: StatsParams): Generator<string> {
  let out = '';
  if (wants(p, 'TextReadouts')) for (const [name, value] of view.texts()) if (p.shown(name)) out += `${name}: "${value}"\n`;
  if (wants(p, 'Counters') || wants(p, 'Gauges')) {
    const walk = view.scalars();
    let looked = 0;
    while (walk.next()) {
      if (out.length > PIECE || ++looked % 4096 === 0) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const s = view.at(walk);
      if (wants(p, s.kind === 'counter' ? 'Counters' : 'Gauges') && (!p.usedOnly || s.used)) out += `${walk.name}: ${s.value}\n`;
    }
  }
  if (wants(p, 'Histograms')) {
    const walk = view.histograms();
    while (walk.next()) {
      if (out.length > PIECE) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const h = view.histogram(walk.name);
      if (!p.usedOnly || total(h.cumulative) > 0) out += histogramText(walk.name, h, p.buckets, view.bounds(walk.name));
    }
  }
  yield out;
}

function* jsonPieces(view: StatView, p: StatsParams): Generator<string> {
  let out = '{"stats":[', comma = '';
  if (wants(p, 'TextReadouts')) for (const [name, value] of view.texts()) if (p.shown(name)) { out += `${comma}${JSON.stringify({ name, value })}`; comma = ','; }
  if (wants(p, 'Counters') || wants(p, 'Gauges')) {
    const walk = view.scalars();
    let looked = 0;
    while (walk.next()) {
      if (out.length > PIECE || ++looked % 4096 === 0) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const s = view.at(walk);
      if (wants(p, s.kind === 'counter' ? 'Counters' : 'Gauges') && (!p.usedOnly || s.used)) { out += `${comma}{"name":${JSON.stringify(walk.name)},"value":${s.value}}`; comma = ','; }
    }
  }
  if (wants(p, 'Histograms')) {
    const walk = view.histograms(), frame = histogramFrame(p.buckets);
    let any = false;
    while (walk.next()) {
      if (out.length > PIECE) { yield out; out = ''; }
      if (!view.wanted(walk.name) || !p.shown(walk.name)) continue;
      const h = view.histogram(walk.name);
      if (p.usedOnly && total(h.cumulative) === 0) continue;
      out += `${any ? ',' : comma + frame.open}${histogramJson(walk.name, h, p.buckets, view.bounds(walk.name))}`;
      any = true;
    }
    if (any) out += frame.close;
  }
  yield `${out}]}`;
}
