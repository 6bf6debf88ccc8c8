// Connecting to a host of several addresses (RFC 8305, "happy eyeballs"; Envoy: HappyEyeballsConnectionImpl): the first address at once, the next when the one before it has
// failed or has not answered within 300 ms; the first connection (over TLS: the first finished handshake) is taken, the others end. For the pool it is
// one connection, but upstream_cx_total counts every attempt, as Envoy's does.
//
//   racing ──an attempt connects──▶ over (raceWon)      racing ──the last one fails──▶ over (raceLost)      racing ──cancel──▶ over
import { Timer } from '../../loop/timer-wheel.ts';
import { formatAddress, type Address } from '../../net/address.ts';
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import type { WorkerEnv } from '../../net/worker-env.ts';
import type { UpstreamFacts } from '../../observe/stream-facts.ts';
import type { EyeballsPlan } from '../../plan/cluster-plan.ts';

/** How long an attempt stays alone. */
const DELAY_MS = 300;

export interface RaceOwner extends SocketSink { /** The socket is the owner's, and so is what comes of it. */ raceWon(socket: TransportSocket): void; /** Another attempt begins. */ raceGoesOn(): void; /** `error`: of the last attempt. */ raceLost(error: string): void }

class Attempt implements SocketSink {
  readonly race: AddressRace;
  socket!: TransportSocket;
  constructor(race: AddressRace) { this.race = race; }
  onConnect(): void { this.race.connected(this); }
  onClose(error: string): void { this.race.failed(this, error); }
  onEnd(): void { this.race.failed(this, ''); }
  onData(): void { /* nothing is said before the connection is there */ }
  onBlocked(): void {}
  onDrained(): void {}
}

export class AddressRace {
  private readonly env: WorkerEnv;
  private readonly addresses: readonly Address[];
  private readonly connectTo: (address: Address, sink: SocketSink) => TransportSocket;
  private readonly owner: RaceOwner;
  private readonly timer: Timer;
  private readonly running = new Set<Attempt>();
  private next = 0;
  private over = false;

  /** Begins at once. */
  constructor(env: WorkerEnv, addresses: readonly Address[], connectTo: (address: Address, sink: SocketSink) => TransportSocket, owner: RaceOwner) {
    this.env = env; this.addresses = addresses; this.connectTo = connectTo; this.owner = owner;
    this.timer = new Timer(() => this.start());
    this.start();
  }

  private start(): void {
    if (this.next > 0) this.owner.raceGoesOn();
    const attempt = new Attempt(this);
    this.running.add(attempt);
    attempt.socket = this.connectTo(this.addresses[this.next++]!, attempt);
    if (this.next < this.addresses.length) this.env.wheel.arm(this.timer, DELAY_MS);
  }

  /** @internal */
  connected(a: Attempt): void {
    if (this.over) return;
    this.running.delete(a);
    this.cancel();
    a.socket.sink = this.owner;
    this.owner.raceWon(a.socket);
  }

  /** @internal */
  failed(a: Attempt, error: string): void {
    if (this.over || !this.running.delete(a)) return;
    a.socket.destroy('now');
    if (this.next < this.addresses.length) { this.env.wheel.cancel(this.timer); this.start(); return; }
    if (this.running.size > 0) return;
    this.over = true;
    this.owner.raceLost(error);
  }

  /** Ends all attempts, with no word to the owner. */
  cancel(): void {
    this.over = true;
    this.env.wheel.cancel(this.timer);
    for (const a of this.running) a.socket.destroy('now');
    this.running.clear();
  }
}

/** For the log: a host of several addresses was reached at this one. */
export function noteReached(facts: UpstreamFacts, address: Address): void {
  facts.reachedText = formatAddress(address);
  if (address.kind === 'ip') { facts.reachedIp = address.ip; facts.reachedPort = address.port; }
}

/** The order in which addresses are tried: so many of the first family, then one of the other, and on like that. */
export function inTurns(all: readonly Address[], plan: EyeballsPlan): readonly Address[] {
  const [lead] = all, family = plan.family !== 0 ? plan.family : lead !== undefined && lead.kind === 'ip' ? lead.family : 4;
  const isFirst = (a: Address): boolean => a.kind === 'ip' && a.family === family;
  const first = all.filter(isFirst), other = all.filter((a) => !isFirst(a)), out: Address[] = [];
  while (first.length + other.length > 0) out.push(...first.splice(0, plan.count), ...other.splice(0, 1));
  return out;
}
