// What is shown of the stats: the reader's values seen through the bootstrap's stats_config (matcher, tags, buckets).
import { DEFAULT_BOUNDS } from './buckets.ts';
import type { HistogramView, StatReader } from './stat-reader.ts';
import type { StatScope } from './stat-scope.ts';
import type { StatWalk } from './stat-walk.ts';
import { makeBucketChoice, makeStatsMatcher, type BucketSetting, type StatsMatcherPlan } from './stats-matcher.ts';
import { TagExtractor, type Extracted, type TagSettings } from './tag-extractor.ts';

/** StatsConfig. */
export interface StatsPlan extends TagSettings { readonly matcher: StatsMatcherPlan; readonly buckets: readonly BucketSetting[] }
export const DEFAULT_STATS: StatsPlan = { tags: [], useDefaultTags: true, overrides: false, matcher: null, buckets: [] };

export class StatView {
  readonly tags: TagExtractor;
  /** Upper bounds of a histogram's buckets. */
  readonly bounds: (name: string) => readonly number[];
  private readonly reader: StatReader;
  private readonly match: ((name: string) => boolean) | null;

  constructor(reader: StatReader, plan: StatsPlan = DEFAULT_STATS) {
    this.reader = reader;
    this.tags = new TagExtractor(plan);
    this.match = makeStatsMatcher(plan.matcher);
    this.bounds = makeBucketChoice(plan.buckets, DEFAULT_BOUNDS);
  }

  /** Whether the configuration leaves any stats out. */
  get chosen(): boolean { return this.match !== null; }
  /** Whether the configuration wants a stat of that name at all. */
  wanted(name: string): boolean { return this.match === null || this.match(name); }
  /** Tags of a scope's stat. */
  tagsOf(scope: StatScope, name: string): Extracted {
    if (scope.endpoint === null) return this.tags.extract(scope.prefix + name);
    const of = this.tags.extract(`${scope.endpoint.cluster}x`);
    return { name: `${of.name.slice(0, -1)}endpoint.${name}`, tags: [...of.tags, ...scope.endpoint.tags] };
  }
  scalars(): StatWalk { return this.reader.walk(); }
  at(w: StatWalk): ReturnType<StatReader['at']> { return this.reader.at(w); }
  histograms(): StatWalk { return this.reader.histogramWalk(); }
  histogram(name: string): HistogramView { return this.reader.histogramView(name); }
  texts(): readonly (readonly [string, string])[] { return this.reader.textReadouts(); }
  scopes(): readonly StatScope[] { return this.reader.scopeList(); }
  singles(): readonly string[] { return this.reader.singleNames(); }
  single(name: string): { readonly kind: 'counter' | 'gauge'; readonly value: number; readonly used: boolean } { return this.reader.single(name); }
}
