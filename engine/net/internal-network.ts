// Connections to listeners of this same process (Envoy: internal listeners): pairs of sockets without a kernel, on one worker. What one end writes waits at the other
// until that reads it; back-pressure is as with a kernel's socket of `bufferBytes`. Nothing is told from inside a call of an owner: deliveries are tasks of the turn, and
// when there are too many of them within one millisecond (a listener that leads to itself) the rest waits for the next.
//
//   connecting ──accepted──▶ open ──the other end closed──▶ half (its bytes, then its end, may still be read) ──▶ closed        any ──destroy, reset──▶ closed
import { ByteQueue } from '../base/byte-queue.ts';
import type { Clock } from '../loop/clock.ts';
import type { Later } from '../loop/later.ts';
import type { TimerWheel } from '../loop/timer-wheel.ts';
import type { MetadataValue, SharedStateValue } from '../observe/stream-facts.ts';
import { formatAddress, type Address, type InternalAddress } from './address.ts';
import { NO_SINK, type SocketSink, type TransportSocket } from './transport/transport.ts';

/** What a connection brings with it to the listener (internal_upstream): metadata of hosts and clusters, and filter state that was shared. */
export interface Passthrough { readonly metadata: ReadonlyMap<string, { readonly [key: string]: MetadataValue }>; readonly state: ReadonlyMap<string, SharedStateValue> }

export type InternalAccept = (socket: TransportSocket, passthrough: Passthrough | null) => void;

/** Envoy's default (buffer_size_kb 1024). */
const BUFFER_BYTES = 1 << 20;
/** Bytes that one delivery passes on at most: others have their turn in between. */
const AT_ONCE = 1 << 18;
const TASKS_PER_MS = 10_000;
/** What Envoy calls the client's end. */
const CLIENT: Address = { kind: 'internal', listener: 'internal_client_address', endpointId: '' };

class InternalSocket implements TransportSocket {
  sink: SocketSink = NO_SINK;
  readonly local: Address;
  readonly remote: Address;
  readonly originalDestination = null;
  highMark = 1 << 20;
  peer!: InternalSocket;
  private readonly network: InternalNetwork;
  /** What the other end has written and this one has not read. */
  private readonly inbox = new ByteQueue();
  private state: 'connecting' | 'open' | 'half' | 'closed';
  private paused = false;
  private blocked = false;
  /** Its writing side is ended. */
  private ended = false;
  /** The sink has been told of the other's end. */
  private endTold = false;
  private scheduled = false;
  private tellConnect = false;
  private tellBlocked = false;
  private tellClose: string | null = null;

  constructor(network: InternalNetwork, local: Address, remote: Address, state: 'connecting' | 'open') { this.network = network; this.local = local; this.remote = remote; this.state = state; }

  /** @internal The listener has it, or there is none. */
  connected(error: string): void {
    if (this.state !== 'connecting') return;
    this.state = 'open';
    if (error === '') this.tellConnect = true; else this.tellClose = error;
    this.schedule();
    if (this.inbox.length > 0 || this.peer.ended) this.schedule();
  }

  writeLatin1(text: string): void { this.put(Buffer.from(text, 'latin1')); }
  write(bytes: Uint8Array, start: number, end: number): void { if (end > start) this.put(Uint8Array.prototype.slice.call(bytes, start, end)); }
  private put(bytes: Uint8Array): void {
    if (this.state === 'closed' || this.ended || bytes.length === 0) return;
    if (this.state === 'half' && this.peer.state === 'closed') { this.tellClose ??= 'EPIPE'; this.schedule(); return; } // nobody is there to read it
    this.peer.inbox.push(bytes);
    this.peer.schedule();
    if (!this.blocked && this.pendingBytes > this.highMark) { this.blocked = this.tellBlocked = true; this.schedule(); }
  }
  get pendingBytes(): number { return Math.max(0, this.peer.inbox.length - this.network.bufferBytes); }
  pause(): void { this.paused = true; }
  resume(): void { if (this.paused) { this.paused = false; this.schedule(); } }
  end(): void { if (this.state !== 'closed' && !this.ended) { this.ended = true; this.peer.schedule(); } }

