// When a failed lookup is tried again, as Envoy: at random within a span that doubles (dns_failure_refresh_rate), or after the plain refresh rate.
import type { Random } from '../../loop/random.ts';
import type { DnsPlan } from '../../upstream/dns-config.ts';

export class DnsBackoff {
  private readonly plan: DnsPlan;
  private readonly random: Random;
  private span: number;
  constructor(plan: DnsPlan, random: Random) { this.plan = plan; this.random = random; this.span = plan.failure?.baseMs ?? 0; }

  next(): number {
    const { failure, refreshMs } = this.plan, { span } = this;
    if (failure === null) return refreshMs;
    this.span = Math.min(span * 2, failure.maxMs);
    return Math.floor(this.random.unit() * span);
  }

  reset(): void { this.span = this.plan.failure?.baseMs ?? 0; }
}
