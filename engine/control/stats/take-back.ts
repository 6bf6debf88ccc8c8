// What a dead worker still held in the shared tables is given back: its own gauges in its column tell how much. What it had counted of its hosts is kept, so that no total
// goes back.
import { CIRCUIT_SCHEMA, HOST, HOST_COUNTERS, HOST_SCHEMA, LISTENER_WORKER, LISTENER_WORKER_SCHEMA } from '../../observe/stats/schemas.ts';
import { LIMIT_SCHEMA } from '../../observe/stats/l4-schemas.ts';
import type { StatClaim } from '../../observe/stats/thread-stat-store.ts';
import type { CircuitTable } from '../../shm/circuit-table.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { RecordBook } from '../../shm/record-book.ts';
import type { SharedLimits } from '../../shm/shared-limits.ts';
import type { SharedWords } from '../../shm/shared-words.ts';

/** Records by the first slot of the claims that stand for them: there may be several of one record, of owners one after the other. */
interface Held { readonly column: Float64Array; readonly hosts: Map<number, number>; readonly circuits: Map<number, number>; readonly listeners: Set<number>; readonly limits: Map<number, number>; /** The newest claim of each host. */ readonly hostAt: Map<number, number> }

/** Where the claims of a schema that stands for records of a shared table are; null: it is no such schema. */
function recordsOf(h: Held, schema: number): Map<number, number> | null {
  switch (schema) {
    case HOST_SCHEMA.id: return h.hosts;
    case CIRCUIT_SCHEMA.id: return h.circuits;
    case LIMIT_SCHEMA.id: return h.limits;
    default: return null;
  }
}
/** The record that a claim's prefix ends with. */
const recordOf = (prefix: string): number => Number(prefix.slice(prefix.lastIndexOf('.') + 1));

export class WorkerTakeBack {
  private readonly shared: { readonly hosts: HostTable; readonly circuits: CircuitTable; readonly words: SharedWords; readonly limits: SharedLimits };
  /** Where counts of hosts are kept. */
  private readonly book: RecordBook;
  private readonly held = new Map<number, Held>();
  constructor(shared: WorkerTakeBack['shared'], book: RecordBook) { this.shared = shared; this.book = book; }

  attach(worker: number, column: SharedArrayBuffer): void { this.held.set(worker, { column: new Float64Array(column), hosts: new Map(), circuits: new Map(), listeners: new Set(), limits: new Map(), hostAt: new Map() }); }

  claim(worker: number, c: StatClaim): void {
    const h = this.held.get(worker);
    if (h === undefined || c.kind !== 'stat-block') return;
    if (c.schema === LISTENER_WORKER_SCHEMA.id) { h.listeners.add(c.base); return; }
    const record = recordOf(c.prefix);
    recordsOf(h, c.schema)?.set(c.base, record);
    if (c.schema === HOST_SCHEMA.id) h.hostAt.set(record, c.base);
  }

  /** The worker has let go of it. */
  gone(worker: number, c: StatClaim): void {
    const h = this.held.get(worker);
    if (h === undefined || c.kind !== 'stat-block') return;
    if (c.schema === LISTENER_WORKER_SCHEMA.id) { h.listeners.delete(c.base); return; }
    recordsOf(h, c.schema)?.delete(c.base);
    if (c.schema === HOST_SCHEMA.id && h.hostAt.get(recordOf(c.prefix)) === c.base) h.hostAt.delete(recordOf(c.prefix));
  }

  /** The worker is dead: its requests, connections and circuit counts go back. */
  detach(worker: number): void {
    const h = this.held.get(worker);
    if (h === undefined) return;
    this.held.delete(worker);
    for (const [base, record] of h.hosts) { this.shared.hosts.addActive(record, -h.column[base + HOST.rq_active]!); this.shared.hosts.addConnections(record, -h.column[base + HOST.cx_active]!); }
    for (const [record, base] of h.hostAt) for (let i = 0; i < HOST_COUNTERS; i++) if (h.column[base + i] !== 0) this.book.add(record, i, h.column[base + i]!);
    for (const [base, record] of h.circuits) for (let kind = 0; kind < 5; kind++) { const n = h.column[base + kind]!; if (n > 0) this.shared.circuits.takeBack(record, kind, n); }
    for (const [base, record] of h.limits) { const n = h.column[base]!; if (n > 0 && record >= 0) this.shared.limits.release(record, n); }
    let connections = 0;
    for (const base of h.listeners) connections += h.column[base + LISTENER_WORKER.downstream_cx_active]!;
    if (connections > 0) this.shared.words.releaseConnections(connections);
  }

  /** One of a host's own stats (by its index in HOST_SCHEMA): the sum over the living workers, and for counters over those that died. */
  hostStat(record: number, at: number): number {
    let sum = this.book.counted(record, at);
    for (const h of this.held.values()) { const base = h.hostAt.get(record); if (base !== undefined) sum += h.column[base + at]!; }
    return sum;
  }
  /** All of them, for /clusters. */
  hostStats(record: number): number[] { return HOST_SCHEMA.names.map((_, at) => this.hostStat(record, at)); }
}
