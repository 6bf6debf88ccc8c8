// Which certificate a server shows (Envoy: DefaultTlsCertificateSelector): by the name asked for, exact before wildcard, else the first. Certificates of different key
// types under one name stand side by side: the engine takes ECDSA for a client that can.
import type { CertificateSecretPlan } from '../../plan/tls-plan.ts';

export class CertificateChoice {
  private readonly exact = new Map<string, number[]>();
  /** By what follows '*'. */
  private readonly wildcard = new Map<string, number[]>();
  private readonly keyTypes: readonly CertificateSecretPlan['keyType'][];
  /** For those who look at every certificate: all of them, and what is looked at for a name that none has. */
  private readonly all: readonly number[];
  private readonly rest: readonly number[];

  constructor(certificates: readonly Pick<CertificateSecretPlan, 'names' | 'keyType'>[], fullScan: boolean) {
    const type = (i: number): string => certificates[i]!.keyType;
    const put = (map: Map<string, number[]>, name: string, i: number): void => {
      const list = map.get(name);
      if (list === undefined) map.set(name, [i]); else if (!list.some((k) => type(k) === type(i))) list.push(i);
    };
    certificates.forEach((c, i) => { for (const n of c.names) if (n.startsWith('*.')) put(this.wildcard, n.slice(1), i); else put(this.exact, n, i); });
    this.keyTypes = certificates.map((c) => c.keyType);
    this.all = certificates.map((_c, i) => i);
    this.rest = fullScan ? this.all : this.all.slice(0, 1);
  }

  /** Indexes of the certificates for a name, one of each key type; null: none has it. */
  find(name: string): readonly number[] | null {
    const n = name.toLowerCase();
    return this.exact.get(n) ?? this.wildcardOf(n) ?? null;
  }
  /** `name` in lower case. */
  private wildcardOf(name: string): readonly number[] | undefined { const dot = name.indexOf('.'); return dot < 0 ? undefined : this.wildcard.get(name.slice(dot)); }

  /**
   * The one certificate for a client: by name, exact before wildcard, then the others, or the first one; of a set the first ECDSA (or Ed25519) one, else RSA.
   * `can`: the client can check signatures of such a key. `may`: it may be shown to it. `name`: '' for none.
   */
  pick(name: string, can: (keyType: CertificateSecretPlan['keyType']) => boolean, may: (index: number) => boolean): number {
    const best = (set: readonly number[] = []): number | undefined => {
      const fit = set.filter((i) => can(this.keyTypes[i]!) && may(i));
      return fit.find((i) => this.keyTypes[i] !== 'rsa') ?? fit[0];
    };
    if (name === '') return best(this.all) ?? 0;
    const n = name.toLowerCase();
    return best(this.exact.get(n)) ?? best(this.wildcardOf(n)) ?? best(this.rest) ?? 0;
  }

  /** For the addon, which looks at every certificate where no name leads to one. */
  table(): { exact: { name: string; certs: number[] }[]; wildcard: { name: string; certs: number[] }[]; unnamed: readonly number[]; unmatched: readonly number[] } {
    const rows = (m: Map<string, number[]>): { name: string; certs: number[] }[] => [...m].map(([name, certs]) => ({ name, certs }));
    return { exact: rows(this.exact), wildcard: rows(this.wildcard), unnamed: this.all, unmatched: this.rest };
  }
}
