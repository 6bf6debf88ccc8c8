// Histograms of /stats, in text and in JSON, in each of the bucket modes.
import { cumulativeCounts, disjointCounts, QUANTILES, quantiles, total, type Buckets } from '../control/stats/buckets.ts';
import type { HistogramView } from '../control/stats/stat-reader.ts';
import { histogramBounds } from '../observe/stats/stat-block.ts';
import type { StatsParams } from './stats-params.ts';

const figure = (n: number): string => (Number.isNaN(n) ? 'nan' : String(n));
/** As "%g": six significant digits, an exponent from 1e6 on. */
function general(n: number): string {
  if (n !== 0 && (n >= 1e6 || n < 1e-4)) { const [m, e] = n.toExponential(5).split('e'); return `${Number(m)}e${e![0]}${e!.slice(1).padStart(2, '0')}`; }
  return String(Number(n.toPrecision(6)));
}

/** One line (or block) of the text format. */
export function histogramText(name: string, view: HistogramView, mode: StatsParams['buckets'], bounds: readonly number[]): string {
  if (total(view.cumulative) === 0) return `${name}: No recorded values\n`;
  switch (mode) {
    case 'cumulative': case 'disjoint': {
      const counts = mode === 'cumulative' ? cumulativeCounts : disjointCounts, interval = counts(view.interval, bounds), whole = counts(view.cumulative, bounds);
      return `${name}: ${bounds.map((b, i) => `B${general(b)}(${interval[i]},${whole[i]})`).join(' ')}\n`;
    }
    case 'detailed': return `${name}:\n  totals=${bucketList(view.cumulative)}\n  intervals=${bucketList(view.interval)}\n  summary=${summary(view)}\n`;
    default: return `${name}: ${summary(view)}\n`;
  }
}

function summary(view: HistogramView): string {
  const interval = quantiles(view.interval), whole = quantiles(view.cumulative);
  return QUANTILES.map((q, i) => `P${q}(${figure(interval[i]!)},${figure(whole[i]!)})`).join(' ');
}
function bucketList(b: Buckets): string { return b.at.map((bucket, i) => { const { from, width } = histogramBounds(bucket); return `${general(from)},${general(width)}:${b.count[i]}`; }).join(', '); }

/** NaN is null. */
const pairs = (view: HistogramView): unknown[] => { const interval = quantiles(view.interval), whole = quantiles(view.cumulative); return QUANTILES.map((_, i) => ({ cumulative: whole[i], interval: interval[i] })); };
const details = (b: Buckets): unknown[] => b.at.map((bucket, i) => { const { from, width } = histogramBounds(bucket); return { lower_bound: from, width, count: b.count[i] }; });

/** What stands before, between and after the histograms of the JSON format. */
export function histogramFrame(mode: StatsParams['buckets']): { readonly open: string; readonly close: string } {
  switch (mode) {
    case 'cumulative': case 'disjoint': return { open: '{"histograms":[', close: ']}' };
    case 'detailed': return { open: `{"histograms":{"supported_percentiles":${JSON.stringify(QUANTILES)},"details":[`, close: ']}}' };
    default: return { open: `{"histograms":{"supported_quantiles":${JSON.stringify(QUANTILES)},"computed_quantiles":[`, close: ']}}' };
  }
}

export function histogramJson(name: string, view: HistogramView, mode: StatsParams['buckets'], bounds: readonly number[]): string {
  switch (mode) {
    case 'cumulative': case 'disjoint': {
      const counts = mode === 'cumulative' ? cumulativeCounts : disjointCounts, interval = counts(view.interval, bounds), whole = counts(view.cumulative, bounds);
      return JSON.stringify({ name, buckets: bounds.map((b, i) => ({ upper_bound: b, interval: interval[i], cumulative: whole[i] })) });
    }
    case 'detailed': return JSON.stringify({ name, totals: details(view.cumulative), intervals: details(view.interval), percentiles: pairs(view) });
    default: return JSON.stringify({ name, values: pairs(view) });
  }
}
