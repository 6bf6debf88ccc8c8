// The rustls engine: the addon of net/tls/native (scripts/build-tls.sh) as a TlsEngine. A call in, an answer out: what comes of `receive` is told before it returns.
// Scratch buffers are shared by all sessions of the thread: ciphertext is given away before plaintext, and plaintext is lent until the next receive.
import { createPrivateKey } from 'node:crypto';
import { createRequire } from 'node:module';
import type { CommonTlsPlan, UpstreamTlsPlan, ValidationPlan } from '../../plan/tls-plan.ts';
import { Certificate, certificatesOf } from './certificate.ts';
import { CertificateChoice } from './certificate-choice.ts';
import type { ClientContext, ClientContextSpec, ClientOptions, ContextSecrets, ServerContext, ServerContextSpec, TlsEngine, TlsFault, TlsSession, TlsSink } from './engine.ts';
import { SessionFacts, type Negotiated } from './facts.ts';
import { alertReason, sslReason } from './failure-table.ts';
import { DEFAULT_CIPHERS, DEFAULT_CURVES, flatCiphers, NAMES, RUSTLS_GROUPS, RUSTLS_SUITES } from './cipher-table.ts';
import { STAPLE_POLICIES, type StapleOutcome } from './ocsp.ts';
import { authoritiesOf, namesOf, NO_NAMES, PeerPolicy, type AskedNames } from './verify.ts';

interface Info { readonly alpn: string; readonly sni: string; readonly version: number; readonly suite: number; readonly group: number; readonly scheme: number; readonly resumed: boolean; readonly chosen: number; readonly peer: readonly Buffer[] }
interface Addon {
  init(out: Buffer, plain: Buffer, status: Buffer, judge: (leaf: Buffer, problem: string) => number, assign: (leaf: Buffer) => number): void;
  serverContext(spec: object): number; clientContext(spec: object): number; freeContext(id: number): void;
  accept(context: number, nowS: number): number; connect(context: number, name: string, alpn: readonly Buffer[]): number; close(id: number): void;
  receive(id: number, bytes: Buffer, start: number, end: number): number; send(id: number, bytes: Uint8Array, start: number, end: number): number; end(id: number): number;
  fault(id: number): string; info(id: number): Info | null; keyLines(): string[];
}

const SECURED = 1, CLOSED = 2, FAULT = 4, KEY_LINES = 8, STAPLE = 16;
/** STATUS[3] of a client that asked for a staple. */
const OUTCOMES: readonly StapleOutcome[] = ['staple', 'none', 'fail'];
/** Plaintext of one call: its ciphertext must fit OUT. */
const SEND_BYTES = 256 * 1024;
const OUT = Buffer.allocUnsafeSlow(320 * 1024), PLAIN = Buffer.allocUnsafeSlow(128 * 1024), STATUS_BYTES = Buffer.allocUnsafeSlow(16);
const STATUS = new Int32Array(STATUS_BYTES.buffer, STATUS_BYTES.byteOffset, 4);

/** The session whose bytes the addon is looking at: its certificate policy is asked. */
let receiving: RustlsSession | null = null;
function judge(leaf: Buffer, problem: string): number { return receiving === null ? 80 : receiving.judge(leaf, problem); }
function assign(leaf: Buffer): number { return receiving === null ? -1 : receiving.assign(leaf); }

let loaded: Addon | null | undefined;
/** The addon, once a thread; null where it is not built or does not load. */
function load(): Addon | null {
  if (loaded !== undefined) return loaded;
  try {
    loaded = createRequire(import.meta.url)('../../../build/tls.node') as Addon;
    loaded.init(OUT, PLAIN, STATUS_BYTES, judge, assign);
  } catch { loaded = null; }
  return loaded;
}

interface Owner { readonly addon: Addon; readonly policy: PeerPolicy; readonly server: boolean; readonly locals: readonly Certificate[]; onKeyLines(lines: readonly string[], sink: TlsSink): void }

/** A plaintext alert protocol_version, for what is no TLS at all. */
const NOT_TLS = Buffer.from([21, 3, 1, 0, 2, 2, 70]);
const HTTP = /^(GET |POST|HEAD|PUT )/;

class RustlsSession implements TlsSession {
  private readonly sink: TlsSink;
  private readonly owner: Owner;
  private readonly names: AskedNames;
  private id: number;
  private state: 'handshake' | 'open' | 'closed' = 'handshake';
  private first = true;
  private peerClosed = false;
  private refusal: TlsFault | null = null;
  private refused: Certificate | null = null;
  private validated = false;
  /** Plaintext written before the handshake was over. */
  private waiting: Buffer[] | null = null;
  private ending = false;
  pendingBytes = 0;

