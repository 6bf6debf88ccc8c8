// Which certificate a server shows (Envoy: DefaultTlsCertificateSelector): by the name asked for, exact before wildcard, else the first. Certificates of different key
// types under one name stand side by side: the engine takes ECDSA for a client that can.
import type { CertificateSecretPlan } from '../../plan/tls-plan.ts';

export class CertificateChoice {
  private readonly exact = new Map<string, number[]>();
  /** By what follows '*'. */
  private readonly wildcard = new Map<string, number[]>();
  /** For a client that names no server: one of each key type. */
  readonly unnamed: readonly number[];
  private readonly fullScan: boolean;
  private readonly keyTypes: readonly CertificateSecretPlan['keyType'][];
  private readonly all: readonly number[];
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
    this.fullScan = fullScan;
    this.keyTypes = certificates.map((c) => c.keyType);
    this.all = certificates.map((_c, i) => i);
    this.unmatched = fullScan ? each : certificates.length > 0 ? [0] : [];
  }

  /** Indexes of the certificates for a name, one of each key type; null: none has it. */
  find(name: string): readonly number[] | null {
    const n = name.toLowerCase(), found = this.exact.get(n);
    if (found !== undefined) return found;
    const dot = n.indexOf('.');
    return dot < 0 ? null : this.wildcard.get(n.slice(dot)) ?? null;
  }

  /**
   * The one certificate for a client: by name, exact before wildcard, then the others, or the first one; of a set the first ECDSA (or Ed25519) one, else RSA.
   * `can`: the client can check signatures of such a key. `may`: it may be shown to it. `name`: '' for none.
   */
  pick(name: string, can: (keyType: CertificateSecretPlan['keyType']) => boolean, may: (index: number) => boolean): number {
    const best = (set: readonly number[]): number | undefined => {
      const fit = set.filter((i) => can(this.keyTypes[i]!) && may(i));
      return fit.find((i) => this.keyTypes[i] !== 'rsa') ?? fit[0];
    };
    if (name === '') return best(this.all) ?? 0;
    const n = name.toLowerCase(), dot = n.indexOf('.');
    return best(this.exact.get(n) ?? []) ?? best(dot < 0 ? [] : this.wildcard.get(n.slice(dot)) ?? []) ?? best(this.fullScan ? this.all : [0]) ?? 0;
  }

  /** For the addon, which looks at every certificate where no name leads to one. */
  table(): { exact: { name: string; certs: number[] }[]; wildcard: { name: string; certs: number[] }[]; unnamed: readonly number[]; unmatched: readonly number[] } {
    const rows = (m: Map<string, number[]>): { name: string; certs: number[] }[] => [...m].map(([name, certs]) => ({ name, certs }));
    return { exact: rows(this.exact), wildcard: rows(this.wildcard), unnamed: this.all, unmatched: this.fullScan ? this.all : this.unmatched };
  }

  get sets(): readonly (readonly number[])[] { return [...this.exact.values(), ...this.wildcard.values(), this.unnamed, this.unmatched]; }
}
