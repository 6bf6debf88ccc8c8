// Connections of a cluster to its hosts: the plain socket, and the transport socket that the cluster (or transport_socket_matches) puts on it. The one place where
// upstream sockets are made.
import type { ClientOptions } from '../net/tls/engine.ts';
import type { UpstreamSocketFactory } from '../net/tls/contexts.ts';
import { upstreamSocket } from '../net/transport-sockets.ts';
import { ipAddress, type Address } from '../net/address.ts';
import { optionsFor, type ConnectOptions, type SocketOption, type SocketSink, type TransportSocket } from '../net/transport/transport.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { ForClient, UpstreamSource } from '../observe/stream-facts.ts';
import type { ExtensionPlan } from '../plan/extension-plan.ts';
import type { InternalUpstreamPlan } from '../plan/internal-upstream-plan.ts';
import type { ProxyProtocolUpstreamPlan } from '../plan/proxy-protocol-plan.ts';
import type { BindPlan, BindSource, ClusterPlan } from '../plan/cluster-plan.ts';
import { InternalUpstream } from './internal-upstream/passthrough.ts';
import { writeProxyHeader } from './proxy-protocol/proxy-header.ts';
import type { Host } from './upstream.ts';

const ALPN = { http1: ['http/1.1'], http2: ['h2'], auto: ['h2', 'http/1.1'] } as const;

/** A transport socket: what wraps the plain one, and what is told of the client before it. */
interface Wrap { readonly factory: UpstreamSocketFactory | null; readonly proxy: ProxyProtocolUpstreamPlan | null; readonly internal: InternalUpstream | null }

interface Match { readonly match: { readonly [key: string]: unknown }; readonly wrap: Wrap }

const INTERNAL = 'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport';
const PROXY = 'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport';

function makeWrap(plan: ExtensionPlan | null, env: WorkerEnv, scope: string): Wrap {
  switch (plan?.kind) {
    case PROXY: { const proxy = plan.body as ProxyProtocolUpstreamPlan; return { ...makeWrap(proxy.inner, env, scope), proxy }; }
    case INTERNAL: { const internal = plan.body as InternalUpstreamPlan; return { ...makeWrap(internal.inner, env, scope), internal: new InternalUpstream(internal, env.stats, scope) }; }
    default: return { factory: upstreamSocket(plan, env, scope), proxy: null, internal: null };
  }
}

/** The source of the remote's IP version, else the first; none for a pipe. */
function sourceFor({ sources }: BindPlan, remote: Address): BindSource | null {
  if (remote.kind !== 'ip') return null;
  for (const s of sources) if (s.address.kind === 'ip' && s.address.family === remote.family) return s;
  return sources[0]!;
}

const SOL_SOCKET = 1, SO_MARK = 36, IPPROTO_IP = 0, IPPROTO_IPV6 = 41, IP_TRANSPARENT = 19, IPV6_TRANSPARENT = 75, IP_BIND_ADDRESS_NO_PORT = 24;
/** What binding to an address that is not ours takes (Envoy: buildOriginalSrcOptions). */
function sourceOptions({ ip, port, mark }: UpstreamSource): SocketOption[] {
  const out: SocketOption[] = [ip.includes(':') ? { level: IPPROTO_IPV6, name: IPV6_TRANSPARENT, value: 1 } : { level: IPPROTO_IP, name: IP_TRANSPARENT, value: 1 }];
  if (mark !== 0) out.push({ level: SOL_SOCKET, name: SO_MARK, value: mark });
  if (port === 0) out.push({ level: IPPROTO_IP, name: IP_BIND_ADDRESS_NO_PORT, value: 1 });
  return out;
}

/** What of a host decides how it is connected to. */
export type HostPlace = Pick<Host, 'address' | 'hostname' | 'metadata'>;

export class HostSockets {
  private readonly plan: Omit<ClusterPlan, 'circuits' | 'hostRecord'>;
  private readonly env: WorkerEnv;
  private readonly fallback: Wrap;
  /** Connections tell of the client that they are made for, so each client has its own. */
  private readonly perClient: boolean;
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
   * null: raw bytes. `serverName`: asked for in place of what the cluster asks for, '' for that. `alpn`: in place of any other list. `who`: whose connection it is; null: nobody's.
   * `address`: of several that the host has.
   */
  connect(host: HostPlace, sink: SocketSink, protocol: 'http1' | 'http2' | 'auto' | null, serverName = '', alpn: readonly string[] | null = null, who: ForClient | null = null, address: Address = host.address): TransportSocket {
    const { plan, env } = this, { factory, proxy, internal } = this.wrapFor(host);
    const socket = address.kind === 'internal' ? env.internal.connect(address, sink, internal?.passthrough(host.metadata, plan.metadata, who?.shared ?? null) ?? null) : env.transport.connect(this.outgoing(address, who?.source ?? null), sink);
    if (plan.bufferLimit > 0) socket.highMark = plan.bufferLimit;
    if (proxy !== null && !writeProxyHeader(socket, proxy, who?.client ?? null)) { socket.destroy('now'); env.later.soon(() => sink.onClose('PROXY header too long')); return socket; }
    if (factory === null) return socket;
    const options = this.asks(factory, host, protocol, serverName);
    const wrapped = factory.wrap(socket, alpn === null ? options : { ...options, alpn });
    if (wrapped !== null) { wrapped.sink = sink; return wrapped; }
    socket.destroy('now');
    env.later.soon(() => sink.onClose('TLS error: Secret is not supplied by SDS'));
    return socket;
  }

  private outgoing(remote: Address, from: UpstreamSource | null): ConnectOptions {
    const { plan } = this, { bind } = plan, source = bind === null ? null : sourceFor(bind, remote), options = optionsFor(source?.options ?? plan.socketOptions, remote);
    const common = { remote, freebind: bind?.freebind ?? false, noDelay: true, keepalive: plan.keepalive };
    // The client's address is of another IP version than the host: it cannot be kept.
    if (from === null || remote.kind !== 'ip' || remote.family !== (from.ip.includes(':') ? 6 : 4)) return { ...common, bind: source?.address ?? null, options };
    return { ...common, bind: ipAddress(from.ip, from.port), options: [...options, ...sourceOptions(from)] };
  }

  /** What a client's connections are told from others' by; '': it shares them with everybody. */
  clientKey(host: HostPlace, { client, source: from, shared }: ForClient): string {
    if (!this.perClient && from === null && shared === null) return '';
    let key = client !== null && this.perClient ? `${client.remoteText} ${client.localText}` : '';
    if (from !== null) key += ` from ${from.ip} ${from.port} ${from.mark}`;
    if (shared !== null && host.address.kind === 'internal') key += ` with ${JSON.stringify([...shared])}`;
    return key;
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
