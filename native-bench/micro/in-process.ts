// A whole worker without threads and sockets: the real control engine compiles the configuration, the real worker engine runs it on a transport of memory. What is
// left out is the kernel and the batch around it, so this is the price of a request in TypeScript.
import type Benchmark from 'benchmark';
import { ControlEngine, type ControlHost } from '../../engine/control-engine.ts';
import { SystemClock } from '../../engine/loop/clock.ts';
import { TurnQueue } from '../../engine/loop/later.ts';
import { SystemRandom } from '../../engine/loop/random.ts';
import { Runtime } from '../../engine/loop/runtime.ts';
import { TimerWheel } from '../../engine/loop/timer-wheel.ts';
import { ipAddress, type Address } from '../../engine/net/address.ts';
import { InternalNetwork } from '../../engine/net/internal-network.ts';
import { SecretStore } from '../../engine/net/tls/secret-store.ts';
import { tlsEngines } from '../../engine/net/tls/choose.ts';
import { NO_SINK, type ListenerSocket, type SocketSink, type Transport, type TransportSocket } from '../../engine/net/transport/transport.ts';
import type { WorkerEnv } from '../../engine/net/worker-env.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';
import type { PlanRecord } from '../../engine/plan/records.ts';
import type { RouteTables } from '../../engine/router/route-table.ts';
import type { ClusterSet } from '../../engine/upstream/cluster-set.ts';
import { WorkerEngine } from '../../engine/worker-engine.ts';
import { parseFlags } from '../../workers/flags.ts';
import { booksOf, processMemory, tablesOf, workerMemory } from '../../workers/threads.ts';

/** What most benchmarks ask, and what the upstream says. */
export const GET = Buffer.from('GET /some/path?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n', 'latin1');
export const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 128\r\ncontent-type: text/plain\r\ndate: Tue, 24 Nov 2026 00:00:00 GMT\r\n\r\n' + 'x'.repeat(128), 'latin1');

/** A socket of memory: counts what is written, tells `written`. */
export class MemorySocket implements TransportSocket {
  sink: SocketSink = NO_SINK;
  readonly local: Address = ipAddress('127.0.0.1', 80);
  readonly remote: Address = ipAddress('127.0.0.1', 50_000);
  readonly originalDestination = null;
  readonly pendingBytes = 0;
  highMark = 0;
  bytes = 0;
  written: (() => void) | null = null;
  writeLatin1(text: string): void { this.bytes += text.length; this.written?.(); }
  write(_b: Uint8Array, start: number, end: number): void { this.bytes += end - start; this.written?.(); }
  pause(): void { /* nothing waits */ } resume(): void { /* nothing waits */ } end(): void { /* nothing to see */ }
  destroy(): void { /* nothing to see */ }
  setNoDelay(): void { /* none */ } setKeepalive(): void { /* none */ } setOption(): boolean { return true; }
}

/** Accepts what a test gives it; connects to a peer that answers by `answer`. */
export class MemoryTransport implements Transport {
  datagrams(): Promise<{ readonly error: string }> { return Promise.resolve({ error: 'ENOTSUP' }); }
  readonly name = 'node';
  readonly openSockets = 0;
  private onAccept: ((s: TransportSocket) => void) | null = null;
  readonly answer: (upstream: MemorySocket) => void;
  private connecting: MemorySocket[] = [];
  constructor(answer: (upstream: MemorySocket) => void) { this.answer = answer; }
  listen(_o: unknown, onAccept: (s: TransportSocket) => void): Promise<ListenerSocket> { this.onAccept = onAccept; return Promise.resolve({ local: ipAddress('127.0.0.1', 80), pause() {}, resume() {}, close() {} }); }
  connect(_o: unknown, sink: SocketSink): TransportSocket { const s = new MemorySocket(); s.sink = sink; s.written = () => { this.waiting.push(s); }; this.connecting.push(s); return s; }
  private waiting: MemorySocket[] = [];
  accept(): MemorySocket { const s = new MemorySocket(); this.onAccept!(s); return s; }
  /** Connects what asked to be, and answers what was sent, until nothing is left. */
  settle(): void {
    while (this.connecting.length > 0 || this.waiting.length > 0) {
      const c = this.connecting, w = this.waiting;
      this.connecting = []; this.waiting = [];
      for (const s of c) s.sink.onConnect();
      for (const s of w) this.answer(s);
    }
  }
  wake(): void { /* settle() is the turn */ } wakeIn(): boolean { return true; /* as above */ } close(): void { /* nothing is open */ }
}

