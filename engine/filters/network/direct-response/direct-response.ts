// direct_response: sends its bytes to whoever connects, and closes.
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import type { DirectResponsePlan } from '../../../plan/network-filter-plan.ts';

class DirectResponse implements NetworkFilter {
  private readonly connection: DownstreamConnection;
  private readonly body: Uint8Array;
  constructor(connection: DownstreamConnection, body: Uint8Array) { this.connection = connection; this.body = body; }
  onConnection(): NetworkVerdict {
    const { connection, body } = this;
    if (body.length > 0) { connection.facts.bytesSent += body.length; connection.socket.write(body, 0, body.length); }
    connection.close('flush', 'direct_response');
    return 'stop';
  }
}

export class DirectResponseFactory implements NetworkFilterFactory {
  readonly terminal = true;
  private readonly plan: DirectResponsePlan;
  constructor(plan: DirectResponsePlan) { this.plan = plan; }
  create(connection: DownstreamConnection): NetworkFilter { return new DirectResponse(connection, this.plan.body); }
}
