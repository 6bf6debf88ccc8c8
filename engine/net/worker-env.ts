// What a worker gives to everything it builds from plans: the doors to time, chance, stats, sockets and logs. Made once per worker.
import type { Clock } from '../loop/clock.ts';
import type { TimerWheel } from '../loop/timer-wheel.ts';
import type { Random } from '../loop/random.ts';
import type { Later } from '../loop/later.ts';
import type { Runtime } from '../loop/runtime.ts';
import type { Logger } from '../observe/log.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';
import type { TlsEngine } from './tls/engine.ts';
import type { InternalNetwork } from './internal-network.ts';
import type { SecretStore } from './tls/secret-store.ts';
import type { Transport } from './transport/transport.ts';

export interface WorkerEnv {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly later: Later;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly stats: StatStore;
  readonly transport: Transport;
  /** Listeners of this worker that connections of its own come to. */
  readonly internal: InternalNetwork;
  readonly secrets: SecretStore;
  /** TLS engines, the preferred one first. */
  readonly tls: readonly TlsEngine[];
  /** 0-based number of this worker. */
  readonly workerId: number;
}

/** The same with the stats of what goes away together ('cluster.NAME', 'listener.ADDRESS', 'http.PREFIX'). */
export function ownedEnv(env: WorkerEnv, owner: string): WorkerEnv { return { ...env, stats: env.stats.owned(owner) }; }
