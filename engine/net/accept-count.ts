// How many connections one turn brought to a listener's socket (listener.ADDRESS.connections_accepted_per_socket_event): counted as they come, recorded once the turn's
// work is done.
import type { Later } from '../loop/later.ts';
import { LISTENER } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';

export class AcceptCount {
  private readonly later: Later;
  private readonly stats: () => StatBlock;
  private accepted = 0;
  /** `stats`: the listener's, as it is when the turn ends. */
  constructor(later: Later, stats: () => StatBlock) { this.later = later; this.stats = stats; }

  one(): void { if (this.accepted++ === 0) this.later.soon(this.record); }
  private readonly record = (): void => { this.stats().record(LISTENER.connections_accepted_per_socket_event, this.accepted); this.accepted = 0; };
}