  constructor(sink: TlsSink, owner: Owner, id: number, names: AskedNames) { this.sink = sink; this.owner = owner; this.id = id; this.names = names; }

  start(): void { if (!this.owner.server && this.hello !== null) { const h = this.hello; this.hello = null; this.sink.onCiphertext(h, 0, h.length); } }
  /** A client's first flight, until the transport is connected. */
  hello: Buffer | null = null;

  /** The policy's answer within the handshake: 0, or the alert. */
  judge(leaf: Buffer, problem: string): number {
    const { policy } = this.owner;
    // An addon that was built before there were trust domains has checked no chain.
    if (!this.assigned && policy.bundles !== null) return 80;
    const certificate = new Certificate(Buffer.from(leaf)), unusable = policy.unusable(certificate);
    const fault = unusable ?? policy.check(certificate, problem === '' ? '' : `X509_verify_cert: ${problem}`, this.names);
    if (fault === null || (unusable === null && policy.acceptsAny)) { this.validated = fault === null && policy.checks; return 0; }
    this.refusal = fault;
    // A certificate that may not be used at all is no peer's, as in BoringSSL.
    this.refused = unusable === null ? certificate : null;
    return policy.alertOf(fault);
  }

  /** Which trust domain's authorities the chain of this leaf is checked by; -1: by none. */
  assign(leaf: Buffer): number { this.assigned = true; return this.owner.policy.bundleOf(new Certificate(Buffer.from(leaf))); }
  private assigned = false;

  receive(bytes: Buffer, start: number, end: number): void {
    if (this.first && this.id >= 0) { this.first = false; if (this.owner.server && this.noTls(bytes, start, end)) return; }
    while (this.id >= 0 && !this.peerClosed && start < end) {
      receiving = this;
      const flags = this.owner.addon.receive(this.id, bytes, start, end);
      receiving = null;
      start += STATUS[2]!;
      const plain = STATUS[1]!;
      if (STATUS[0]! > 0) this.sink.onCiphertext(OUT, 0, STATUS[0]!);
      if (flags !== 0) {
        if ((flags & STAPLE) !== 0) this.sink.onStaple(OUTCOMES[STATUS[3]!]!);
        if ((flags & KEY_LINES) !== 0) this.owner.onKeyLines(this.owner.addon.keyLines(), this.sink);
        if ((flags & SECURED) !== 0) this.secured();
      }
      if (plain > 0 && this.id >= 0) this.sink.onPlaintext(PLAIN, 0, plain);
      if ((flags & CLOSED) !== 0 && this.id >= 0) { this.peerClosed = true; this.sink.onCloseNotify(); }
      if ((flags & FAULT) !== 0 && this.id >= 0) { this.failed(); return; }
    }
  }

  /** Bytes that no TLS client sends first: HTTP gets no answer, anything else an alert, as of BoringSSL. */
  private noTls(bytes: Buffer, start: number, end: number): boolean {
    const byte = bytes[start]!;
    // A hello of TLS 1.1 or older, whatever else it offers.
    if (byte === 22 && end - start >= 11 && bytes[start + 5] === 1 && bytes[start + 9] === 3 && bytes[start + 10]! < 3) return this.refuseFirst(NOT_TLS, 'UNSUPPORTED_PROTOCOL');
    if (byte === 22 || byte === 21 || end - start < 4) return false;
    const text = bytes.latin1Slice(start, start + 4);
    return HTTP.test(text) ? this.refuseFirst(null, 'HTTP_REQUEST') : text === 'CONN' ? this.refuseFirst(null, 'HTTPS_PROXY_REQUEST') : this.refuseFirst(NOT_TLS, 'WRONG_VERSION_NUMBER');
  }
  private refuseFirst(alert: Buffer | null, reason: string): true {
    if (alert !== null) this.sink.onCiphertext(alert, 0, alert.length);
    this.over({ stat: 'connection_error', reason: sslReason(reason) }, null);
    return true;
  }

  private facts(info: Info, peer: readonly Certificate[], validated: boolean): SessionFacts {
    const n: Negotiated = { version: NAMES.versions[info.version] ?? '', cipher: NAMES.suites[info.suite] ?? '', sni: info.sni, alpn: info.alpn, sessionId: '', resumed: info.resumed, curve: NAMES.groups[info.group] ?? '', signature: NAMES.schemes[info.scheme] ?? '' };
    return new SessionFacts(n, peer, validated, this.owner.locals[Math.max(0, info.chosen)] ?? null);
  }

