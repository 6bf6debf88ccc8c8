// The fallback engine: node:tls over an in-memory duplex. It answers in its own time, so what it says is told through the turn's queue; ciphertext goes out at once.
// It does what rustls does not (TLS 1.0 and 1.1, CBC suites, RSA key exchange), at about 1.7 × the handshake cost and four times the memory. Where a peer's
// certificate is refused the connection ends without an alert; a client's, after the handshake. A server's engine begins once the hello is whole: what the hello asks
// for decides which certificate and staple it is given.
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Later } from '../../loop/later.ts';
import type { CertificateSecretPlan, CommonTlsPlan, ValidationPlan } from '../../plan/tls-plan.ts';
import { Certificate, certificatesOf } from './certificate.ts';
import type { ClientContext, ClientContextSpec, ClientOptions, ContextSecrets, ServerContext, ServerContextSpec, TlsEngine, TlsFault, TlsSession, TlsSink } from './engine.ts';
import { SessionFacts } from './facts.ts';
import { ClientHelloReader, type ClientHello } from './client-hello.ts';
import { opensslReason, sslReason } from './failure-table.ts';
import { DEFAULT_CIPHERS, FIPS_SIGNATURES, flatCiphers, suiteKinds, type SuiteKinds } from './cipher-table.ts';
import { CertificateChoice } from './certificate-choice.ts';
import { stapleOutcome, type StapleOutcome } from './ocsp.ts';
import { KeptSessions, TicketKeys } from './node-tickets.ts';
import { pathProblem } from './certificate-path.ts';
import { authoritiesOf, chainProblem, EXPIRY, namesOf, NO_NAMES, PeerPolicy, type AskedNames } from './verify.ts';

/** Bytes between the engine and the transport. */
class Pipe extends Duplex {
  private readonly out: (chunk: Buffer) => void;
  constructor(out: (chunk: Buffer) => void) { super({ readableHighWaterMark: 1 << 20 }); this.out = out; }
  override _read(): void { /* pushed as it comes */ }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void { this.out(chunk); done(); }
}

/** What a context knows of the connections it makes. */
interface Owner { readonly later: Later; readonly policy: PeerPolicy; readonly demands: boolean; readonly onKeyLines: ServerContextSpec['onKeyLines'] | null; /** A client's certificate; a server's is known by its greeting. */ readonly local: Certificate | null; /** Of the trust domains, or of the one validation context. */ readonly anchors: readonly (readonly Certificate[])[]; nowMs(): number }
type Make = (pipe: Pipe) => tls.TLSSocket;
/** Why a hello is answered by an alert and nothing else. */
interface Refusal { readonly alert: number; readonly reason: string }
/** What a server answers a hello with. `staple`: null for a client that asks for none. */
type Greeting = { readonly make: Make; readonly staple: StapleOutcome | null; readonly refused: Refusal | null; readonly local: Certificate } | { readonly make: null; readonly staple: null; readonly refused: Refusal; readonly local: null };
/** A server's hello, until it is whole. */
interface Arrival { readonly reader: ClientHelloReader; bytes: Buffer; greet(hello: ClientHello | null): Greeting }
/** handshake_failure: the certificate may not be shown without the staple that it lacks. */
const NO_STAPLE: Refusal = { alert: 40, reason: sslReason('CONNECTION_REJECTED') };
/** unrecognized_name (RFC 6066 3), under require_sni. */
const UNKNOWN_NAME: Refusal = { alert: 112, reason: sslReason('CLIENTHELLO_TLSEXT') };

class NodeSession implements TlsSession {
  private readonly sink: TlsSink;
  private readonly owner: Owner;
  private readonly names: AskedNames;
  private readonly server: boolean;
  private readonly pipe: Pipe;
  private socket: tls.TLSSocket;
  private state: 'new' | 'open' | 'over' = 'new';
  /** null: a client, or the hello was read. */
  private arrival: Arrival | null;
  /** A client's from the beginning, a server's from its greeting on. */
  private make: Make | null;
  private local: Certificate | null = null;
  /** Plaintext written before the engine began. */
  private early: Uint8Array[] | null = null;
  private earlyBytes = 0;
  /** After each write, not on 'drain': that comes only where node's own mark was passed, which is not the transport's. */
  private readonly written = (): void => { if (this.state !== 'over') this.tell(() => this.sink.onWritten()); };

