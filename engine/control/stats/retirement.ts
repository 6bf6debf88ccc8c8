// How stats go away with what they belong to (a cluster, a listener, the stat_prefix of a connection manager). Workers are asked to let go of their slots, which each does
// once nothing there is active any more (thread-stat-store.ts draws it); until the last one has, the names are shown, as Envoy shows a removed cluster's while
// requests are still under way there. What comes back meanwhile goes on where it was.
import type { PlanRecord } from '../../plan/records.ts';
import { sanitizeName, type StatReader } from './stat-reader.ts';

export interface RetirementEnv {
  send(worker: number, records: readonly PlanRecord[]): void;
  workerIds(): readonly number[];
  /** Runs a task outside of this stack. */
  soon(task: () => void): void;
}

export class StatRetirement {
  private readonly reader: StatReader;
  private readonly env: RetirementEnv;
  /** Owners that there are, by their name in stats. */
  private readonly living = new Map<string, Set<string>>();
  /** Owners that are going: which asking it was, and the workers that have not let go yet. */
  private readonly leaving = new Map<string, { readonly ask: number; readonly workers: Set<number> }>();
  /** What all have let go of, by its name in stats; swept together, as a look at every name serves all of them. */
  private readonly gone = new Set<string>();
  private asks = 0;

  constructor(reader: StatReader, env: RetirementEnv) { this.reader = reader; this.env = env; }

  declare(owner: string): void {
    const key = sanitizeName(owner), same = this.living.get(key);
    if (same === undefined) this.living.set(key, new Set([owner])); else same.add(owner);
    this.leaving.delete(owner);
    this.gone.delete(key);
  }

  retire(owner: string): void {
    const key = sanitizeName(owner), same = this.living.get(key);
    if (same === undefined || !same.delete(owner)) return;
    if (same.size === 0) this.living.delete(key);
    const workers = new Set(this.env.workerIds()), ask = ++this.asks;
    this.leaving.set(owner, { ask, workers });
    for (const id of workers) this.env.send(id, [{ kind: 'stats-leave', owner, ask }]);
    this.look(owner);
  }

  /** A worker has let go of an owner; its slots may be used again once this is said back. */
  left(worker: number, m: { readonly owner: string; readonly ask: number; readonly number: number }): void {
    if (m.number > 0) this.env.send(worker, [{ kind: 'stats-free', number: m.number }]);
    const l = this.leaving.get(m.owner);
    if (l === undefined || l.ask !== m.ask) return;
    l.workers.delete(worker);
    this.look(m.owner);
  }

  /** A worker died: it holds nothing any more. */
  workerDown(worker: number): void { for (const [owner, l] of [...this.leaving]) if (l.workers.delete(worker)) this.look(owner); }

  private look(owner: string): void {
    if (this.leaving.get(owner)?.workers.size !== 0) return;
    this.leaving.delete(owner);
    if (this.living.has(sanitizeName(owner))) return;
    this.gone.add(sanitizeName(owner));
    if (this.gone.size === 1) this.env.soon(() => this.sweep());
  }

  /** Names belong to the longest owner that they start with: cluster 'a' takes nothing of cluster 'a.b' along. */
  private sweep(): void {
    if (this.gone.size === 0) return;
    const kept = new Set([...this.living.keys(), ...[...this.leaving.keys()].map(sanitizeName)]);
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
