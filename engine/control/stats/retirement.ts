// How stats go away with what they belonged to (a cluster, a listener, the stat_prefix of a connection manager): workers are asked to let go of their slots; until the last
// one has, the names are shown, as Envoy shows a removed cluster's while requests are still under way there. What comes back meanwhile goes on where it was. An owner may
// have several users (clusters with one alt_stat_name): it goes with the last.
import type { Departures } from './departures.ts';
import { sanitizeName, type StatReader } from './stat-reader.ts';

export class StatRetirement {
  private readonly reader: StatReader;
  private readonly departures: Departures;
  private readonly soon: (task: () => void) => void;
  /** Who uses an owner. */
  private readonly users = new Map<string, Members>();
  /** Owners that there are, by their name in stats. */
  private readonly living = new Map<string, Members>();
  /** Owners that are going. */
  private readonly leaving = new Set<string>();
  /** What all have let go of, by its name in stats; swept together, as a look at every name serves all of them. */
  private readonly gone = new Set<string>();

  /** `soon` runs a task outside of this stack. */
  constructor(reader: StatReader, departures: Departures, soon: (task: () => void) => void) { this.reader = reader; this.departures = departures; this.soon = soon; }

  declare(owner: string, user = ''): void {
    const key = sanitizeName(owner);
    addTo(this.users, owner, user);
    addTo(this.living, key, owner);
    if (this.leaving.delete(owner)) this.departures.cancel(owner);
    this.gone.delete(key);
  }

  retire(owner: string, user = ''): void {
    if (!takeFrom(this.users, owner, user) || this.users.has(owner)) return;
    takeFrom(this.living, sanitizeName(owner), owner);
    this.leave(owner);
  }

  /** A worker has slots of an owner that is not among those declared: one that was removed before this control thread was there. */
  adopt(owner: string): void { if (!this.users.has(owner) && !this.leaving.has(owner)) this.leave(owner); }

  private leave(owner: string): void {
    this.leaving.add(owner);
    this.departures.ask(owner, () => this.left(owner));
  }

  private left(owner: string): void {
    const key = sanitizeName(owner);
    this.leaving.delete(owner);
    if (this.living.has(key)) return;
    this.gone.add(key);
    if (this.gone.size === 1) this.soon(() => this.sweep());
  }

  /** Names belong to the longest owner that they start with: cluster 'a' takes nothing of cluster 'a.b' along. */
  private sweep(): void {
    if (this.gone.size === 0) return;
    const kept = new Set([...this.living.keys(), ...[...this.leaving].map(sanitizeName)]);
    this.reader.drop((name) => {
      for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
        const owner = name.slice(0, dot);
        if (kept.has(owner)) return false;
        if (this.gone.has(owner)) return true;
      }
      return false;
    });
    this.gone.clear();
  }
}

/** Mostly one: ten thousand clusters need no set each. */
type Members = string | Set<string>;
function addTo(sets: Map<string, Members>, key: string, member: string): void {
  const has = sets.get(key);
  if (has === undefined) sets.set(key, member); else if (typeof has !== 'string') has.add(member); else if (has !== member) sets.set(key, new Set([has, member]));
}
/** False: it was not there. A set goes with its last member. */
function takeFrom(sets: Map<string, Members>, key: string, member: string): boolean {
  const has = sets.get(key);
  if (typeof has === 'string') return has === member && sets.delete(key);
  if (has?.delete(member) !== true) return false;
  if (has.size === 0) sets.delete(key);
  return true;
}