  constructor(sink: TlsSink, owner: Owner, names: AskedNames, begins: Arrival | Make) {
    this.sink = sink; this.owner = owner; this.names = names;
    const server = this.server = typeof begins !== 'function';
    this.arrival = server ? begins : null;
    this.make = server ? null : begins;
    this.pipe = new Pipe((chunk) => { if (this.state !== 'over' && (this.state !== 'new' || server || !this.refuses())) sink.onCiphertext(chunk, 0, chunk.length); });
    // Before the engine hears of it: whether it has seen close_notify by then.
    this.pipe.on('end', () => { const clean = (this.socket as unknown as { _readableState: { ended: boolean } } | null)?._readableState.ended === true; this.tell(() => this.sink.onTransportEnd(clean)); });
    this.socket = null as unknown as tls.TLSSocket;
  }

  private attach(): tls.TLSSocket {
    const s = this.make!(this.pipe);
    s.on('secure', () => this.tell(() => this.secured()));
    s.on('data', (b: Buffer) => this.tell(() => this.sink.onPlaintext(b, 0, b.length)));
    s.on('end', () => this.tell(() => this.sink.onCloseNotify()));
    if (this.owner.onKeyLines !== null) s.on('keylog', (line: Buffer) => this.owner.onKeyLines?.([line.toString('latin1').trimEnd()], this.sink));
    s.on('finish', () => this.tell(() => this.sink.onFlushed()));
    s.on('error', (e: NodeJS.ErrnoException) => this.failed(e));
    s.on('_tlsError', (e: NodeJS.ErrnoException) => this.failed(e));
    return s;
  }

  /** A client's flight after the server's certificate goes out only if that is accepted: neither Finished nor a client certificate for one that is not. */
  private refuses(): boolean {
    if (this.refused) return true;
    const s = this.socket as tls.TLSSocket | null, chain = s === null ? [] : chainOf(s), fault = s === null || chain.length === 0 ? null : this.judge(s, chain);
    if (fault === null) return false;
    this.refused = true;
    this.tell(() => this.over(fault, this.factsOf(shown(fault, chain), false)));
    return true;
  }
  private refused = false;

  private judge(s: tls.TLSSocket, chain: readonly Certificate[]): TlsFault | null {
    const { policy } = this.owner, leaf = chain[0]!, unusable = policy.unusable(leaf, !this.server && PLAIN_RSA.test(s.getCipher().name));
    if (unusable !== null) return unusable;
    return policy.acceptsAny ? null : policy.check(leaf, policy.checksChain ? chainProblem(this.chainFault(s, chain)) : '', this.names);
  }

  /** In Node's names; '' for a good chain. */
  private chainFault(s: tls.TLSSocket, chain: readonly Certificate[]): string {
    const { policy, anchors, nowMs } = this.owner, v = policy.validation!, rules = { nowMs: nowMs(), allowExpired: v.allowExpired, ofClient: this.server, maxDepth: v.maxDepth < 0 ? 100 : v.maxDepth };
    const code = (s as unknown as { _handle: { verifyError(): NodeJS.ErrnoException | null } | null })._handle?.verifyError()?.code ?? tooLong(chain.length, v.maxDepth);
    // OpenSSL's last error is one that is allowed: it may have had another one before.
    const excused = v.allowExpired && EXPIRY.has(code);
    if (policy.bundles === null) return excused ? pathProblem(chain, anchors[0]!, rules) : code;
    // OpenSSL has looked for any trust domain's authorities.
    const i = policy.bundleOf(chain[0]!);
    return i < 0 || (code !== '' && !excused) ? code : pathProblem(chain, anchors[i]!, rules);
  }

