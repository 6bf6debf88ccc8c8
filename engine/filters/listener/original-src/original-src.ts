// original_src: connections to upstreams that are made for a client go from the client's own address (net/README.md says what the system must do for it).
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import type { OriginalSrcPlan } from '../../../plan/listener-filter-plan.ts';

class OriginalSrc implements ListenerFilter {
  private readonly connection: PendingConnection;
  private readonly plan: OriginalSrcPlan;
  constructor(connection: PendingConnection, plan: OriginalSrcPlan) { this.connection = connection; this.plan = plan; }
  onAccept(): ListenerVerdict {
    const { facts } = this.connection, { plan } = this;
    if (facts.remoteIp !== '') facts.upstreamSource = { ip: facts.remoteIp, port: plan.bindPort ? facts.remotePort : 0, mark: plan.mark };
    return 'next';
  }
}

export class OriginalSrcFactory implements ListenerFilterFactory {
  private readonly plan: OriginalSrcPlan;
  constructor(plan: OriginalSrcPlan) { this.plan = plan; }
  create(connection: PendingConnection): ListenerFilter { return new OriginalSrc(connection, this.plan); }
}
