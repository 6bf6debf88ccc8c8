// Connections of a cluster to its hosts: the plain socket, and the transport socket that the cluster (or transport_socket_matches) puts on it. The one place where
// upstream sockets are made.
import type { ClientOptions } from '../net/tls/engine.ts';
import type { UpstreamSocketFactory } from '../net/tls/contexts.ts';
import { upstreamSocket } from '../net/transport-sockets.ts';
import type { Address } from '../net/address.ts';
import type { SocketSink, TransportSocket } from '../net/transport/transport.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { ConnectionFacts } from '../observe/stream-facts.ts';
import type { ExtensionPlan } from '../plan/extension-plan.ts';
import type { ProxyProtocolUpstreamPlan } from '../plan/proxy-protocol-plan.ts';
import type { BindPlan, BindSource, ClusterPlan } from '../plan/cluster-plan.ts';
import { writeProxyHeader } from './proxy-protocol/proxy-header.ts';
import type { Host } from './upstream.ts';

const ALPN = { http1: ['http/1.1'], http2: ['h2'], auto: ['h2', 'http/1.1'] } as const;

/** A transport socket: what wraps the plain one, and what is told of the client before it. */
interface Wrap { readonly factory: UpstreamSocketFactory | null; readonly proxy: ProxyProtocolUpstreamPlan | null }

interface Match { readonly match: { readonly [key: string]: unknown }; readonly wrap: Wrap }

const PROXY = 'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport';

function makeWrap(plan: ExtensionPlan | null, env: WorkerEnv, scope: string): Wrap {
  if (plan?.kind !== PROXY) return { factory: upstreamSocket(plan, env, scope), proxy: null };
  const proxy = plan.body as ProxyProtocolUpstreamPlan;
  return { factory: upstreamSocket(proxy.inner, env, scope), proxy };
}

/** The source of the remote's IP version, else the first; none for a pipe. */
function sourceFor({ sources }: BindPlan, remote: Address): BindSource | null {
  if (remote.kind !== 'ip') return null;
  for (const s of sources) if (s.address.kind === 'ip' && s.address.family === remote.family) return s;
  return sources[0]!;
}

/** What of a host decides how it is connected to. */
export type HostPlace = Pick<Host, 'address' | 'hostname' | 'metadata'>;

export class HostSockets {
  private readonly plan: Omit<ClusterPlan, 'circuits' | 'hostRecord'>;
  private readonly env: WorkerEnv;
  private readonly fallback: Wrap;
  /** Connections tell of the client that they are made for, so each client has its own. */
  readonly perClient: boolean;
  private readonly matches: readonly Match[];
  private readonly chosen = new WeakMap<object, Wrap>();

  constructor(plan: Omit<ClusterPlan, 'circuits' | 'hostRecord'>, env: WorkerEnv) {
    this.plan = plan; this.env = env;
    const scope = `cluster.${plan.statName}`;
    this.fallback = makeWrap(plan.transportSocket, env, scope);
    this.matches = plan.transportSocketMatches.map((m) => ({ match: m.match, wrap: makeWrap(m.socket, env, scope) }));
    this.perClient = [this.fallback, ...this.matches.map((m) => m.wrap)].some((w) => w.proxy !== null);
  }

  /**
   * Begins to connect; the result comes to the sink, for TLS when the handshake is over. `protocol`: what is to be spoken, for ALPN where the context has no list;
   * null: raw bytes. `serverName`: asked for in place of what the cluster asks for, '' for that. `alpn`: in place of any other list. `client`: whose connection it is, for PROXY headers.
   * `address`: of several that the host has.
   */
  connect(host: HostPlace, sink: SocketSink, protocol: 'http1' | 'http2' | 'auto' | null, serverName = '', alpn: readonly string[] | null = null, client: ConnectionFacts | null = null, address: Address = host.address): TransportSocket {
    const { plan, env } = this, { factory, proxy } = this.wrapFor(host);
    const { bind } = plan, source = bind === null ? null : sourceFor(bind, address);
    const socket = env.transport.connect({ remote: address, bind: source?.address ?? null, freebind: bind?.freebind ?? false, options: source?.options ?? plan.socketOptions, noDelay: true, keepalive: plan.keepalive }, sink);
    if (plan.bufferLimit > 0) socket.highMark = plan.bufferLimit;
    if (proxy !== null && !writeProxyHeader(socket, proxy, client)) { socket.destroy('now'); env.later.soon(() => sink.onClose('PROXY header too long')); return socket; }
    if (factory === null) return socket;
    const options = this.asks(factory, host, protocol, serverName);
    const wrapped = factory.wrap(socket, alpn === null ? options : { ...options, alpn });
    if (wrapped !== null) { wrapped.sink = sink; return wrapped; }
    socket.destroy('now');
    env.later.soon(() => sink.onClose('TLS error: Secret is not supplied by SDS'));
    return socket;
  }

  private asks(factory: UpstreamSocketFactory, host: HostPlace, protocol: 'http1' | 'http2' | 'auto' | null, serverName: string): ClientOptions {
    const base = factory.options(host.hostname), alpn = protocol === null || factory.alpn.length > 0 ? base.alpn : ALPN[protocol];
    return serverName === '' ? { ...base, alpn } : { serverName, alpn, sans: this.plan.autoSanValidation ? [serverName] : base.sans };
  }

  /** Whether connections to `host` are TLS. */
  secured(host: HostPlace): boolean { return this.wrapFor(host).factory !== null; }

  private wrapFor(host: HostPlace): Wrap {
    if (this.matches.length === 0) return this.fallback;
    let known = this.chosen.get(host);
    if (known === undefined) {
      const given = host.metadata?.['envoy.transport_socket_match'] as { readonly [key: string]: unknown } | undefined;
      known = this.matches.find((m) => Object.entries(m.match).every(([k, v]) => given !== undefined && JSON.stringify(given[k]) === JSON.stringify(v)))?.wrap ?? this.fallback;
      this.chosen.set(host, known);
    }
    return known;
  }
}
