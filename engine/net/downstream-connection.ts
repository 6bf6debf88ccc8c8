// One accepted connection: carries socket events through its network filters to the terminal one, and ends once, with its stats and the listener's access logs.
// Made by the listener; ends by the socket's close or by `close` of a filter.
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { LISTENER, LISTENER_WORKER } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import { StreamFacts, type ConnectionFacts } from '../observe/stream-facts.ts';
import type { Timer } from '../loop/timer-wheel.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory } from './connection.ts';
import type { SocketSink, TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** What connections share with their listener. */
export interface ListenerState {
  readonly stats: StatBlock;
  readonly workerStats: StatBlock;
  readonly statPrefix: string;
  readonly bufferLimit: number;
  readonly accessLogs: readonly AccessLog[];
  draining: boolean;
  /** The connection has ended. */
  left(connection: AcceptedConnection): void;
}

export class AcceptedConnection implements DownstreamConnection, SocketSink {
  readonly socket: TransportSocket;
  readonly facts: ConnectionFacts;
  readonly env: WorkerEnv;
  private readonly state: ListenerState;
  private filters: NetworkFilter[] = [];
  private ended = false;
  private closing: Timer | null = null;

  constructor(socket: TransportSocket, facts: ConnectionFacts, state: ListenerState, env: WorkerEnv) {
    this.socket = socket; this.facts = facts; this.state = state; this.env = env;
    socket.sink = this;
  }

  get bufferLimit(): number { return this.state.bufferLimit; }
  get listenerStatPrefix(): string { return this.state.statPrefix; }
  get draining(): boolean { return this.state.draining; }

  start(factories: readonly NetworkFilterFactory[]): void {
    this.filters = factories.map((f) => f.create(this));
    for (const f of this.filters) if (f.onConnection?.() === 'stop' || this.ended) return;
  }

  onConnect(): void { /* an accepted socket is connected */ }
  onData(bytes: Buffer, start: number, end: number): void {
    this.facts.bytesReceived += end - start;
    if (this.closing !== null) return;
    const filters = this.filters;
    for (let i = 0; i < filters.length; i++) if (filters[i]!.onData(bytes, start, end) === 'stop') return;
  }
  onEnd(): void {
    if (this.closing !== null) { this.finish('now'); return; }
    for (const f of this.filters) f.onEnd?.();
  }
  onBlocked(): void { for (const f of this.filters) f.onBlocked?.(); }
  onDrained(): void { for (const f of this.filters) f.onDrained?.(); }
  onClose(error: string): void { this.end(error, this.closing !== null); }

  drain(): void { for (const f of this.filters) f.onDrain?.(); }

  close(how: 'flush' | 'now' | 'reset' | 'flush-delay', details = '', delayMs = 0): void {
    if (this.ended) return;
    if (details !== '' && this.facts.terminationDetails === '') this.facts.terminationDetails = details;
    if (how !== 'flush-delay' || delayMs === 0) { this.finish(how === 'flush-delay' ? 'flush' : how); return; }
    if (this.closing !== null) return;
    // The peer gets time to read what was sent before its own bytes lead to a reset; it usually closes first. Envoy sends no FIN meanwhile.
    this.closing = this.env.wheel.after(delayMs, () => { for (const f of this.filters) f.onDelayedClose?.(); this.finish('now'); });
  }

  private finish(how: 'flush' | 'now' | 'reset'): void {
    if (this.ended) return;
    this.socket.destroy(how);
    this.end('', true);
  }

  private end(error: string, local: boolean): void {
    if (this.ended) return;
    this.ended = true;
    if (this.closing !== null) this.env.wheel.cancel(this.closing);
    for (const f of this.filters) f.onClose(error, local);
    const { stats, workerStats } = this.state;
    stats.inc(LISTENER.downstream_cx_destroy);
    stats.dec(LISTENER.downstream_cx_active);
    workerStats.dec(LISTENER_WORKER.downstream_cx_active);
    stats.record(LISTENER.downstream_cx_length_ms, this.env.clock.nowMs() - this.facts.startMs);
    if (this.state.accessLogs.length > 0) {
      const facts = new StreamFacts(this.facts);
      facts.startMs = this.facts.startMs; facts.startWallMs = this.facts.startWallMs; facts.endMs = this.env.clock.nowMs();
      facts.remoteIp = this.facts.remoteIp; facts.remotePort = this.facts.remotePort; facts.remoteText = this.facts.remoteText;
      facts.wireReceived = this.facts.bytesReceived; facts.wireSent = this.facts.bytesSent;
      for (const log of this.state.accessLogs) log.log(facts, 'NotSet');
    }
    this.state.left(this);
  }
}
