// What a worker does about its own bugs. An exception out of one connection's event costs that connection and nothing else: it is counted
// (`server.envoy_bug_failures`), logged once per place, and the connection is reset, so that a peer that finds a bug cannot take a worker's other connections with it.
// Where no connection can be named, or bugs come too fast to be one peer's, the exception goes on: the thread ends by it and is replaced.
import type { Clock } from '../engine/loop/clock.ts';
import type { TransportSocket } from '../engine/net/transport/transport.ts';
import type { StatStore } from '../engine/observe/stats/stat-block.ts';

/** More bugs than this within WINDOW_MS, and the worker is taken for broken. */
const MOST = 100, WINDOW_MS = 10_000;
/** Places remembered as told of. */
const PLACES = 1000;

export class Containment {
  private readonly clock: Clock;
  private readonly stats: StatStore;
  private readonly critical: (text: string) => void;
  private readonly told = new Set<string>();
  private windowStart = -Infinity;
  private inWindow = 0;

  constructor(clock: Clock, stats: StatStore, critical: (text: string) => void) { this.clock = clock; this.stats = stats; this.critical = critical; }

  /** Takes an exception out of an event of `socket` (null: of none that is known). Throws it again where it cannot be contained. */
  caught(e: unknown, socket: TransportSocket | null): void {
    if (socket === null || this.tooMany()) throw e;
    this.stats.column[this.stats.claimOne('server.envoy_bug_failures', 'counter')]! += 1;
    this.tell(e);
    const { sink } = socket;
    socket.destroy('reset');
    // Whoever held the connection gives back what it counted, as if the peer had reset it.
    sink.onClose('ECONNABORTED');
  }

  private tooMany(): boolean {
    const now = this.clock.nowMs();
    if (now - this.windowStart > WINDOW_MS) { this.windowStart = now; this.inWindow = 0; }
    return ++this.inWindow > MOST;
  }

  private tell(e: unknown): void {
    const stack = e instanceof Error ? e.stack ?? e.message : String(e), place = stack.split('\n', 2)[1] ?? stack;
    if (this.told.has(place) || this.told.size === PLACES) return;
    this.told.add(place);
    this.critical(`envoy bug failure: ${stack}`);
  }
}