export interface InProcess { readonly transport: MemoryTransport; readonly env: WorkerEnv; readonly clusters: ClusterSet; readonly routes: RouteTables; readonly routeKeys: readonly string[]; turn(): void }

/** A bootstrap with one HTTP listener; blocks of flow YAML. */
export function httpBootstrap(o: { readonly virtualHosts?: string; readonly clusters?: string; readonly hcm?: string } = {}): string {
  return `
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          ${o.hcm ?? ''}
          route_config: {name: r, virtual_hosts: [${o.virtualHosts ?? '{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: backend}}]}'}]}
          http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - {name: backend, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: backend, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]}}
${o.clusters ?? ''}`;
}

/** Prints mean and best of each case: on a machine that others use, the best is what to compare. */
export function printed(suite: Benchmark.Suite): Benchmark.Suite {
  return suite.on('cycle', (e: Benchmark.Event) => {
    const b = e.target as unknown as Benchmark, unit = (s: number): string => (s < 1e-6 ? `${(s * 1e9).toFixed(1)} ns` : `${(s * 1e6).toFixed(2)} µs`);
    console.log(`${b.name}: ${unit(b.stats.mean)}, best ${unit(Math.min(...b.stats.sample))}`);
  });
}

/** Compiles `yaml` (a bootstrap without admin) and installs it in one worker. */
export async function inProcess(yaml: string, answer: (upstream: MemorySocket) => void): Promise<InProcess> {
  const parsed = parseFlags(['--config-yaml', yaml, '-l', 'error', '--concurrency', '1']);
  if ('print' in parsed) throw new Error(parsed.print);
  const memory = processMemory(1), tables = tablesOf(memory);
  const log = { log: (_c: string, level: string, text: string) => { if (level === 'error' || level === 'critical') throw new Error(text); }, enabled: () => false } as unknown as ControlHost['log'];
  const clock = new SystemClock(), wheel = new TimerWheel(clock), later = new TurnQueue(() => {}), transport = new MemoryTransport(answer);
  const env: WorkerEnv & { readonly stats: ThreadStatStore } = { clock, wheel, random: new SystemRandom(), later, runtime: new Runtime(), log: log as WorkerEnv['log'], stats: new ThreadStatStore(workerMemory().column, () => {}), transport, internal: new InternalNetwork(later, wheel, clock), secrets: new SecretStore(memory.secretKey), tls: tlsEngines('auto', later), workerId: 0 };
  let worker: WorkerEngine | null = null;
  let bound: () => void = () => {};
  const ready = new Promise<void>((r) => { bound = r; });
  const routeKeys: string[] = [];
  const take = (r: PlanRecord): void => {
    if (r.kind === 'routes') routeKeys.push(r.name);
    if (r.kind === 'settings') worker ??= new WorkerEngine(env, tables, r.body, () => undefined, (e) => { if (e.kind === 'listener-bound') bound(); });
    worker!.install(r);
  };
  const control = new ControlEngine({
    flags: parsed.flags as ControlHost['flags'], version: '0', log, startMs: 0, controlRestarts: 0, shared: tables, books: booksOf(memory), send: (_id, records) => { for (const r of records) take(r); }, broadcast: (records) => { for (const r of records) take(r); }, workerIds: () => [0],
    after: (ms, task) => { if (ms <= 0) setImmediate(task); return () => {}; }, configured: () => {}, watch: () => {}, exit: (code) => { throw new Error(`exit ${code}`); }, environment: () => undefined, secretKey: memory.secretKey, setLogLevel: () => true, setLogFormat: () => {}, logLevel: () => 'error',
  });
  control.onWorkerUp(0, workerMemory().column, 0);
  await control.start();
  await ready;
  const { clusters, routes } = worker as unknown as { clusters: ClusterSet; routes: RouteTables };
  return { transport, env, clusters, routes, routeKeys, turn: () => { clock.tick(); wheel.advance(); transport.settle(); later.run(); } };
}
