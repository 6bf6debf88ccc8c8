// A chain checked without OpenSSL's store, for what node:tls cannot be asked: by the authorities of one trust domain among several, and with certificates that may have
// expired (OpenSSL tells of its last error only, which would hide another one). Strict (RFC 5280 6.1): what is not understood leads nowhere.
import { KEY_USAGE, type Certificate } from './certificate.ts';
import { criticalExtensions, extension, extensions } from './der.ts';

export interface PathRules { readonly nowMs: number; readonly allowExpired: boolean; /** The leaf is a client's. */ readonly ofClient: boolean; /** Certificates between leaf and anchor. */ readonly maxDepth: number }

const BASIC_CONSTRAINTS = '2.5.29.19', NAME_CONSTRAINTS = '2.5.29.30', EXTENDED_KEY_USAGE = '2.5.29.37';
/** Basic constraints, key usage, extended key usage, alternative names, certificate policies. */
const UNDERSTOOD: ReadonlySet<string> = new Set([BASIC_CONSTRAINTS, '2.5.29.15', EXTENDED_KEY_USAGE, '2.5.29.17', '2.5.29.32']);
const ANY_PURPOSE = '2.5.29.37.0', CLIENT_AUTH = '1.3.6.1.5.5.7.3.2', SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
/** Signatures looked at for one leaf: a peer may send certificates that all seem to fit each other. */
const MAX_SIGNATURES = 64;

class Path {
  private readonly rules: PathRules;
  private readonly anchors: readonly Certificate[];
  private readonly others: readonly Certificate[];
  private signatures = 0;
  /** Of the path that came farthest. */
  problem = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';

  constructor(rules: PathRules, anchors: readonly Certificate[], others: readonly Certificate[]) { this.rules = rules; this.anchors = anchors; this.others = others; }

  /** `below`: certificates under this one that are no leaf. */
  leads(c: Certificate, below: number): boolean {
    if (!this.current(c)) return false;
    if (this.anchors.some((a) => a.raw.equals(c.raw))) return true;
    if (below > this.rules.maxDepth) return false;
    return [...this.anchors, ...this.others].some((issuer) => issuer !== c && this.issued(issuer, c, below) && this.leads(issuer, below + 1));
  }

  private issued(issuer: Certificate, c: Certificate, below: number): boolean {
    if (!c.x509.checkIssued(issuer.x509) || !issuer.x509.ca || !allows(issuer, below) || ++this.signatures > MAX_SIGNATURES) return false;
    return c.x509.verify(issuer.x509.publicKey);
  }

  private current(c: Certificate): boolean {
    const { nowMs, allowExpired } = this.rules;
    if (allowExpired || (c.validFromMs <= nowMs && nowMs <= c.validToMs)) return true;
    this.problem = c.validToMs < nowMs ? 'CERT_HAS_EXPIRED' : 'CERT_NOT_YET_VALID';
    return false;
  }
}

/** Whether a certificate may have issued another one, with `below` authorities under it. */
function allows(issuer: Certificate, below: number): boolean {
  if (issuer.keyUsage >= 0 && (issuer.keyUsage & KEY_USAGE.keyCertSign) === 0) return false;
  if (extensions(issuer.raw).has(NAME_CONSTRAINTS) || !understood(issuer)) return false;
  const limit = pathLength(issuer);
  return limit < 0 || below <= limit;
}
const understood = (c: Certificate): boolean => criticalExtensions(c.raw).every((id) => UNDERSTOOD.has(id));

/** pathLenConstraint, -1 for none: the INTEGER at the end of BasicConstraints (a SEQUENCE of at most a BOOLEAN and it). */
function pathLength(c: Certificate): number {
  const b = extension(c.raw, BASIC_CONSTRAINTS);
  if (b === null || b.length < 5 || b[0] !== 0x30) return -1;
  const at = b[2] === 1 ? 5 : 2;
  return b[at] === 2 && b[at + 1] === 1 ? b[at + 2]! : at < b.length ? 0 : -1;
}

/** Why `chain`, the leaf first, leads to none of the anchors, in Node's names; '' where it does. */
export function pathProblem(chain: readonly Certificate[], anchors: readonly Certificate[], rules: PathRules): string {
  const leaf = chain[0]!, purposes = extensions(leaf.raw).has(EXTENDED_KEY_USAGE) ? leaf.x509.keyUsage ?? [] : [ANY_PURPOSE];
  if (!purposes.includes(ANY_PURPOSE) && !purposes.includes(rules.ofClient ? CLIENT_AUTH : SERVER_AUTH)) return 'INVALID_PURPOSE';
  if (!understood(leaf)) return 'UNHANDLED_CRITICAL_EXTENSION';
  const path = new Path(rules, anchors, chain.slice(1));
  try { return path.leads(leaf, 0) ? '' : path.problem; } catch { return 'CERT_SIGNATURE_FAILURE'; }
}