  destroy(how: 'flush' | 'now' | 'reset'): void {
    const { peer } = this;
    if (this.state === 'closed') { if (how !== 'flush' && peer.state === 'half' && peer.inbox.length > 0) peer.cut(); return; }
    this.state = 'closed';
    this.ended = true;
    this.sink = NO_SINK;
    this.network.left();
    // As with the kernel: bytes that nobody reads make a reset of the close.
    const unread = this.inbox.length > 0;
    this.inbox.clear();
    if (peer.state === 'closed') return;
    if (how === 'reset' || (how === 'now' && unread)) { peer.cut(); return; }
    peer.state = 'half';
    peer.schedule();
  }
  private cut(): void { this.state = 'half'; this.inbox.clear(); this.tellClose = 'ECONNRESET'; this.schedule(); }

  setNoDelay(): void { /* there is no kernel */ }
  setKeepalive(): void { /* there is no kernel */ }
  setOption(): boolean { return false; }

  private schedule(): void {
    if (this.scheduled || this.state === 'closed' || this.state === 'connecting') return;
    this.scheduled = true;
    this.network.soon(this.deliver);
  }

  private readonly deliver = (): void => {
    this.scheduled = false;
    if (this.over()) return;
    if (this.tellConnect) { this.tellConnect = false; this.sink.onConnect(); }
    if (this.tellClose !== null) { this.close(this.tellClose); return; }
    if (this.tellBlocked && !this.over()) { this.tellBlocked = false; if (this.blocked) this.sink.onBlocked(); }
    for (let given = 0; !this.over() && !this.paused && this.inbox.length > 0;) {
      if (given >= AT_ONCE) { this.schedule(); return; }
      const chunk = this.inbox.shift()!;
      given += chunk.length;
      this.sink.onData(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), 0, chunk.length);
      this.peer.roomier();
    }
    if (this.over() || this.paused || this.inbox.length > 0 || !this.peer.ended || this.endTold) return;
    this.endTold = true;
    this.sink.onEnd();
  };
  /** A sink's call may have closed it. */
  private over(): boolean { return this.state === 'closed'; }

  private roomier(): void {
    if (!this.blocked || this.state === 'closed' || this.pendingBytes > this.highMark / 2) return;
    this.blocked = false;
    if (this.tellBlocked) this.tellBlocked = false; else this.sink.onDrained();
  }

  private close(error: string): void {
    const { sink } = this;
    this.destroy('now');
    sink.onClose(error);
  }
}

/** One for a worker. */
export class InternalNetwork {
  private readonly later: Later;
  private readonly wheel: TimerWheel;
  private readonly clock: Clock;
  private readonly listeners = new Map<string, InternalAccept>();
  private tasks = 0;
  private tasksMs = -1;
  /** Bytes that are under way between two ends before the writer's own count (bootstrap extension internal_listener). */
  bufferBytes = BUFFER_BYTES;
  /** Ends that are not closed. */
  openSockets = 0;

  constructor(later: Later, wheel: TimerWheel, clock: Clock) { this.later = later; this.wheel = wheel; this.clock = clock; }

  listen(name: string, accept: InternalAccept): void { this.listeners.set(name, accept); }
  close(name: string): void { this.listeners.delete(name); }

  /** Begins to connect; the result comes to the sink, as with Transport.connect. */
  connect(address: InternalAddress, sink: SocketSink, passthrough: Passthrough | null): TransportSocket {
    const client = new InternalSocket(this, CLIENT, address, 'connecting'), server = new InternalSocket(this, address, CLIENT, 'open');
    client.peer = server; server.peer = client;
    client.sink = sink;
    this.openSockets += 2;
    this.soon(() => {
      const accept = this.listeners.get(address.listener);
      if (accept === undefined) { client.connected(`immediate connect error: Invalid argument|remote_address:${formatAddress(address)}`); server.destroy('now'); return; }
      client.connected('');
      accept(server, passthrough);
    });
    return client;
  }

  /** @internal */
  left(): void { this.openSockets--; }

  /** @internal Runs a delivery after the present stack. */
  soon(task: () => void): void {
    const now = this.clock.nowMs();
    if (now !== this.tasksMs) { this.tasksMs = now; this.tasks = 0; }
    if (++this.tasks > TASKS_PER_MS) this.wheel.after(1, task); else this.later.soon(task);
  }
}
