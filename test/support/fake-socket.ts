// A socket without a kernel: records what is done to it, for tests of connections and filters on a virtual clock.
import { ManualClock } from '../../engine/loop/clock.ts';
import { TurnQueue } from '../../engine/loop/later.ts';
import { SeededRandom } from '../../engine/loop/random.ts';
import { Runtime } from '../../engine/loop/runtime.ts';
import { TimerWheel } from '../../engine/loop/timer-wheel.ts';
import { ipAddress, type Address } from '../../engine/net/address.ts';
import { InternalNetwork } from '../../engine/net/internal-network.ts';
import { SecretStore } from '../../engine/net/tls/secret-store.ts';
import type { SocketSink, Transport, TransportSocket } from '../../engine/net/transport/transport.ts';
import type { WorkerEnv } from '../../engine/net/worker-env.ts';
import { ConnectionFacts } from '../../engine/observe/stream-facts.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';

export class FakeSocket implements TransportSocket {
  sink: SocketSink = { onConnect() {}, onData() {}, onEnd() {}, onBlocked() {}, onDrained() {}, onClose() {} };
  readonly local = ipAddress('127.0.0.1', 80);
  readonly remote = ipAddress('10.0.0.1', 1234);
  originalDestination: Address | null = null;
  written = ''; paused = false; ended = false; destroyed = '';
  pendingBytes = 0; highMark = 0;
  writeLatin1(text: string): void { this.written += text; }
  write(bytes: Uint8Array, start: number, end: number): void { this.written += Buffer.from(bytes.subarray(start, end)).toString('latin1'); }
  pause(): void { this.paused = true; }
  resume(): void { this.paused = false; }
  end(): void { this.ended = true; }
  destroy(how: 'flush' | 'now' | 'reset'): void { this.destroyed ||= how; }
  setNoDelay(): void {}
  setKeepalive(): void {}
  setOption(): boolean { return true; }
  /** Bytes from the peer, in a buffer that is wiped afterwards: what was lent must have been copied. */
  receive(text: string): void {
    const b = Buffer.from(`..${text}`, 'latin1');
    this.sink.onData(b, 2, b.length);
    b.fill('#');
  }
}

export interface FakeEnv extends WorkerEnv { readonly clock: ManualClock; readonly wheel: TimerWheel; readonly later: TurnQueue; advance(ms: number): void }

export function fakeEnv(): FakeEnv {
  const clock = new ManualClock(), wheel = new TimerWheel(clock), later = new TurnQueue(() => {});
  return {
    clock, wheel, later, random: new SeededRandom(), runtime: new Runtime(), stats: new ThreadStatStore(new SharedArrayBuffer(1 << 20), () => {}), transport: null as unknown as Transport, internal: new InternalNetwork(later, wheel, clock), workerId: 0,
    log: null as never, secrets: new SecretStore(new Uint8Array(32)), tls: [],
    advance(ms) { clock.set(clock.nowMs() + ms); wheel.advance(); later.run(); },
  };
}

export function factsOf(socket: TransportSocket): ConnectionFacts {
  const f = new ConnectionFacts();
  if (socket.remote.kind === 'ip') { f.remoteIp = f.directRemoteIp = socket.remote.ip; f.remotePort = f.directRemotePort = socket.remote.port; }
  if (socket.local.kind === 'ip') { f.localIp = socket.local.ip; f.localPort = socket.local.port; }
  return f;
}
