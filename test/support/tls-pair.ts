// Two TLS sessions wired together in memory: what one says is fed to the other, in pieces of a chosen size, until both are quiet.
import { createPrivateKey } from 'node:crypto';
import { TurnQueue } from '../../engine/loop/later.ts';
import { certificatesOf } from '../../engine/net/tls/certificate.ts';
import type { ClientOptions, ContextSecrets, HandshakeFacts, ServerContext, TlsEngine, TlsFault, TlsSession, TlsSink } from '../../engine/net/tls/engine.ts';
import { mustStaple, stapleOf, type StapleOutcome } from '../../engine/net/tls/ocsp.ts';
import { NodeTlsEngine } from '../../engine/net/tls/node.ts';
import { RustlsEngine } from '../../engine/net/tls/rustls.ts';
import type { CertificateSecretPlan, DownstreamTlsPlan, TlsParamsPlan, UpstreamTlsPlan, ValidationPlan } from '../../engine/plan/tls-plan.ts';
import type { Pair } from './certificates.ts';

/** Runs what the node engine queues; tests wait for it. */
export const queue = new TurnQueue(() => { setImmediate(() => queue.run()); });
const node = new NodeTlsEngine(queue), rustls = RustlsEngine.open();
export const engines: readonly TlsEngine[] = rustls === null ? [node] : [rustls, node];

export const PARAMS: TlsParamsPlan = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: [], curves: [], signatures: [], fips: false };
export const VALIDATION: ValidationPlan = { ca: '', crl: '', systemRoots: false, hashes: [], spki: [], sans: [], acceptUntrusted: false, allowExpired: false, onlyLeafCrl: false, maxDepth: -1, suppressCaList: false, spiffe: null };
const COMMON = { params: PARAMS, alpn: [], certificates: [], validation: [], keyLog: null } as const;
export const SERVER: DownstreamTlsPlan = { ...COMMON, requireClientCertificate: false, requireSni: false, ticketKeys: '', statelessResumption: true, statefulResumption: true, sessionTimeoutS: 0, fullScan: false, preferClientCiphers: false, staplePolicy: 'LENIENT_STAPLING' };
export const CLIENT: UpstreamTlsPlan = { ...COMMON, sni: '', autoHostSni: false, autoSniSanValidation: false, maxSessionKeys: 1 };

export function certificateSecret(p: Pair): CertificateSecretPlan {
  const leaf = certificatesOf(p.cert)[0]!, dns = leaf.sans('DNS');
  const kind = createPrivateKey(p.key).asymmetricKeyType;
  return { kind: 'certificate', chain: p.cert, key: createPrivateKey(p.key).export({ type: 'pkcs8', format: 'pem' }) as string, ocsp: p.staple === undefined ? null : stapleOf(p.staple, leaf), mustStaple: mustStaple(leaf), names: dns.length > 0 ? dns : [leaf.commonName], keyType: kind === 'rsa' ? 'rsa' : 'ec' };
}
export function secrets(pairs: readonly Pair[], validation: Partial<ValidationPlan> | null, group = 'g', tickets: readonly string[] = [group]): ContextSecrets {
  return { certificates: pairs.map(certificateSecret), validation: validation === null ? null : { ...VALIDATION, ...validation }, sessionGroup: group, ticketSeeds: tickets.map((t) => Buffer.alloc(32, t)) };
}
/** The certificates of a test are of this day, some made after this line. */
const NOW = Date.now() + 60_000;
export interface Side { readonly plan?: Partial<DownstreamTlsPlan> & Partial<UpstreamTlsPlan>; readonly pairs?: readonly Pair[]; readonly validation?: Partial<ValidationPlan> | null; readonly group?: string; readonly nowMs?: () => number; /** Names of its ticket keys. */ readonly tickets?: readonly string[] }

/** What a session told. */
export class Recorder implements TlsSink {
  session!: TlsSession;
  readonly out: Buffer[] = [];
  /** All that came out. */
  readonly said: Buffer[] = [];
  facts: HandshakeFacts | null = null;
  fault: TlsFault | null = null;
  faultFacts: HandshakeFacts | null = null;
  staple: StapleOutcome | '' = '';
  text = ''; closed = false; ended = ''; events = 0;
  onCiphertext(b: Uint8Array, start: number, end: number): void { this.events++; this.out.push(Buffer.from(b.subarray(start, end))); this.said.push(this.out.at(-1)!); }
  onStaple(o: StapleOutcome): void { this.events++; this.staple = o; }
  onSecured(f: HandshakeFacts): void { this.events++; this.facts = f; }
  onPlaintext(b: Buffer, start: number, end: number): void { this.events++; this.text += b.latin1Slice(start, end); }
  onCloseNotify(): void { this.events++; this.closed = true; }
  onTransportEnd(clean: boolean): void { this.events++; this.ended = clean ? 'clean' : 'cut'; }
  onWritten(): void { this.events++; }
  onFlushed(): void { this.events++; }
  onFault(f: TlsFault, facts: HandshakeFacts | null): void { this.events++; this.fault = f; this.faultFacts = facts; }
}

export const settle = async (): Promise<void> => { for (let i = 0; i < 4; i++) await new Promise<void>((r) => { setImmediate(r); }); };

/** Moves bytes both ways until nothing comes any more; `piece`: at most so many bytes at a time. */
export async function pump(a: Recorder, b: Recorder, piece = 1 << 20): Promise<void> {
  for (let quiet = 0; quiet < 2;) {
    const before = a.events + b.events;
    for (const [from, to] of [[a, b], [b, a]] as const) {
      for (let c = from.out.shift(); c !== undefined; c = from.out.shift()) {
        for (let at = 0; at < c.length; at += piece) { const lent = Buffer.from(c.subarray(at, at + piece)); to.session.receive(lent, 0, lent.length); lent.fill(0xee); }
      }
    }
    await settle();
    quiet = a.events + b.events === before && a.out.length + b.out.length === 0 ? quiet + 1 : 0;
  }
}

/** Contexts of both sides; `open` makes a connection between them and completes its handshake. */
export function contexts(serverEngine: TlsEngine, clientEngine: TlsEngine, server: Side, client: Side): { /** Another server for the connections that come. */ serve(side: Side): void; open(options?: Partial<ClientOptions>, piece?: number): Promise<{ readonly server: Recorder; readonly client: Recorder }> } {
  const serve = (side: Side): ServerContext => serverEngine.server({ side: 'server', plan: { ...SERVER, ...side.plan }, secrets: secrets(side.pairs ?? [], side.validation ?? null, side.group, side.tickets), nowMs: side.nowMs ?? ((): number => NOW), onKeyLines: () => {} });
  let s = serve(server);
  const c = clientEngine.client({ side: 'client', plan: { ...CLIENT, ...client.plan }, secrets: secrets(client.pairs ?? [], client.validation ?? null), nowMs: client.nowMs ?? ((): number => NOW), onKeyLines: () => {} });
  return {
    serve(side) { s = serve(side); },
    async open(options = {}, piece) {
      const a = new Recorder(), b = new Recorder();
      a.session = s.accept(a);
      b.session = c.connect(b, { serverName: 'example.com', alpn: null, sans: null, ...options });
      b.session.start();
      await pump(a, b, piece);
      return { server: a, client: b };
    },
  };
}
