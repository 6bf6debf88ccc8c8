// TLS contexts at work: a listener chain's or a cluster's plan with the secrets of the day. A changed secret makes a new context for the connections that come;
// those that are there keep the old one. Counts what Envoy counts under ssl.
import { createHash, createHmac } from 'node:crypto';
import type { ConnectionFacts, TlsFacts } from '../../observe/stream-facts.ts';
import { TLS, TLS_FACTORY, TLS_FACTORY_SCHEMA, TLS_SCHEMA } from '../../observe/stats/tls-schemas.ts';
import { StatBlock } from '../../observe/stats/stat-block.ts';
import { PROCESS_TICKETS, type CommonTlsPlan, type DownstreamTlsPlan, type UpstreamTlsPlan, type ValidationPlan } from '../../plan/tls-plan.ts';
import type { TransportSocket } from '../transport/transport.ts';
import type { WorkerEnv } from '../worker-env.ts';
import type { ClientContext, ClientContextSpec, ClientOptions, ContextSecrets, HandshakeFacts, ServerContext, ServerContextSpec, TlsFault } from './engine.ts';
import { certificatesOf } from './certificate.ts';
import { SessionFacts } from './facts.ts';
import { KeyLog } from './key-log.ts';
import { stapleProblem, type StapleOutcome } from './ocsp.ts';
import { TlsSocket, type TlsWatcher } from './tls-socket.ts';
import { WriteStage } from './write-stage.ts';

/** Counters of one scope: 'listener.X' or 'cluster.X'. */
export class TlsStats {
  readonly ssl: StatBlock;
  readonly factory: StatBlock;
  private readonly env: WorkerEnv;
  private readonly prefix: string;
  private readonly slots = new Map<string, number>();

  constructor(env: WorkerEnv, scope: string, side: 'server' | 'client') {
    this.env = env; this.prefix = `${scope}.ssl`;
    this.ssl = new StatBlock(env.stats, TLS_SCHEMA, this.prefix);
    this.factory = new StatBlock(env.stats, TLS_FACTORY_SCHEMA, `${scope}.${side}_ssl_socket_factory`);
  }

  secured(f: HandshakeFacts): void {
    this.ssl.inc(TLS.handshake);
    if (f.resumed) this.ssl.inc(TLS.session_reused);
    if (!f.peerCertificatePresented) this.ssl.inc(TLS.no_certificate);
    this.named('ciphers', f.cipher); this.named('curves', f.curve); this.named('sigalgs', f.signature); this.named('versions', f.version);
  }
  stapled(outcome: StapleOutcome): void {
    this.ssl.inc(TLS.ocsp_staple_requests);
    this.ssl.inc(outcome === 'staple' ? TLS.ocsp_staple_responses : outcome === 'none' ? TLS.ocsp_staple_omitted : TLS.ocsp_staple_failed);
  }
  failed(f: TlsFault): void { if (f.stat !== '') this.ssl.inc(TLS[f.stat]); }

  private named(kind: string, name: string): void {
    if (name === '') return;
    const key = `${this.prefix}.${kind}.${name}`;
    let slot = this.slots.get(key);
    if (slot === undefined) { slot = this.env.stats.claimOne(key, 'counter'); this.slots.set(key, slot); }
    this.env.stats.column[slot]!++;
  }
}

/** Later contexts over earlier ones, as protobuf merges: set scalars replace, lists append. */
function mergeValidation(list: readonly ValidationPlan[]): ValidationPlan | null {
  let out: ValidationPlan | null = null;
  for (const v of list) {
    if (out === null) { out = v; continue; }
    const o: ValidationPlan = out;
    out = {
      ca: v.ca || o.ca, crl: v.crl || o.crl, systemRoots: v.systemRoots || o.systemRoots, hashes: [...o.hashes, ...v.hashes], spki: [...o.spki, ...v.spki], sans: [...o.sans, ...v.sans],
      acceptUntrusted: v.acceptUntrusted || o.acceptUntrusted, allowExpired: v.allowExpired || o.allowExpired, onlyLeafCrl: v.onlyLeafCrl || o.onlyLeafCrl, maxDepth: v.maxDepth >= 0 ? v.maxDepth : o.maxDepth, suppressCaList: v.suppressCaList || o.suppressCaList, spiffe: v.spiffe ?? o.spiffe,
    };
  }
  return out;
}

/** By what Envoy tells apart servers whose sessions may be resumed at each other: a renewed certificate is the same, as is another replica's. */
function identityOf(chain: string): unknown {
  const leaf = certificatesOf(chain)[0]!;
  return [leaf.commonName, leaf.alternatives.filter((a) => a.type === 'DNS' || a.type === 'URI' || a.type === 'IP_ADDRESS').map((a) => a.value), leaf.issuer];
}

