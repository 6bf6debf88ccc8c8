// What the admin interface itself counts and logs: stats as of a listener and a connection manager called 'admin', and its access logs.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import { SystemClock } from '../loop/clock.ts';
import { SystemRandom } from '../loop/random.ts';
import { Runtime } from '../loop/runtime.ts';
import { TimerWheel } from '../loop/timer-wheel.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { LogFiles } from '../observe/accesslog/log-file.ts';
import { makeAccessLog } from '../observe/accesslog/make-access-log.ts';
import { openNodeSink } from '../observe/accesslog/node-file-sink.ts';
import { FILESYSTEM_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import { ThreadStatStore } from '../observe/stats/thread-stat-store.ts';
import { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { AccessLogPlan } from '../plan/accesslog-plan.ts';
import type { ProcessStats } from './stats/process-stats.ts';

export interface TrafficEnv { after(ms: number, task: () => void): () => void; readonly stats: ProcessStats; readonly fileFlushIntervalMs: number; readonly fileFlushMinBytes: number; readonly operators: { readonly hostname: string; environment(name: string): string | undefined } }
/** An answer that is out. Times are monotonic ms. */
export interface AnsweredRequest { readonly message: IncomingMessage; readonly status: number; readonly bytesSent: number; readonly startMs: number; readonly endMs: number }

const ID = -1;

export class AdminTraffic {
  private readonly env: TrafficEnv;
  private readonly logs: readonly AccessLog[];
  private readonly files: LogFiles;
  private readonly clock = new SystemClock();
  private readonly wheel = new TimerWheel(this.clock);
  private scheduled = false;

  constructor(plans: readonly { readonly body: unknown }[], env: TrafficEnv) {
    this.env = env;
    const memory = new SharedArrayBuffer(8 * 64), { reader } = env.stats;
    reader.attach(ID, memory);
    const store = new ThreadStatStore(memory, (c) => reader.claim(ID, c));
    this.files = new LogFiles(openNodeSink, this.wheel, new StatBlock(store, FILESYSTEM_SCHEMA, 'filesystem'), { flushIntervalMs: env.fileFlushIntervalMs, minFlushBytes: env.fileFlushMinBytes });
    this.logs = plans.map((p) => makeAccessLog(p.body as AccessLogPlan, { clock: this.clock, runtime: new Runtime(), random: new SystemRandom(), operators: env.operators, logFiles: this.files }));
  }

  watch(server: Server): void { server.on('connection', (s: Socket) => this.connected(s)); }
  reopen(): void { this.files.reopenAll(); }
  /** Writes what waits. */
  close(done: () => void): void { this.files.drainAll(done); }

  private add(name: string, kind: 'counter' | 'gauge', by: number): void { this.env.stats.change(name, kind, { add: by }); }

  private connected(s: Socket): void {
    this.clock.tick();
    const began = this.clock.nowMs();
    for (const n of ['http.admin.downstream_cx', 'http.admin.downstream_cx_http1', 'listener.admin.downstream_cx', 'listener.admin.main_thread.downstream_cx']) { this.add(`${n}_total`, 'counter', 1); this.add(`${n}_active`, 'gauge', 1); }
    this.env.stats.reader.record('listener.admin.connections_accepted_per_socket_event', 1);
    s.once('close', () => {
      this.clock.tick();
      for (const n of ['http.admin.downstream_cx', 'http.admin.downstream_cx_http1', 'listener.admin.downstream_cx', 'listener.admin.main_thread.downstream_cx']) this.add(`${n}_active`, 'gauge', -1);
      for (const n of ['http.admin.downstream_cx_destroy', 'http.admin.downstream_cx_destroy_remote', 'listener.admin.downstream_cx_destroy']) this.add(n, 'counter', 1);
      this.add('http.admin.downstream_cx_rx_bytes_total', 'counter', s.bytesRead);
      this.add('http.admin.downstream_cx_tx_bytes_total', 'counter', s.bytesWritten);
      for (const n of ['http.admin', 'listener.admin']) this.env.stats.reader.record(`${n}.downstream_cx_length_ms`, this.clock.nowMs() - began);
    });
  }

  began(): void { for (const n of ['downstream_rq_total', 'downstream_rq_http1_total']) this.add(`http.admin.${n}`, 'counter', 1); this.add('http.admin.downstream_rq_active', 'gauge', 1); }

  answered(r: AnsweredRequest): void {
    this.add('http.admin.downstream_rq_active', 'gauge', -1);
    for (const p of ['http.admin', 'listener.admin.http.admin']) for (const n of ['completed', `${Math.floor(r.status / 100)}xx`]) this.add(`${p}.downstream_rq_${n}`, 'counter', 1);
    this.env.stats.reader.record('http.admin.downstream_rq_time', r.endMs - r.startMs);
    if (this.logs.length === 0) return;
    this.clock.tick();
    const facts = this.factsOf(r);
    for (const l of this.logs) l.log(facts, 'DownstreamEnd');
    this.schedule();
  }

  /** The wheel is turned when something is due. */
  private schedule(): void {
    const next = this.wheel.nextMs();
    if (this.scheduled || next < 0) return;
    this.scheduled = true;
    this.env.after(Math.ceil(next), () => { this.scheduled = false; this.clock.tick(); this.wheel.advance(); this.schedule(); });
  }

  private factsOf({ message, status, bytesSent, startMs, endMs }: AnsweredRequest): StreamFacts {
    const connection = new ConnectionFacts(), facts = new StreamFacts(connection), request = new RequestHeaders(), response = new ResponseHeaders(), { socket } = message;
    connection.remoteIp = connection.directRemoteIp = facts.remoteIp = socket.remoteAddress ?? '';
    connection.remotePort = connection.directRemotePort = facts.remotePort = socket.remotePort ?? 0;
    connection.remoteText = connection.directRemoteText = facts.remoteText = socket.remoteAddress === undefined ? '' : `${socket.remoteAddress}:${socket.remotePort}`;
    connection.localIp = socket.localAddress ?? ''; connection.localPort = socket.localPort ?? 0; connection.localText = socket.localAddress === undefined ? '' : `${socket.localAddress}:${socket.localPort}`;
    connection.listenerName = 'admin';
    request.method = message.method ?? ''; request.path = message.url ?? ''; request.authority = message.headers.host ?? ''; request.scheme = 'http';
    for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) { const name = message.rawHeaders[i]!.toLowerCase(); if (name !== 'host') request.add(name, message.rawHeaders[i + 1]!); }
    response.status = status;
    facts.request = request; facts.response = response; facts.status = status; facts.protocol = `HTTP/${message.httpVersion}`; facts.responseBodyBytes = bytesSent; facts.statusDetails = 'admin_filter_response';
    facts.startMs = startMs; facts.endMs = facts.lastTxMs = endMs; facts.firstTxMs = facts.requestEndMs = startMs;
    facts.startWallMs = this.clock.wallMs() - (this.clock.nowMs() - startMs);
    return facts;
  }
}
