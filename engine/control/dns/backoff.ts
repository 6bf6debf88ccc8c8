// When a failed lookup is tried again, as Envoy: after a pause that grows (dns_failure_refresh_rate), or after the plain refresh rate.
import type { Random } from '../../loop/random.ts';
import type { DnsPlan } from '../../upstream/dns-config.ts';
import { Backoff } from '../backoff.ts';

export class DnsBackoff {
  private readonly refreshMs: number;
  private readonly failure: Backoff | null;
  constructor(plan: DnsPlan, random: Random) { this.refreshMs = plan.refreshMs; this.failure = plan.failure === null ? null : new Backoff(plan.failure, random); }

  next(): number { return this.failure?.next() ?? this.refreshMs; }
  reset(): void { this.failure?.reset(); }
}