  private factsOf(chain: readonly Certificate[], validated: boolean): SessionFacts {
    const s = this.socket, sni = typeof s.servername === 'string' ? s.servername : '', ephemeral = s.getEphemeralKeyInfo() as { name?: string } | null;
    return new SessionFacts({
      version: s.getProtocol() ?? '', cipher: (s.getCipher() as tls.CipherNameAndProtocol | undefined)?.name ?? '', sni, alpn: typeof s.alpnProtocol === 'string' ? s.alpnProtocol : '', sessionId: '', resumed: s.isSessionReused(),
      curve: CURVE_NAMES[ephemeral?.name ?? ''] ?? ephemeral?.name ?? '', signature: '',
    }, chain, validated, this.local ?? this.owner.local);
  }

  /** Through the turn's queue: never up the stack, and in order. */
  private tell(what: () => void): void { this.owner.later.soon(() => { if (this.state !== 'over') what(); }); }

  private failed(e: NodeJS.ErrnoException): void {
    const reason = opensslReason(e.code ?? '');
    this.tell(() => this.over({ stat: reason.includes('PEER_DID_NOT_RETURN') ? 'fail_verify_no_cert' : reason === '' ? '' : 'connection_error', reason }, null));
  }

  private over(fault: TlsFault, facts: SessionFacts | null): void {
    this.close();
    this.sink.onFault(fault, facts);
  }

  private secured(): void {
    const { policy, demands } = this.owner, s = this.socket, chain = chainOf(s);
    let fault: TlsFault | null = null;
    if (chain.length > 0) fault = s.isSessionReused() ? null : this.judge(s, chain);
    else if (demands) fault = { stat: 'fail_verify_no_cert', reason: sslReason('PEER_DID_NOT_RETURN_A_CERTIFICATE', 'peer did not provide required client certificate') };
    const facts = this.factsOf(shown(fault, chain), chain.length > 0 && policy.checks && fault === null);
    if (fault !== null) { this.over(fault, facts); return; }
    this.state = 'open';
    this.sink.onSecured(facts);
  }

  start(): void {
    if (this.socket !== null || this.arrival !== null) return;
    const s = this.socket = this.attach(), { early } = this;
    this.early = null; this.earlyBytes = 0;
    if (early !== null) for (const b of early) s.write(b, this.written);
  }
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'over') return;
    if (this.arrival === null) { this.pipe.push(Buffer.from(bytes.subarray(start, end))); return; }
    const a = this.arrival;
    a.bytes = Buffer.concat([a.bytes, bytes.subarray(start, end)]);
    const read = a.reader.read(a.bytes, 0, a.bytes.length);
    if (read !== 'more') this.arrived(read === 'done' ? a.reader.hello : null);
  }
  /** `hello`: null for what is none; OpenSSL says what it thinks of it. */
  private arrived(hello: ClientHello | null): void {
    const a = this.arrival!, { make, staple, refused, local } = a.greet(hello);
    this.arrival = null;
    this.make = make; this.local = local;
    if (staple !== null) this.sink.onStaple(staple);
    if (refused !== null) {
      const alert = Buffer.from([21, 3, 3, 0, 2, 2, refused.alert]);
      this.sink.onCiphertext(alert, 0, alert.length);
      this.tell(() => this.over({ stat: 'connection_error', reason: refused.reason }, null));
      return;
    }
    this.start();
    if (a.bytes.length > 0) this.pipe.push(a.bytes);
  }
  send(bytes: Uint8Array, start: number, end: number): void {
    if (this.state === 'over') return;
    if (this.socket === null && this.arrival === null) this.start();
    const kept = Uint8Array.prototype.slice.call(bytes, start, end);
    if (this.socket !== null) { this.socket.write(kept, this.written); return; }
    (this.early ??= []).push(kept);
    this.earlyBytes += end - start;
  }
  receiveEnd(): void {
    if (this.state === 'over') return;
    if (this.arrival !== null) this.arrived(null);
    this.pipe.push(null);
  }
  closeNotify(): boolean {
    if (this.state === 'over' || this.socket === null) return true;
    this.socket.end();
    return false;
  }
  close(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    const s = this.socket;
    if (s === null) return;
    s.on('error', () => { /* of an end that nobody waits for */ });
    s.destroy();
    this.pipe.destroy();
  }
  get pendingBytes(): number { return this.state === 'over' ? 0 : this.socket === null ? this.earlyBytes : this.socket.writableLength; }
}