/** The secrets of a plan, or null while one of them is not there yet. `policy`: what else a session must not outlive. */
function gather(env: WorkerEnv, plan: CommonTlsPlan, ticketKeys: string, policy: unknown): ContextSecrets | null {
  const certificates: ContextSecrets['certificates'][number][] = [], validations: ValidationPlan[] = [];
  for (const name of plan.certificates) { const s = env.secrets.get(name); if (s?.kind !== 'certificate') return null; certificates.push(s); }
  for (const name of plan.validation) { const s = env.secrets.get(name); if (s?.kind !== 'validation') return null; validations.push(s.validation); }
  const tickets = env.secrets.get(ticketKeys || PROCESS_TICKETS);
  if (ticketKeys !== '' && tickets?.kind !== 'tickets') return null;
  const validation = mergeValidation(validations);
  const hash = createHash('sha256').update(JSON.stringify([certificates.map((c) => identityOf(c.chain)), validation, policy]));
  const sessionGroup = hash.digest('hex'), keys = tickets?.kind === 'tickets' ? tickets.keys : [env.secrets.derive('tickets')];
  return { certificates, validation, sessionGroup, ticketSeeds: keys.map((k) => createHmac('sha256', k).update(sessionGroup).digest()) };
}

/** Why these secrets make no context: control refuses it in a configuration's own certificates, for those by discovery the context before stays. */
function problemOf(spec: ServerContextSpec | ClientContextSpec): string {
  if (spec.side === 'client') return '';
  for (const c of spec.secrets.certificates) { const problem = stapleProblem(c, spec.plan.staplePolicy); if (problem !== '') return problem; }
  return '';
}

/** Keeps one context up to date with its secrets. */
class Current<C, S extends ServerContextSpec | ClientContextSpec> {
  private context: C | null = null;
  private seen = 0;
  /** Of the secrets `names` when the context was made of them. */
  private versions: readonly number[] | null = null;
  private readonly env: WorkerEnv;
  private readonly names: readonly string[];
  private readonly spec: () => S | null;
  private readonly make: (engine: WorkerEnv['tls'][number], spec: S) => C;
  private readonly stats: TlsStats;
  private readonly what: string;

  constructor(env: WorkerEnv, names: readonly string[], what: string, stats: TlsStats, spec: () => S | null, make: (engine: WorkerEnv['tls'][number], spec: S) => C) { this.env = env; this.names = names; this.what = what; this.stats = stats; this.spec = spec; this.make = make; }

  /** null: a secret is missing. */
  get(): C | null {
    const { secrets } = this.env;
    if (this.seen === secrets.version) return this.context;
    this.seen = secrets.version;
    const versions = this.names.map((n) => secrets.versionOf(n)), before = this.versions, changed = this.names.filter((_n, i) => versions[i] !== before?.[i]);
    if (before !== null && changed.length === 0) return this.context;
    const spec = this.spec();
    if (spec === null) return this.context;
    // A rotation of the process's own ticket keys is nobody's update.
    if (before !== null && changed.some((n) => n !== PROCESS_TICKETS)) this.stats.factory.inc(TLS_FACTORY.ssl_context_update_by_sds);
    this.versions = versions;
    this.context = this.build(spec) ?? this.context;
    return this.context;
  }

  private build(spec: S): C | null {
    const { tls, log, workerId } = this.env, problem = problemOf(spec), fallback = tls.at(-1);
    if (problem !== '') { log.log('connection', 'error', `${this.what}: ${problem}`); return null; }
    for (const engine of tls) {
      const cannot = engine.cannot(spec);
      if (cannot !== '' && engine === fallback) { log.log('connection', 'error', `${this.what}: no TLS, as ${engine.name} has no ${cannot}`); continue; }
      if (cannot !== '') { if (workerId === 0) log.log('connection', 'warning', `${this.what}: TLS by node:tls, as ${engine.name} has no ${cannot}`); continue; }
      // Control has checked the secrets; what an engine still refuses is told, and the context before stays.
      try { return this.make(engine, spec); } catch (e) { log.log('connection', 'error', `${this.what}: ${engine.name}: ${(e as Error).message}`); }
    }
    return null;
  }
}

/** What writes key_log. */
function keyLines(plan: CommonTlsPlan): (lines: readonly string[], sink: unknown) => void {
  const log = plan.keyLog === null ? null : new KeyLog(plan.keyLog);
  return (lines, sink) => { if (log !== null && sink instanceof TlsSocket) log.write(lines, sink.local, sink.remote); };
}

/** Puts TLS on accepted sockets. */
export interface DownstreamSocketFactory {
  /** The socket that filters work on; null: it cannot be served (a secret is missing), close it. */
  wrap(socket: TransportSocket, facts: ConnectionFacts): TransportSocket | null;
}

/** What BoringSSL says of a connection whose handshake has not come to a version. */
const UNFINISHED = new SessionFacts({ version: 'TLSv1.2', cipher: '', sni: '', alpn: '', sessionId: '', resumed: false, curve: '', signature: '' }, [], false, null);

