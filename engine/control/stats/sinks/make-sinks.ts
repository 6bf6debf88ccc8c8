// The sinks of a bootstrap at work.
import type { SocketSink, Transport, TransportSocket } from '../../../net/transport/transport.ts';
import type { StatView } from '../stat-view.ts';
import type { StatSinkPlan } from './sink-plan.ts';
import { StatFlush } from './stat-flush.ts';
import { StatsdFormat } from './statsd-format.ts';
import { StatsdSink } from './statsd-sink.ts';
import { TcpStatsd } from './tcp-statsd.ts';
import { UdpStatsd } from './udp-statsd.ts';

export interface SinkEnv {
  readonly transport: Pick<Transport, 'datagrams'>;
  /** A connection to a host of a cluster; null: there is none. */
  connect(cluster: string, sink: SocketSink): TransportSocket | null;
  count(name: string): void;
}

/** null: there are none. */
export function makeSinks(plans: readonly StatSinkPlan[], view: StatView, env: SinkEnv): StatFlush | null {
  if (plans.length === 0) return null;
  return new StatFlush(view, plans.map((p) => {
    if (p.kind === 'udp') return new StatsdSink(new StatsdFormat(p.prefix, p.style, view.tags), new UdpStatsd(p.to, p.maxBytes, env.transport));
    return new StatsdSink(new StatsdFormat(p.prefix, 'none', view.tags), new TcpStatsd({ connect: (sink) => env.connect(p.cluster, sink), overflowed: () => env.count('statsd.cx_overflow') }));
  }));
}
