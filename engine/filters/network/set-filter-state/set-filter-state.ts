// set_filter_state: filter state of a connection from formats, when it begins, when its TLS stands and when its first bytes come.
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { FilterStateValues } from '../../../observe/filter-state/filter-state.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import type { SetFilterStatePlan } from '../../../plan/filter-state-plan.ts';

class SetFilterState implements NetworkFilter {
  private readonly shared: SetFilterStateFactory;
  private readonly connection: DownstreamConnection;
  private sawData = false;
  constructor(shared: SetFilterStateFactory, connection: DownstreamConnection) { this.shared = shared; this.connection = connection; }
  onConnection(): NetworkVerdict {
    const { facts, stream } = this.connection;
    this.shared.onConnection.apply(facts, stream);
    if (facts.tls !== null) this.onSecured();
    return 'next';
  }
  onSecured(): void { this.shared.onSecured.apply(this.connection.facts, this.connection.stream); }
  onData(): NetworkVerdict {
    if (!this.sawData) { this.sawData = true; this.shared.onData.apply(this.connection.facts, this.connection.stream); }
    return 'next';
  }
}

export class SetFilterStateFactory implements NetworkFilterFactory {
  readonly terminal = false;
  readonly onConnection: FilterStateValues;
  readonly onData: FilterStateValues;
  readonly onSecured: FilterStateValues;
  constructor(plan: SetFilterStatePlan, env: WorkerEnv, operators: OperatorEnv) { this.onConnection = new FilterStateValues(plan.onConnection, operators, env.clock); this.onData = new FilterStateValues(plan.onData, operators, env.clock); this.onSecured = new FilterStateValues(plan.onSecured, operators, env.clock); }
  create(connection: DownstreamConnection): NetworkFilter { return new SetFilterState(this, connection); }
}
