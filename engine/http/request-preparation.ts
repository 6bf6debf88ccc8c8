// What the connection manager does to a request before its filters see it (Envoy: ConnectionManagerUtility): host and path normalisation, client address, scheme,
// x-envoy-* of the edge, request id. Hop-by-hop headers are mostly the codec's; those that `connection` names are dropped here.
import { portOf, hostOf } from '../headers/authority.ts';
import { hasEscapedSlash, mergeSlashes, normalizePath, unescapeSlashes } from '../headers/path.ts';
import type { RequestHeaders } from '../headers/headers.ts';
import { MatchTree } from '../net/match/match-tree.ts';
import type { ClientCertPlan, HcmPlan } from '../plan/hcm-plan.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { Random } from '../loop/random.ts';
import { forwardClientCert } from './client-cert.ts';
import { AddressDetector, ClientAddress } from './forwarded-for.ts';
import { LocalReply } from './filter.ts';

/** Dropped whenever a request is not internal. */
const INTERNAL_ONLY = new Set(['x-envoy-retriable-status-codes', 'x-envoy-retriable-header-names', 'x-envoy-retry-on', 'x-envoy-retry-grpc-on', 'x-envoy-max-retries', 'x-envoy-upstream-alt-stat-name', 'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms', 'x-envoy-upstream-rq-timeout-alt-response', 'x-envoy-expected-rq-timeout-ms', 'x-envoy-force-trace', 'x-envoy-ip-tags', 'x-envoy-original-url', 'x-envoy-hedge-on-per-try-timeout', 'x-envoy-upstream-stream-duration-ms', 'x-envoy-internal']);
/** Dropped at the edge too. */
const EDGE_ONLY = new Set(['x-envoy-decorator-operation', 'x-envoy-downstream-service-cluster', 'x-envoy-downstream-service-node', 'x-envoy-original-path', 'x-envoy-original-host']);

const REJECT_SLASHES = new LocalReply(400, '', 'path_normalization_failed');
const REJECT_PATH = new LocalReply(400, '', 'path_normalization_failed');
const client = new ClientAddress();

/** Who this proxy is, from the bootstrap's node or the command line; byte strings. */
export interface NodeNames { readonly id: string; readonly cluster: string }

export class RequestPreparation {
  private readonly plan: HcmPlan;
  private readonly detector: AddressDetector;
  private readonly machineAddress: string;
  private readonly random: Random;
  private readonly node: NodeNames;
  /** Whom to say what of the client's certificate; null: all the same. */
  private readonly certTree: MatchTree<ClientCertPlan> | null;

  /** `machineAddress`: stands in x-forwarded-for for loopback peers, as in Envoy. */
  constructor(plan: HcmPlan, random: Random, machineAddress: string, node: NodeNames) {
    this.plan = plan; this.random = random; this.machineAddress = machineAddress; this.node = node;
    this.detector = new AddressDetector(plan);
    this.certTree = plan.clientCertTree === null ? null : new MatchTree(plan.clientCertTree, (action) => action as ClientCertPlan);
  }

  /** Changes the request in place; a reply refuses it. */
  prepare(headers: RequestHeaders, facts: StreamFacts): LocalReply | null {
    const plan = this.plan, connection = facts.connection;
    const refused = headers.method === 'CONNECT' ? null : this.path(headers);
    if (refused !== null) return refused;
    this.host(headers, connection);
    return this.trust(headers, facts, connection, plan);
  }

  private path(headers: RequestHeaders): LocalReply | null {
    const plan = this.plan;
    if (plan.escapedSlashes !== 'keep' && hasEscapedSlash(headers.path)) {
      if (plan.escapedSlashes === 'reject') return REJECT_SLASHES;
      headers.path = unescapeSlashes(headers.path);
      if (plan.escapedSlashes === 'redirect') {
        const failed = this.normalize(headers);
        const location = headers.path;
        return failed ?? new LocalReply(307, '', 'path_normalization_failed', 0, (h) => h.set('location', location));
      }
    }
    return this.normalize(headers);
  }

  private normalize(headers: RequestHeaders): LocalReply | null {
    if (this.plan.normalizePath) {
      const path = normalizePath(headers.path);
      if (path === null) return REJECT_PATH;
      headers.path = path;
    }
    if (this.plan.mergeSlashes) headers.path = mergeSlashes(headers.path);
    return null;
  }

  private host(headers: RequestHeaders, connection: ConnectionFacts): void {
    const plan = this.plan;
    if (plan.stripDot) {
      const host = hostOf(headers.authority);
      if (host.endsWith('.')) headers.authority = host.slice(0, -1) + headers.authority.slice(host.length);
    }
    if (plan.stripPort === 'none' || headers.method === 'CONNECT') return;
    const port = portOf(headers.authority);
    if (port >= 0 && (plan.stripPort === 'any' || port === connection.localPort)) headers.authority = hostOf(headers.authority);
  }