/** A certificate that may not be used at all is no peer's, as in BoringSSL. */
function shown(fault: TlsFault | null, chain: readonly Certificate[]): readonly Certificate[] { return fault?.stat === 'connection_error' ? [] : chain; }

/** Suites with RSA key exchange. */
const PLAIN_RSA = /^(AES|DES)/;
/** Authorities of a context: those of each trust domain, else the one list. */
function anchorsOf(v: ValidationPlan | null): Certificate[][] {
  if (v === null) return [];
  if (v.spiffe !== null) return v.spiffe.map((b) => certificatesOf(b.ca));
  return v.allowExpired ? [certificatesOf(authoritiesOf(v))] : [];
}

/** OpenSSL is told of no limit by Node. */
function tooLong(certificates: number, maxDepth: number): string { return maxDepth >= 0 && certificates > maxDepth + 2 ? 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' : ''; }

const CURVE_NAMES: Readonly<Record<string, string>> = { 'prime256v1': 'P-256', 'secp384r1': 'P-384', 'secp521r1': 'P-521' };
const OPENSSL_CURVES: Readonly<Record<string, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };

function chainOf(s: tls.TLSSocket): Certificate[] {
  const out: Certificate[] = [];
  let c = s.getPeerCertificate(true) as tls.DetailedPeerCertificate | undefined;
  while (c?.raw !== undefined && out.length < 100) {
    out.push(new Certificate(c.raw));
    const next: tls.DetailedPeerCertificate | undefined = c.issuerCertificate;
    if (next === c) break;
    c = next;
  }
  return out;
}

