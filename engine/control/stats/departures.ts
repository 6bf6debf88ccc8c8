// What workers are to let go of ('cluster.NAME', 'host.RECORD' …: owners of stat slots), until the last of them has. A worker lets go once nothing of it is active there
// (thread-stat-store.ts draws it), so whoever waits here knows that no request, connection or breaker of the owner is left. One for the process.
import type { PlanRecord } from '../../plan/records.ts';

export interface DeparturesEnv {
  send(worker: number, records: readonly PlanRecord[]): void;
  workerIds(): readonly number[];
}

/** What a worker says when it has let go. */
export interface Left { readonly owner: string; readonly ask: number; readonly number: number }

export class Departures {
  private readonly env: DeparturesEnv;
  /** Which asking it was, and the workers that have not let go yet. */
  private readonly going = new Map<string, { readonly ask: number; readonly workers: Set<number>; readonly done: () => void }>();
  private asks = 0;
  constructor(env: DeparturesEnv) { this.env = env; }

  /** Asks all workers; `done` once each has let go, or has died. What tells a worker that the owner is gone must be sent before. */
  ask(owner: string, done: () => void): void {
    const workers = new Set(this.env.workerIds()), ask = ++this.asks;
    this.going.set(owner, { ask, workers, done });
    for (const id of workers) this.env.send(id, [{ kind: 'stats-leave', owner, ask }]);
    this.look(owner);
  }
  /** It is back: nobody waits for that any more. */
  cancel(owner: string): void { this.going.delete(owner); }

  /** A worker has let go of an owner; its slots may be used again once this is said back. False: nobody here waits for that. */
  left(worker: number, m: Left): boolean {
    if (m.number > 0) this.env.send(worker, [{ kind: 'stats-free', number: m.number }]);
    const g = this.going.get(m.owner);
    if (g === undefined || g.ask !== m.ask) return false;
    g.workers.delete(worker);
    this.look(m.owner);
    return true;
  }

  /** It holds nothing any more. */
  workerDown(worker: number): void { for (const [owner, g] of [...this.going]) if (g.workers.delete(worker)) this.look(owner); }

  private look(owner: string): void {
    const g = this.going.get(owner);
    if (g?.workers.size !== 0) return;
    this.going.delete(owner);
    g.done();
  }
}