  private trust(headers: RequestHeaders, facts: StreamFacts, connection: ConnectionFacts, plan: HcmPlan): LocalReply | null {
    const scheme = connection.localRestored ? this.protoOf(connection) : connection.tls === null ? 'http' : 'https';
    this.detector.find(headers, connection.remoteIp, client);
    if (client.rejectStatus !== 0) return new LocalReply(client.rejectStatus, '', 'rejected_by_ip_detection');
    if (plan.useRemoteAddress) {
      if (!plan.skipXffAppend) headers.append('x-forwarded-for', this.forwardedAs(connection.remoteIp));
      if (plan.hops === 0 || !headers.has('x-forwarded-proto')) headers.set('x-forwarded-proto', scheme);
      if (plan.appendForwardedPort && (plan.hops === 0 || !headers.has('x-forwarded-port'))) headers.set('x-forwarded-port', String(connection.localPort));
    } else {
      if (plan.detection.some((d) => d.kind === 'xff' && !d.skipAppend)) headers.append('x-forwarded-for', this.forwardedAs(connection.remoteIp));
      if (!headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', scheme);
      if (plan.appendForwardedPort && !headers.has('x-forwarded-port')) headers.add('x-forwarded-port', String(connection.localPort));
    }
    this.scheme(headers, scheme);
    if (plan.schemeMatchesUpstream) facts.schemeMatchesUpstream = true;
    if (client.ip !== '') { facts.remoteIp = client.ip; facts.remotePort = 0; facts.remoteText = client.ip.includes(':') ? `[${client.ip}]:0` : `${client.ip}:0`; }
    const internal = client.single && this.detector.isInternal(facts.remoteIp);
    facts.internal = internal;
    const edge = plan.useRemoteAddress && !internal;
    this.envoyHeaders(headers, facts, internal, edge);
    this.requestId(headers, facts, edge);
    if (plan.via !== '') headers.append('via', plan.via, ', ');
    forwardClientCert(this.certTree?.match(connection, facts) ?? plan.clientCert, headers, connection.tls);
    return null;
  }

  /** forward_proto_config: by the port that the client asked for. */
  private protoOf(connection: ConnectionFacts): 'http' | 'https' {
    const { https, http } = this.plan.protoPorts, port = connection.localPort;
    return https.includes(port) ? 'https' : http.includes(port) || connection.tls === null ? 'http' : 'https';
  }

  private forwardedAs(ip: string): string { return ip.startsWith('127.') || ip === '::1' ? this.machineAddress : ip; }

  private scheme(headers: RequestHeaders, own: string): void {
    const plan = this.plan;
    if (plan.schemeOverwrite !== '') { headers.scheme = plan.schemeOverwrite; headers.set('x-forwarded-proto', plan.schemeOverwrite); return; }
    if (headers.scheme !== '') return;
    const proto = headers.get('x-forwarded-proto')!;
    headers.scheme = proto === 'http' || proto === 'https' ? proto : own;
  }

  private envoyHeaders(headers: RequestHeaders, facts: StreamFacts, internal: boolean, edge: boolean): void {
    if (internal) { headers.set('x-envoy-internal', 'true'); } else {
      if (hasEnvoyHeader(headers)) headers.removeIf((name) => name.startsWith('x-envoy-') && (INTERNAL_ONLY.has(name) || (edge && EDGE_ONLY.has(name))));
      if (edge) headers.set('x-envoy-external-address', facts.remoteIp);
    }
    if (this.plan.addUserAgent) {
      headers.set('x-envoy-downstream-service-cluster', this.node.cluster);
      if ((headers.get('user-agent') ?? '') === '') headers.set('user-agent', this.node.cluster);
      if (this.node.id !== '') headers.set('x-envoy-downstream-service-node', this.node.id);
    }
  }

  private requestId(headers: RequestHeaders, facts: StreamFacts, edge: boolean): void {
    const plan = this.plan;
    const given = headers.get('x-request-id');
    if (!plan.generateRequestId) { facts.requestId = given ?? ''; return; }
    if (given !== undefined && !(edge && !plan.preserveRequestId)) { facts.requestId = given; return; }
    const id = this.random.uuid();
    if (given === undefined) headers.add('x-request-id', id); else headers.set('x-request-id', id);
    facts.requestId = id;
  }
}

function hasEnvoyHeader(headers: RequestHeaders): boolean {
  const flat = headers.flat;
  for (let i = 0; i < flat.length; i += 2) if (flat[i]!.startsWith('x-envoy-')) return true;
  return false;
}