class DownstreamHandshake implements TlsWatcher {
  private readonly stats: TlsStats; private readonly facts: ConnectionFacts;
  constructor(stats: TlsStats, facts: ConnectionFacts) { this.stats = stats; this.facts = facts; }
  onSecured(_socket: TlsSocket, facts: HandshakeFacts): void {
    this.facts.tls = facts;
    this.facts.applicationProtocol = facts.alpn;
    this.stats.secured(facts);
  }
  onStaple(outcome: StapleOutcome): void { this.stats.stapled(outcome); }
  onFault(_socket: TlsSocket, fault: TlsFault, facts: HandshakeFacts | null): void {
    this.facts.transportFailure = fault.reason;
    this.facts.tls ??= facts ?? UNFINISHED;
    this.stats.failed(fault);
  }
}

export class DownstreamTls implements DownstreamSocketFactory {
  private readonly stats: TlsStats;
  private readonly stage: WriteStage;
  private readonly context: Current<ServerContext, ServerContextSpec>;

  /** `scope`: 'listener.ADDRESS'. */
  constructor(plan: DownstreamTlsPlan, env: WorkerEnv, scope: string) {
    this.stats = new TlsStats(env, scope, 'server');
    this.stage = WriteStage.of(env.later);
    const spec = (): ServerContextSpec | null => { const secrets = gather(env, plan, plan.ticketKeys, [plan.requireClientCertificate, plan.sessionTimeoutS, plan.ticketKeys]); return secrets === null ? null : { side: 'server', plan, secrets, nowMs, onKeyLines }; };
    const onKeyLines = keyLines(plan), nowMs = (): number => env.clock.wallMs();
    this.context = new Current(env, [...plan.certificates, ...plan.validation, plan.ticketKeys || PROCESS_TICKETS], scope, this.stats, spec, (engine, s) => engine.server(s));
  }

  wrap(socket: TransportSocket, facts: ConnectionFacts): TransportSocket | null {
    const context = this.context.get();
    if (context === null) { this.stats.factory.inc(TLS_FACTORY.downstream_context_secrets_not_ready); return null; }
    facts.tlsTerminated = true;
    const wrapped = new TlsSocket(socket, new DownstreamHandshake(this.stats, facts), this.stage);
    return wrapped.use(context.accept(wrapped));
  }
}

/** Puts TLS on connecting sockets. */
export interface UpstreamSocketFactory {
  /** alpn_protocols of the context. */
  readonly alpn: readonly string[];
  wrap(socket: TransportSocket, options: ClientOptions): TransportSocket | null;
  /** What a connection to a host asks for where the request asks for nothing. */
  options(hostname: string): ClientOptions;
}

const NO_WATCH: TlsWatcher = { onSecured() {}, onFault() {}, onStaple() {} };

export class UpstreamTls implements UpstreamSocketFactory {
  private readonly plan: UpstreamTlsPlan;
  private readonly stats: TlsStats;
  private readonly context: Current<ClientContext, ClientContextSpec>;
  private readonly watcher: TlsWatcher;
  private readonly stage: WriteStage;
  private readonly plain: ClientOptions;

  /** `scope`: 'cluster.NAME'. */
  constructor(plan: UpstreamTlsPlan, env: WorkerEnv, scope: string) {
    this.plan = plan;
    const stats = this.stats = new TlsStats(env, scope, 'client');
    this.stage = WriteStage.of(env.later);
    const spec = (): ClientContextSpec | null => { const secrets = gather(env, plan, '', null); return secrets === null ? null : { side: 'client', plan, secrets, nowMs, onKeyLines }; };
    const onKeyLines = keyLines(plan), nowMs = (): number => env.clock.wallMs();
    this.context = new Current(env, [...plan.certificates, ...plan.validation], scope, stats, spec, (engine, s) => engine.client(s));
    this.watcher = { ...NO_WATCH, onSecured: (_s, f) => stats.secured(f), onFault: (_s, f) => stats.failed(f) };
    this.plain = this.asks(plan.sni);
  }

  get alpn(): readonly string[] { return this.plan.alpn; }
  private asks(serverName: string): ClientOptions { return { serverName, alpn: null, sans: null }; }
  options(hostname: string): ClientOptions { return this.plan.autoHostSni && hostname !== '' ? this.asks(hostname) : this.plain; }

  wrap(socket: TransportSocket, options: ClientOptions): TransportSocket | null {
    const context = this.context.get();
    if (context === null) { this.stats.factory.inc(TLS_FACTORY.upstream_context_secrets_not_ready); return null; }
    const wrapped = new TlsSocket(socket, this.watcher, this.stage);
    return wrapped.use(context.connect(wrapped, options));
  }
}

/** TLS facts of a socket, null for cleartext or before the handshake. */
export function tlsOf(socket: TransportSocket): TlsFacts | null { return socket instanceof TlsSocket ? socket.facts : null; }
