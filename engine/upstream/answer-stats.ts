// What a cluster counts of its answers (Envoy: CodeStats): by code, by class and in all, with a histogram of their time; beside that for requests of our own network and
// others, for canaries, for answers that were tried again, and from zone to zone. Slots are found once for each kind of answer.
import { CodeStats } from '../observe/stats/code-stats.ts';
import { recordSample, type StatStore } from '../observe/stats/stat-block.ts';

/** Answers of one code to requests of one kind. `times`: histograms, claimed with the first answer of a host's own. */
interface Kind { readonly counters: readonly number[]; readonly scopes: readonly string[]; times: readonly number[] | null }

export class AnswerStats {
  private readonly store: StatStore;
  private readonly prefix: string;
  /** Of this proxy; '': not known. */
  private readonly ownZone: string;
  private readonly kinds = new Map<number, Kind>();
  private readonly zones = new Map<string, CodeStats>();
  private retried: CodeStats | null = null;

  /** `prefix`: 'cluster.NAME'. */
  constructor(store: StatStore, prefix: string, ownZone: string) { this.store = store; this.prefix = prefix; this.ownZone = ownZone; }

  /** `zone`: of the host, '': none. `timeMs` below 0: the answer is our own. */
  charge(status: number, internal: boolean, canary: boolean, zone: string, timeMs: number): void {
    const key = status * 4 + (internal ? 1 : 0) + (canary ? 2 : 0), { column } = this.store;
    let kind = this.kinds.get(key);
    if (kind === undefined) { kind = this.make(status, internal, canary); this.kinds.set(key, kind); }
    const { counters } = kind;
    for (let i = 0; i < counters.length; i++) column[counters[i]!]!++;
    if (timeMs >= 0) {
      const times = kind.times ??= kind.scopes.map((s) => this.store.claimHistogram(`${s}upstream_rq_time`));
      for (let i = 0; i < times.length; i++) recordSample(this.store, times[i]!, timeMs);
    }
    if (zone !== '' && this.ownZone !== '') this.between(zone).charge(status, timeMs);
  }

  /** An answer that is not passed on, as the request is tried again. */
  chargeRetried(status: number): void { (this.retried ??= new CodeStats(this.store, `${this.prefix}.retry`)).charge(status, -1); }

  private make(status: number, internal: boolean, canary: boolean): Kind {
    const own = `${this.prefix}.`, scopes = [own, `${own}${internal ? 'internal' : 'external'}.`, ...(canary ? [`${own}canary.`] : [])], group = `${Math.floor(status / 100)}xx`;
    const names = scopes.flatMap((s) => [`${s}upstream_rq_${status}`, `${s}upstream_rq_${group}`, ...(s === own ? [] : [`${s}upstream_rq_completed`])]);
    return { counters: names.map((n) => this.store.claimOne(n, 'counter')), scopes, times: null };
  }

  private between(zone: string): CodeStats {
    let stats = this.zones.get(zone);
    if (stats === undefined) { stats = new CodeStats(this.store, `${this.prefix}.zone.${this.ownZone}.${zone}`); this.zones.set(zone, stats); }
    return stats;
  }
}
