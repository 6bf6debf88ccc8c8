// Connections of a cluster to its hosts: the plain socket, and the transport socket that the cluster (or transport_socket_matches) puts on it. The one place where
// upstream sockets are made.
import type { ClientOptions } from '../net/tls/engine.ts';
import type { UpstreamSocketFactory } from '../net/tls/contexts.ts';
import { upstreamSocket } from '../net/transport-sockets.ts';
import type { SocketSink, TransportSocket } from '../net/transport/transport.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { ClusterPlan } from '../plan/cluster-plan.ts';
import type { Host } from './upstream.ts';

interface Match { readonly match: { readonly [key: string]: unknown }; readonly factory: UpstreamSocketFactory | null }

/** What of a host decides how it is connected to. */
export type HostPlace = Pick<Host, 'address' | 'hostname' | 'metadata'>;

export class HostSockets {
  private readonly plan: Omit<ClusterPlan, 'circuits'>;
  private readonly env: WorkerEnv;
  private readonly fallback: UpstreamSocketFactory | null;
  private readonly matches: readonly Match[];
  private readonly chosen = new WeakMap<object, { readonly factory: UpstreamSocketFactory | null }>();

  constructor(plan: Omit<ClusterPlan, 'circuits'>, env: WorkerEnv) {
    this.plan = plan; this.env = env;
    const scope = `cluster.${plan.statName}`;
    this.fallback = upstreamSocket(plan.transportSocket, env, scope);
    this.matches = plan.transportSocketMatches.map((m) => ({ match: m.match, factory: upstreamSocket(m.socket, env, scope) }));
  }

  /** Begins to connect; the result comes to the sink, for TLS when the handshake is over. `asks`: in place of what the cluster asks for; `alpn`: in place of its protocols. */
  connect(host: HostPlace, sink: SocketSink, asks: ClientOptions | null = null, alpn: readonly string[] | null = null): TransportSocket {
    const { plan, env } = this, factory = this.factoryFor(host);
    const socket = env.transport.connect({ remote: host.address, bind: plan.bind, freebind: false, options: plan.socketOptions, noDelay: true, keepalive: plan.keepalive }, sink);
    if (plan.bufferLimit > 0) socket.highMark = plan.bufferLimit;
    if (factory === null) return socket;
    const options = asks ?? factory.options(host.hostname);
    const wrapped = factory.wrap(socket, alpn === null ? options : { ...options, alpn });
    if (wrapped !== null) { wrapped.sink = sink; return wrapped; }
    socket.destroy('now');
    env.later.soon(() => sink.onClose('TLS error: Secret is not supplied by SDS'));
    return socket;
  }

  /** Whether connections to `host` are TLS. */
  secured(host: HostPlace): boolean { return this.factoryFor(host) !== null; }

  private factoryFor(host: HostPlace): UpstreamSocketFactory | null {
    if (this.matches.length === 0) return this.fallback;
    let known = this.chosen.get(host);
    if (known === undefined) {
      const given = host.metadata?.['envoy.transport_socket_match'] as { readonly [key: string]: unknown } | undefined;
      const found = this.matches.find((m) => Object.entries(m.match).every(([k, v]) => given !== undefined && JSON.stringify(given[k]) === JSON.stringify(v)));
      known = { factory: found === undefined ? this.fallback : found.factory };
      this.chosen.set(host, known);
    }
    return known.factory;
  }
}
