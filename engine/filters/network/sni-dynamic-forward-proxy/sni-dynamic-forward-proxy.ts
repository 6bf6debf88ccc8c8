// sni_dynamic_forward_proxy: before a connection goes to a dynamic forward proxy cluster, the server name that its client asks for is resolved; it waits for that. A
// name that cannot be resolved goes on too: the cluster then has no host for it.
import type { Timer } from '../../../loop/timer-wheel.ts';
import { parseIp } from '../../../net/cidr.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import type { SniForwardPlan } from '../../../plan/dynamic-forward-plan.ts';
import type { DnsCaches, DnsWaiter } from '../../../upstream/dns-caches.ts';

/** Filter state (Envoy): the host and the port to go to in place of the server name's and port_value. */
const HOST = 'envoy.upstream.dynamic_host', PORT = 'envoy.upstream.dynamic_port';

class SniDynamicForwardProxy implements NetworkFilter, DnsWaiter {
  private readonly connection: DownstreamConnection;
  private readonly factory: SniDynamicForwardProxyFactory;
  private waitsFor = '';
  private timer: Timer | null = null;
  constructor(connection: DownstreamConnection, factory: SniDynamicForwardProxyFactory) { this.connection = connection; this.factory = factory; }

  onConnection(): NetworkVerdict {
    const { plan, dns } = this.factory, { facts, env } = this.connection, given = facts.filterState?.get(HOST);
    const name = (typeof given === 'string' && given !== '' ? given : facts.serverName).toLowerCase();
    if (name === '') return 'next';
    const state = facts.filterState ??= new Map();
    if (!state.has(PORT)) state.set(PORT, plan.port);
    if (parseIp(name) !== null) return 'next';
    const answer = dns.resolve(plan.cache, name, this);
    if (answer === 'overflow') return 'close';
    if (answer !== 'waiting') return answer.error === 'overflow' ? 'close' : 'next';
    this.waitsFor = name;
    // A cache that no cluster uses is resolved by nobody.
    this.timer = env.wheel.after(plan.waitMs + 1000, () => { this.leave(); this.connection.continueReading(this); });
    return 'stop';
  }

  onResolved(answer: { readonly error: string }): void {
    this.waitsFor = '';
    this.leave();
    if (answer.error === 'overflow') this.connection.close('now'); else this.connection.continueReading(this);
  }

  onClose(): void { this.leave(); }

  /** Waits no more. */
  private leave(): void {
    if (this.timer !== null) this.connection.env.wheel.cancel(this.timer);
    this.timer = null;
    if (this.waitsFor !== '') this.factory.dns.cancel(this.factory.plan.cache, this.waitsFor, this);
    this.waitsFor = '';
  }
}

export class SniDynamicForwardProxyFactory implements NetworkFilterFactory {
  readonly terminal = false;
  readonly plan: SniForwardPlan;
  readonly dns: DnsCaches;
  constructor(plan: SniForwardPlan, dns: DnsCaches) { this.plan = plan; this.dns = dns; }
  create(connection: DownstreamConnection): NetworkFilter { return new SniDynamicForwardProxy(connection, this); }
}
