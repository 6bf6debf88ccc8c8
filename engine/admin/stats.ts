// GET /stats in text and JSON: format, filter, usedonly, type. Not yet: prometheus, histogram_buckets, histograms in JSON.
import { nameFilter, QUANTILES, quantiles, type StatReader } from '../control/stats/stat-reader.ts';
import type { AdminAnswer } from './admin-server.ts';

const TYPES = new Set(['All', 'Counters', 'Gauges', 'Histograms', 'TextReadouts']);

export function statsAnswer(reader: StatReader, query: URLSearchParams): AdminAnswer {
  const type = query.get('type') ?? 'All', format = query.get('format') ?? 'text', filter = query.get('filter');
  if (!TYPES.has(type)) return { status: 400, body: 'invalid &type= param' };
  if (format !== 'text' && format !== 'json') return { status: 400, body: `usage: /stats?format=(text|json)\n` };
  const shown = filter === null || filter === '' ? () => true : nameFilter(filter);
  if (shown === null) return { status: 400, body: 'Invalid re2 regex' };
  const scalars = reader.scalarNames().filter((n) => shown(n) && (type === 'All' || type === (reader.kind(n) === 'counter' ? 'Counters' : 'Gauges')));
  const usedOnly = query.has('usedonly');
  const used = scalars.filter((n) => !usedOnly || reader.kind(n) === 'gauge' || reader.value(n) !== 0);
  if (format === 'json') return { status: 200, json: { stats: used.map((name) => ({ name, value: reader.value(name) })) } };
  let body = used.map((n) => `${n}: ${reader.value(n)}\n`).join('');
  if (type === 'All' || type === 'Histograms') for (const n of reader.histogramNames()) if (shown(n)) body += histogramLine(reader, n, usedOnly);
  return { status: 200, body };
}

function histogramLine(reader: StatReader, name: string, usedOnly: boolean): string {
  const view = reader.histogramView(name)!;
  const empty = !view.flushed || view.cumulative.every((n) => n === 0);
  if (empty) return usedOnly ? '' : `${name}: No recorded values\n`;
  const interval = quantiles(view.interval), whole = quantiles(view.cumulative);
  return `${name}: ${QUANTILES.map((q, i) => `P${q}(${figure(interval[i]!)},${figure(whole[i]!)})`).join(' ')}\n`;
}

/** As "%g" prints it, roughly: six significant digits. */
function figure(n: number): string { return Number.isNaN(n) ? 'nan' : String(Number(n.toPrecision(6))); }
