// Which stats there are at all (StatsConfig.stats_matcher): Envoy never makes the others, here they are never shown.
import { makeStringMatcher, type StringMatcherPlan } from '../../headers/string-matcher.ts';

export type StatsMatcherPlan = null | { readonly kind: 'none' } | { readonly kind: 'inclusion' | 'exclusion'; readonly patterns: readonly StringMatcherPlan[] };

/** null: everything is wanted. */
export function makeStatsMatcher(plan: StatsMatcherPlan): ((name: string) => boolean) | null {
  if (plan === null) return null;
  if (plan.kind === 'none') return () => false;
  const matchers = plan.patterns.map(makeStringMatcher), wanted = plan.kind === 'inclusion';
  return (name) => matchers.some((m) => m.matches(name)) === wanted;
}

/** Upper bounds of a histogram's buckets (StatsConfig.histogram_bucket_settings): the first setting that matches. */
export interface BucketSetting { readonly match: StringMatcherPlan; readonly bounds: readonly number[] }
export function makeBucketChoice(settings: readonly BucketSetting[], otherwise: readonly number[]): (name: string) => readonly number[] {
  const made = settings.map((s) => ({ matcher: makeStringMatcher(s.match), bounds: s.bounds }));
  return (name) => { for (const s of made) if (s.matcher.matches(name)) return s.bounds; return otherwise; };
}
