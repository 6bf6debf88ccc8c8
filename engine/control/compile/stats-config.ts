// envoy.config.metrics.v3.StatsConfig: tags, which stats there are, buckets of histograms.
import { compileStringMatcher } from '../../headers/config.ts';
import { compileRegex } from '../../headers/string-matcher.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';
import { DEFAULT_STATS, type StatsPlan } from '../stats/stat-view.ts';
import type { StatsMatcherPlan } from '../stats/stats-matcher.ts';
import { DEFAULT_TAGS } from '../stats/tag-table.ts';

export function compileStats(m: ConfigMessage | undefined): StatsPlan {
  if (m === undefined) return DEFAULT_STATS;
  const buckets = m.list('histogram_bucket_settings').map((b) => { b.noop('bins', 'a histogram takes room as samples come'); return { match: b.msg('match') === undefined ? { kind: 'prefix' as const, text: '', ignoreCase: false } : compileStringMatcher(b.msg('match')!), bounds: [...b.nums('buckets')].sort((x, y) => x - y) }; }).filter((b) => b.bounds.length > 0);
  return { tags: m.list('stats_tags').map(compileTag), useDefaultTags: m.bool('use_all_default_tags', true), overrides: m.bool('allow_default_tag_overrides'), matcher: compileMatcher(m.msg('stats_matcher')), buckets };
}

function compileTag(t: ConfigMessage): StatsPlan['tags'][number] {
  const name = t.str('tag_name'), regex = t.str('regex'), value = t.str('fixed_value');
  if (regex !== '') { try { compileRegex(regex); } catch (e) { t.error('regex', `invalid regex '${regex}': ${(e as Error).message}`); } }
  if (t.oneof('tag_value') === '' && !DEFAULT_TAGS.some((d) => d.tag === name)) t.error('', `No regex specified for tag specifier and no default regex for name: '${name}'`);
  return { name, regex, value };
}

function compileMatcher(m: ConfigMessage | undefined): StatsMatcherPlan {
  const kind = m?.oneof('stats_matcher') ?? '';
  switch (kind) {
    case 'reject_all': return m!.bool('reject_all') ? { kind: 'none' } : null;
    case 'inclusion_list': case 'exclusion_list': return { kind: kind === 'inclusion_list' ? 'inclusion' : 'exclusion', patterns: m!.msg(kind)!.list('patterns').map(compileStringMatcher) };
    default: return null;
  }
}
