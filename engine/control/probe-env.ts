// The control thread's own doors to sockets, for what it connects to itself (health checks): node:net, TLS with the secrets of the process, stats that nobody reads.
import type { Clock } from '../loop/clock.ts';
import { TurnQueue } from '../loop/later.ts';
import type { Random } from '../loop/random.ts';
import { Runtime } from '../loop/runtime.ts';
import { TimerWheel } from '../loop/timer-wheel.ts';
import { tlsEngines } from '../net/tls/choose.ts';
import { SecretStore } from '../net/tls/secret-store.ts';
import { InternalNetwork } from '../net/internal-network.ts';
import { NodeTransport } from '../net/transport/node.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { Logger } from '../observe/log.ts';
import { ThreadStatStore } from '../observe/stats/thread-stat-store.ts';
import type { PlanRecord } from '../plan/records.ts';

export interface ProbeHost { after(ms: number, task: () => void): () => void; readonly log: Logger; readonly secretKey: Uint8Array; readonly tls: 'auto' | 'rustls' | 'node' }

/** Control has no worker's number. */
const CONTROL_ID = -1;

export class ProbeEnv {
  readonly env: WorkerEnv;
  constructor(host: ProbeHost, clock: Clock, random: Random) {
    const later = new TurnQueue(() => { host.after(0, () => later.run()); });
    const transport = new NodeTransport({ onTurnStart: () => clock.tick(), onTurnEnd: () => later.run() });
    // The timer wheel is not driven: what connects here keeps its time by `after`.
    const wheel = new TimerWheel(clock);
    this.env = {
      clock, random, later, transport, wheel, internal: new InternalNetwork(later, wheel, clock), runtime: new Runtime(), log: host.log, stats: new ThreadStatStore(new SharedArrayBuffer(1 << 20), () => {}), secrets: new SecretStore(host.secretKey), tls: tlsEngines(host.tls, later), workerId: CONTROL_ID,
    };
  }

  /** Secrets that go out to the workers hold here too. */
  take(records: readonly PlanRecord[]): void {
    for (const r of records) if (r.kind === 'secret') this.env.secrets.install(r.name, r.body); else if (r.kind === 'secret-removed') this.env.secrets.remove(r.name);
  }
}