/** Cipher list for OpenSSL: '[A|B]' groups flattened; TLS 1.3 suites are always on, AES-128 first as BoringSSL has them. */
function ciphersOf(plan: CommonTlsPlan): string {
  const old = plan.params.minVersion === 'TLSv1' || plan.params.minVersion === 'TLSv1.1';
  const { ciphers } = plan.params, list = flatCiphers(ciphers.length > 0 ? ciphers : DEFAULT_CIPHERS);
  if (old && ciphers.length === 0) list.push('ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'AES128-SHA', 'ECDHE-ECDSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA', 'AES256-SHA');
  return `TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384${plan.params.fips ? '' : ':TLS_CHACHA20_POLY1305_SHA256'}:${list.join(':')}${old ? ':@SECLEVEL=0' : ''}`;
}

function common(plan: CommonTlsPlan, secrets: ContextSecrets): tls.SecureContextOptions {
  const { params } = plan, v = secrets.validation, signatures = params.fips ? FIPS_SIGNATURES : params.signatures;
  return {
    allowPartialTrustChain: true, minVersion: params.minVersion, maxVersion: params.maxVersion, ciphers: ciphersOf(plan),
    ...(params.curves.length > 0 ? { ecdhCurve: params.curves.map((c) => OPENSSL_CURVES[c] ?? c).join(':') } : {}), ...(signatures.length > 0 ? { sigalgs: signatures.join(':') } : {}),
    ...(v === null ? { ca: [] } : v.spiffe !== null ? { ca: v.spiffe.map((b) => b.ca) } : { ca: authoritiesOf(v) || [] }), ...(v !== null && v.crl !== '' ? { crl: v.crl } : {}),
  };
}

class NodeServer implements ServerContext, Owner {
  readonly later: Later; readonly policy: PeerPolicy; readonly demands: boolean; readonly onKeyLines: Owner['onKeyLines']; readonly local = null; readonly anchors: Owner['anchors']; readonly nowMs: () => number;
  private readonly options: tls.TLSSocketOptions;
  private readonly choice: CertificateChoice;
  /** Of each certificate, by whether TLS 1.3 will be spoken: a context has one certificate, so that OpenSSL does not choose anew. */
  private readonly contexts = new Map<string, tls.SecureContext>();
  private readonly tickets: TicketKeys;
  private readonly spec: ServerContextSpec;
  private readonly locals: readonly Certificate[];
  private readonly kinds: SuiteKinds;
  private readonly kept: KeptSessions | null;

  constructor(spec: ServerContextSpec, later: Later) {
    const { plan, secrets } = spec;
    this.later = later; this.spec = spec;
    this.onKeyLines = plan.keyLog === null ? null : spec.onKeyLines;
    this.policy = new PeerPolicy(secrets.validation);
    this.demands = plan.requireClientCertificate || this.policy.demands;
    this.anchors = anchorsOf(secrets.validation); this.nowMs = spec.nowMs;
    this.choice = new CertificateChoice(secrets.certificates, plan.fullScan);
    this.locals = secrets.certificates.map((c) => certificatesOf(c.chain)[0]!);
    this.kinds = suiteKinds(ciphersOf(plan).split(':'), plan.params.maxVersion === 'TLSv1.3');
    this.kept = plan.statefulResumption ? new KeptSessions() : null;
    this.tickets = new TicketKeys(secrets.ticketSeeds);
    for (const i of secrets.certificates.keys()) this.context(i, false);
    this.options = { isServer: true, requestCert: this.demands || secrets.validation !== null, rejectUnauthorized: false, ...(plan.alpn.length > 0 ? { ALPNProtocols: [...plan.alpn] } : {}) };
  }
  /** As BoringSSL: in TLS 1.3 the client's order of suites, and sessions of two days; session_timeout is not for those. */
  private context(i: number, tls13: boolean): tls.SecureContext {
    const key = `${i}:${tls13}`, known = this.contexts.get(key), { plan, secrets } = this.spec, c = secrets.certificates[i]!;
    if (known !== undefined) return known;
    const made = tls.createSecureContext({
      ...common(plan, secrets), cert: c.chain, key: c.key, honorCipherOrder: !tls13 && !plan.preferClientCiphers, sessionIdContext: secrets.sessionGroup.slice(0, 32),
      ...(tls13 ? { sessionTimeout: TLS13_LIFETIME_S } : plan.sessionTimeoutS > 0 ? { sessionTimeout: plan.sessionTimeoutS } : {}), ...(plan.statelessResumption ? {} : { secureOptions: NO_TICKET }),
    });
    this.tickets.serve(made);
    this.contexts.set(key, made);
    return made;
  }
  /** `hello`: null for what is none; OpenSSL says what it thinks of it. */
  private greet(hello: ClientHello | null): Greeting {
    const { plan, secrets, nowMs } = this.spec, asks = hello?.has(STATUS_REQUEST) === true;
    if (hello !== null && plan.requireSni && (hello.serverName === '' || this.choice.find(hello.serverName) === null)) return { make: null, staple: null, refused: UNKNOWN_NAME, local: null };
    const now = nowMs(), outcome = (i: number): StapleOutcome => stapleOutcome(secrets.certificates[i]!, plan.staplePolicy, now);
    const i = hello === null ? 0 : this.choice.pick(hello.serverName, (type) => checks(hello, type, this.kinds), (c) => !asks || outcome(c) !== 'fail');
    const tls13 = plan.params.maxVersion === 'TLSv1.3' && hello?.supportedVersions()?.includes(TLS13) === true, kept = tls13 || this.kept === null ? {} : { server: this.kept as never };
    const staple = asks ? outcome(i) : null, response = staple === 'staple' ? secrets.certificates[i]!.ocsp!.response : null;
    return { make: opener({ ...this.options, secureContext: this.context(i, tls13), ...kept }, response), staple, refused: staple === 'fail' ? NO_STAPLE : null, local: this.locals[i]! };
  }
  accept(sink: TlsSink): TlsSession { return new NodeSession(sink, this, NO_NAMES, { reader: new ClientHelloReader(), bytes: Buffer.alloc(0), greet: (h) => this.greet(h) }); }
}
/** Makes a server's engine. `staple`: a response to show, or null. */
function opener(options: tls.TLSSocketOptions, staple: Uint8Array | null): Make {
  return (pipe) => {
    const s = new tls.TLSSocket(pipe as never, options);
    if (staple !== null) (s as unknown as { _handle: { setOCSPResponse(der: Uint8Array): void } })._handle.setOCSPResponse(staple);
    return s;
  };
}
const TLS13 = 0x0304, TLS13_LIFETIME_S = 172_800;
/** RFC 6066 8. */
const STATUS_REQUEST = 5;
const SIGNATURES: Readonly<Record<CertificateSecretPlan['keyType'], readonly number[]>> = { rsa: [0x0401, 0x0501, 0x0601, 0x0201, 0x0804, 0x0805, 0x0806], ec: [0x0403, 0x0503, 0x0603], ed25519: [0x0807] };
/** A client can check what a key of this type signs: by its signature algorithms and, where it is of TLS 1.2, by the suites that both have. */
function checks(hello: ClientHello, type: CertificateSecretPlan['keyType'], kinds: SuiteKinds): boolean {
  const algorithms = hello.signatureAlgorithms();
  return (algorithms.length === 0 || algorithms.some((a) => SIGNATURES[type].includes(a))) && hello.ciphers().some((s) => { const k = kinds.get(s); return k === 'any' || k === (type === 'rsa' ? 'rsa' : 'ec'); });
}

/** SSL_OP_NO_TICKET. */
const NO_TICKET = 1 << 14;

class NodeClient implements ClientContext, Owner {
  readonly later: Later; readonly policy: PeerPolicy; readonly demands = false; readonly onKeyLines: Owner['onKeyLines']; readonly anchors: Owner['anchors']; readonly nowMs: () => number;
  private readonly context: tls.SecureContext;
  readonly local: Certificate | null;
  private readonly spec: ClientContextSpec;
  private readonly sessions = new Map<string, Buffer>();

  constructor(spec: ClientContextSpec, later: Later) {
    this.later = later; this.spec = spec;
    this.onKeyLines = spec.plan.keyLog === null ? null : spec.onKeyLines;
    this.policy = new PeerPolicy(spec.secrets.validation);
    this.anchors = anchorsOf(spec.secrets.validation); this.nowMs = spec.nowMs;
    const c = spec.secrets.certificates[0];
    this.context = tls.createSecureContext({ ...common(spec.plan, spec.secrets), ...(c === undefined ? {} : { cert: c.chain, key: c.key }) });
    this.local = c === undefined ? null : certificatesOf(c.chain)[0]!;
  }

  connect(sink: TlsSink, o: ClientOptions): TlsSession {
    const alpn = o.alpn ?? this.spec.plan.alpn;
    return new NodeSession(sink, this, namesOf(this.spec.plan, o), (pipe) => {
      const session = this.sessions.get(o.serverName);
      const s = tls.connect({ socket: pipe as never, secureContext: this.context, rejectUnauthorized: false, checkServerIdentity: () => undefined, ...(o.serverName === '' ? {} : { servername: o.serverName }), ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}), ...(session === undefined ? {} : { session }) });
      if (this.spec.plan.maxSessionKeys > 0) {
        s.on('session', (kept: Buffer) => this.keep(o.serverName, kept));
        // OpenSSL does not tell of a ticket that was renewed in a resumed handshake of TLS 1.2.
        s.on('secure', () => { const kept = s.isSessionReused() && s.getProtocol() !== 'TLSv1.3' ? s.getSession() : undefined; if (kept !== undefined) this.keep(o.serverName, kept); });
      }
      return s;
    });
  }
  private keep(name: string, session: Buffer): void {
    this.sessions.delete(name);
    this.sessions.set(name, session);
    if (this.sessions.size > this.spec.plan.maxSessionKeys) for (const oldest of this.sessions.keys()) { this.sessions.delete(oldest); break; }
  }
}

export class NodeTlsEngine implements TlsEngine {
  readonly name = 'node';
  private readonly later: Later;
  constructor(later: Later) { this.later = later; }
  cannot(spec: ServerContextSpec | ClientContextSpec): string {
    const v = spec.secrets.validation;
    if (v === null) return '';
    if (spec.side === 'server' && v.suppressCaList) return 'suppress_client_ca_list';
    if (v.spiffe !== null && v.spiffe.some((b) => b.crl !== '')) return 'revocation lists in trust bundles';
    return v.allowExpired && v.crl !== '' ? 'revocation lists beside allow_expired_certificate' : '';
  }
  server(spec: ServerContextSpec): ServerContext { return new NodeServer(spec, this.later); }
  client(spec: ClientContextSpec): ClientContext { return new NodeClient(spec, this.later); }
}
