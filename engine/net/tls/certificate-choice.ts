// Which certificate a server shows (Envoy: DefaultTlsCertificateSelector): by the name asked for, exact before wildcard, else the first. Certificates of different key
// types under one name stand side by side: the engine takes ECDSA for a client that can.
import type { CertificateSecretPlan } from '../../plan/tls-plan.ts';

export class CertificateChoice {
  private readonly exact = new Map<string, number[]>();
  /** By what follows '*'. */
  private readonly wildcard = new Map<string, number[]>();
  /** For a client that names no server: one of each key type. */
  readonly unnamed: readonly number[];
  /** For a name that no certificate has. */
  readonly unmatched: readonly number[];

  constructor(certificates: readonly Pick<CertificateSecretPlan, 'names' | 'keyType'>[], fullScan: boolean) {
    const type = (i: number): string => certificates[i]!.keyType;
    const put = (map: Map<string, number[]>, name: string, i: number): void => {
      const list = map.get(name);
      if (list === undefined) map.set(name, [i]); else if (!list.some((k) => type(k) === type(i))) list.push(i);
    };
    certificates.forEach((c, i) => { for (const n of c.names) if (n.startsWith('*.')) put(this.wildcard, n.slice(1), i); else put(this.exact, n, i); });
    const each: number[] = [];
    certificates.forEach((_c, i) => { if (!each.some((k) => type(k) === type(i))) each.push(i); });
    this.unnamed = each;
    this.unmatched = fullScan ? each : certificates.length > 0 ? [0] : [];
  }

  /** Indexes of the certificates for a name, one of each key type; null: none has it. */
  find(name: string): readonly number[] | null {
    const n = name.toLowerCase(), found = this.exact.get(n);
    if (found !== undefined) return found;
    const dot = n.indexOf('.');
    return dot < 0 ? null : this.wildcard.get(n.slice(dot)) ?? null;
  }

  /** For the addon. */
  table(): { exact: { name: string; certs: number[] }[]; wildcard: { name: string; certs: number[] }[]; unnamed: readonly number[]; unmatched: readonly number[] } {
    const rows = (m: Map<string, number[]>): { name: string; certs: number[] }[] => [...m].map(([name, certs]) => ({ name, certs }));
    return { exact: rows(this.exact), wildcard: rows(this.wildcard), unnamed: this.unnamed, unmatched: this.unmatched };
  }

  get sets(): readonly (readonly number[])[] { return [...this.exact.values(), ...this.wildcard.values(), this.unnamed, this.unmatched]; }
}
