// What a TLS connection is known by, for logs, headers and matchers. The peer's side is worked out when it is asked for.
import type { Certificate } from './certificate.ts';
import { urlEncodePem } from './certificate.ts';
import type { SanType } from '../../observe/stream-facts.ts';
import type { HandshakeFacts } from './engine.ts';

/** What the engine read off its handshake. */
export interface Negotiated { readonly version: string; readonly cipher: string; readonly sni: string; readonly alpn: string; readonly sessionId: string; readonly resumed: boolean; readonly curve: string; readonly signature: string }

export class SessionFacts implements HandshakeFacts {
  readonly version: string; readonly cipher: string; readonly sni: string; readonly alpn: string; readonly sessionId: string; readonly resumed: boolean; readonly curve: string; readonly signature: string;
  readonly peerCertificateValidated: boolean;
  private readonly chain: readonly Certificate[];
  private readonly local: Certificate | null;

  constructor(n: Negotiated, chain: readonly Certificate[], validated: boolean, local: Certificate | null) {
    this.version = n.version; this.cipher = n.cipher; this.sni = n.sni; this.alpn = n.alpn; this.sessionId = n.sessionId; this.resumed = n.resumed; this.curve = n.curve; this.signature = n.signature;
    this.chain = chain; this.peerCertificateValidated = validated; this.local = local;
  }

  private get peer(): Certificate | undefined { return this.chain[0]; }
  get peerCertificatePresented(): boolean { return this.chain.length > 0; }
  get peerSubject(): string { return this.peer?.subject ?? ''; }
  get peerIssuer(): string { return this.peer?.issuer ?? ''; }
  get peerIssuerSerial(): string { return this.chain[1]?.serial ?? ''; }
  get peerIssuerFingerprint256(): string { return this.chain[1]?.sha256 ?? ''; }
  get peerSerial(): string { return this.peer?.serial ?? ''; }
  get peerFingerprint256(): string { return this.peer?.sha256 ?? ''; }
  get peerFingerprint1(): string { return this.peer?.sha1 ?? ''; }
  get peerPem(): string { return this.peer === undefined ? '' : urlEncodePem(this.peer.pem); }
  get peerChainPem(): string { return this.chain.map((c) => urlEncodePem(c.pem)).join(''); }
  get peerUriSans(): readonly string[] { return this.peerSans('URI'); }
  get peerDnsSans(): readonly string[] { return this.peerSans('DNS'); }
  peerSans(type: SanType): readonly string[] { return this.peer?.sans(type) ?? []; }
  localSans(type: SanType): readonly string[] { return this.local?.sans(type) ?? []; }
  peerChain(get: (c: Certificate) => string): string { return this.chain.map(get).join(','); }
  get peerValidFromMs(): number { return this.peer?.validFromMs ?? 0; }
  get peerValidToMs(): number { return this.peer?.validToMs ?? 0; }
  get localSubject(): string { return this.local?.subject ?? ''; }
}