  private secured(): void {
    const info = this.owner.addon.info(this.id);
    if (info === null) return;
    this.state = 'open';
    const peer = info.peer.map((p) => new Certificate(p));
    this.sink.onSecured(this.facts(info, peer, this.validated || (info.resumed && peer.length > 0 && this.owner.policy.checks)));
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting !== null) for (const b of waiting) { this.pendingBytes -= b.length; this.put(b, 0, b.length); }
    if (this.ending && this.id >= 0) { this.closeNotify(); this.sink.onFlushed(); }
  }

  private failed(): void {
    const name = this.owner.addon.fault(this.id);
    const info = this.owner.addon.info(this.id), facts = info === null || info.version === 0 ? null : this.facts(info, this.refused === null ? [] : [this.refused], false);
    if (this.refusal !== null) { this.over(this.refusal, facts); return; }
    if (name.startsWith('ALERT ')) { this.over({ stat: 'connection_error', reason: alertReason(Number(name.slice(6))) }, facts); return; }
    if (name === 'PEER_DID_NOT_RETURN_A_CERTIFICATE') { this.over({ stat: 'fail_verify_no_cert', reason: sslReason(name, 'peer did not provide required client certificate') }, facts); return; }
    this.over({ stat: 'connection_error', reason: sslReason(name) }, facts);
  }

  private over(fault: TlsFault, facts: SessionFacts | null): void {
    this.close();
    this.sink.onFault(fault, facts);
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    if (this.id < 0 || this.ending) return;
    if (this.state === 'open') { this.put(bytes, start, end); return; }
    (this.waiting ??= []).push(Buffer.from(bytes.subarray(start, end)));
    this.pendingBytes += end - start;
  }
  private put(bytes: Uint8Array, start: number, end: number): void {
    for (; start < end && this.id >= 0; start += SEND_BYTES) {
      const n = this.owner.addon.send(this.id, bytes, start, Math.min(end, start + SEND_BYTES));
      if (n > 0) this.sink.onCiphertext(OUT, 0, n);
    }
  }

  receiveEnd(): void { if (this.id >= 0) this.sink.onTransportEnd(this.peerClosed); }
  closeNotify(): boolean {
    if (this.id < 0) return true;
    if (this.state === 'handshake') { this.ending = true; return false; }
    const n = this.owner.addon.end(this.id);
    if (n > 0) this.sink.onCiphertext(OUT, 0, n);
    return true;
  }
  close(): void {
    if (this.id < 0) return;
    this.owner.addon.close(this.id);
    this.id = -1;
    this.state = 'closed';
    this.waiting = null;
    this.pendingBytes = 0;
  }
}

const EMPTY_CHOICE = { exact: [], wildcard: [], unnamed: [], unmatched: [] };

function peerOf(v: ValidationPlan | null): object {
  const der = (pem: string, label: string): Buffer[] => [...pem.matchAll(new RegExp(`-----BEGIN ${label}-----([\\s\\S]*?)-----END ${label}-----`, 'g'))].map((m) => Buffer.from(m[1]!, 'base64'));
  return {
    ca: v === null ? [] : der(authoritiesOf(v), 'CERTIFICATE'), crl: v === null ? [] : der(v.crl, 'X509 CRL'), leafCrl: v?.onlyLeafCrl ?? false, allowExpired: v?.allowExpired ?? false, depth: v === null || v.maxDepth < 0 ? 100 : v.maxDepth, hints: v?.suppressCaList !== true,
    bundles: (v?.spiffe ?? []).map((b) => ({ ca: der(b.ca, 'CERTIFICATE'), crl: der(b.crl, 'X509 CRL') })),
  };
}

function common(plan: CommonTlsPlan, secrets: ContextSecrets): object {
  const { params } = plan, ciphers = params.ciphers.length > 0 ? params.ciphers : DEFAULT_CIPHERS;
  return {
    certs: secrets.certificates.map((c) => ({ chain: certificatesOf(c.chain).map((x) => x.raw), key: createPrivateKey(c.key).export({ type: 'pkcs8', format: 'der' }), must: c.mustStaple, ...(c.ocsp === null ? {} : { ocsp: Buffer.from(c.ocsp.response) }), stapleUntil: Math.floor((c.ocsp?.nextUpdateMs ?? 0) / 1000) })),
    tls12: params.minVersion !== 'TLSv1.3', tls13: params.maxVersion === 'TLSv1.3', suites: flatCiphers(ciphers).map((c) => RUSTLS_SUITES[c]!), grouped: ciphers.some((c) => c.startsWith('[')), groups: (params.curves.length > 0 ? params.curves : DEFAULT_CURVES).map((c) => RUSTLS_GROUPS[c]!),
    alpn: plan.alpn.map((a) => Buffer.from(a)), mandatory: false, requireSni: false, preferClient: false, ticketSeeds: [], lifetime: 0, stateless: false, stateful: false, group: '', keyLog: plan.keyLog !== null, sessions: 0, staple: 0, fips: params.fips, ...EMPTY_CHOICE,
  };
}

class RustlsServer implements ServerContext, Owner {
  readonly addon: Addon; readonly policy: PeerPolicy; readonly server = true; readonly locals: readonly Certificate[];
  private readonly id: number;
  onKeyLines: Owner['onKeyLines'];
  private readonly nowMs: () => number;
  constructor(addon: Addon, spec: ServerContextSpec) {
    const { plan, secrets } = spec, choice = new CertificateChoice(secrets.certificates, plan.fullScan), asks = plan.requireClientCertificate || secrets.validation !== null;
    this.addon = addon;
    this.policy = new PeerPolicy(secrets.validation);
    const mandatory = plan.requireClientCertificate || this.policy.demands;
    this.locals = secrets.certificates.map((c) => certificatesOf(c.chain)[0]!);
    this.onKeyLines = spec.onKeyLines;
    this.nowMs = spec.nowMs;
    this.id = addon.serverContext({
      ...common(plan, secrets), ...choice.table(), ...(asks ? { peer: peerOf(secrets.validation) } : {}), staple: STAPLE_POLICIES.indexOf(plan.staplePolicy), mandatory, requireSni: plan.requireSni, preferClient: plan.preferClientCiphers,
      ticketSeeds: secrets.ticketSeeds.map((s) => Buffer.from(s)), lifetime: plan.sessionTimeoutS > 0 ? plan.sessionTimeoutS : 7200, stateless: plan.statelessResumption, stateful: plan.statefulResumption, group: secrets.sessionGroup,
    });
    released.register(this, { addon, id: this.id });
  }
  accept(sink: TlsSink): TlsSession { return new RustlsSession(sink, this, this.addon.accept(this.id, Math.floor(this.nowMs() / 1000)), NO_NAMES); }
}

class RustlsClient implements ClientContext, Owner {
  readonly addon: Addon; readonly policy: PeerPolicy; readonly server = false; readonly locals: readonly Certificate[];
  private readonly id: number;
  private readonly alpn: readonly Buffer[];
  private readonly plan: UpstreamTlsPlan;
  onKeyLines: Owner['onKeyLines'];
  constructor(addon: Addon, spec: ClientContextSpec) {
    const { plan, secrets } = spec;
    this.addon = addon;
    this.policy = new PeerPolicy(secrets.validation);
    this.locals = secrets.certificates.map((c) => certificatesOf(c.chain)[0]!);
    this.plan = plan;
    this.alpn = plan.alpn.map((a) => Buffer.from(a));
    this.onKeyLines = spec.onKeyLines;
    this.id = addon.clientContext({ ...common(plan, secrets), peer: peerOf(secrets.validation), sessions: plan.maxSessionKeys });
    released.register(this, { addon, id: this.id });
  }
  connect(sink: TlsSink, o: ClientOptions): TlsSession {
    const id = this.addon.connect(this.id, o.serverName, o.alpn === null ? this.alpn : o.alpn.map((a) => Buffer.from(a)));
    const s = new RustlsSession(sink, this, id, namesOf(this.plan, o));
    s.hello = Buffer.from(OUT.subarray(0, STATUS[0]));
    return s;
  }
}

/** A context that nobody holds any more is let go in the addon too. */
const released = new FinalizationRegistry<{ addon: Addon; id: number }>((c) => c.addon.freeContext(c.id));

export class RustlsEngine implements TlsEngine {
  readonly name = 'rustls';
  private readonly addon: Addon;
  private constructor(addon: Addon) { this.addon = addon; }
  /** null where the addon is not built. */
  static open(): RustlsEngine | null { const addon = load(); return addon === null ? null : new RustlsEngine(addon); }

  cannot(spec: ServerContextSpec | ClientContextSpec): string {
    const { params } = spec.plan;
    if (params.maxVersion === 'TLSv1' || params.maxVersion === 'TLSv1.1' || params.minVersion === 'TLSv1' || params.minVersion === 'TLSv1.1') return 'TLS 1.0 and 1.1';
    const odd = flatCiphers(params.ciphers).filter((c) => RUSTLS_SUITES[c] === undefined);
    if (odd.length > 0 && params.minVersion !== 'TLSv1.3') return odd.join(', ');
    const curves = params.curves.filter((c) => RUSTLS_GROUPS[c] === undefined);
    if (curves.length > 0) return curves.join(', ');
    if (params.fips && spec.secrets.certificates.some((c) => c.keyType === 'ed25519')) return 'refusal of Ed25519 keys';
    if (params.signatures.length > 0) return 'signature_algorithms';
    return '';
  }
  server(spec: ServerContextSpec): ServerContext { return new RustlsServer(this.addon, spec); }
  client(spec: ClientContextSpec): ClientContext { return new RustlsClient(this.addon, spec); }
}
