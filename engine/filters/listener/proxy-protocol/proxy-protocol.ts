// proxy_protocol: takes the PROXY header off the front of a connection; the addresses in it become the connection's.
import { formatAddress } from '../../../net/address.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import { mayBegin, readProxyHeader, V1_SIGNATURE, V2_SIGNATURE, type ProxyHeader, type Tlv } from '../../../net/proxy-protocol.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { PROXY_PROTO, PROXY_PROTO_ERROR_SCHEMA, PROXY_PROTO_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { ProxyProtocolPlan } from '../../../plan/listener-filter-plan.ts';

/** Filter state that keeps TLVs where tlv_location says so. */
const TLV_STATE = 'envoy.network.proxy_protocol.tlv';

class ProxyProtocol implements ListenerFilter {
  private readonly shared: ProxyProtocolFactory;
  private readonly connection: PendingConnection;
  constructor(shared: ProxyProtocolFactory, connection: PendingConnection) { this.shared = shared; this.connection = connection; }

  onData(bytes: Buffer, start: number, end: number): ListenerVerdict {
    const { stats, plan } = this.shared;
    // Versions that are not allowed are no headers at all where requests may come without one.
    if (plan.allowWithout && !(this.shared.allows(2) && mayBegin(V2_SIGNATURE, bytes, start, end)) && !(this.shared.allows(1) && mayBegin(V1_SIGNATURE, bytes, start, end))) {
      stats.inc(PROXY_PROTO.not_found_allowed);
      return 'next';
    }
    const read = readProxyHeader(bytes, start, end);
    if (read.kind === 'more') return 'wait';
    if (read.kind === 'bad') {
      stats.inc(read.version === 0 ? PROXY_PROTO.not_found_disallowed : read.version === 1 ? PROXY_PROTO['versions.v1.error'] : PROXY_PROTO['versions.v2.error']);
      this.shared.errors.inc(0);
      return 'close';
    }
    const { header } = read;
    stats.inc(header.version === 1 ? PROXY_PROTO['versions.v1.found'] : PROXY_PROTO['versions.v2.found']);
    if (!this.shared.allows(header.version)) { stats.inc(header.version === 1 ? PROXY_PROTO['versions.v1.disallowed'] : PROXY_PROTO['versions.v2.disallowed']); return 'close'; }
    this.take(header);
    this.connection.consume(header.length);
    return 'next';
  }

  private take(header: ProxyHeader): void {
    const { facts } = this.connection, { plan } = this.shared;
    if (header.remote !== null) {
      facts.remoteIp = header.remote.ip; facts.remotePort = header.remote.port; facts.remoteText = formatAddress(header.remote);
      facts.localIp = header.local!.ip; facts.localPort = header.local!.port; facts.localText = formatAddress(header.local!);
      facts.localRestored = true;
    }
    const pass = plan.passThrough;
    facts.proxyTlvs = pass === null ? [] : header.tlvs.filter((t) => pass === 'all' || pass.includes(t.type));
    for (const t of header.tlvs) this.note(t);
  }

  /** The first of a type counts. */
  private note(t: Tlv): void {
    const rule = this.shared.plan.rules.findLast((r) => r.type === t.type);
    if (rule === undefined) return;
    const value = rule.base64 ? Buffer.from(t.value).toString('base64') : sanitized(t.value), { facts, stream } = this.connection;
    if (this.shared.plan.toFilterState) {
      const state = facts.filterState ??= new Map(), known = state.get(TLV_STATE) as Record<string, string> | undefined;
      if (known?.[rule.key] === undefined) state.set(TLV_STATE, { ...known, [rule.key]: value });
    } else if (stream.metadata?.get(rule.namespace)?.[rule.key] === undefined) this.connection.setMetadata(rule.namespace, { [rule.key]: value });
  }
}

/** UTF-8 with '!' for what is none, as Envoy writes it. */
function sanitized(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8');
  if (!text.includes('\ufffd')) return text;
  return text.replaceAll('\ufffd', '!');
}

export class ProxyProtocolFactory implements ListenerFilterFactory {
  readonly plan: ProxyProtocolPlan;
  readonly stats: StatBlock;
  readonly errors: StatBlock;
  constructor(plan: ProxyProtocolPlan, env: WorkerEnv) {
    this.plan = plan;
    this.stats = new StatBlock(env.stats, PROXY_PROTO_SCHEMA, proxyProtoScope(plan.statPrefix));
    this.errors = new StatBlock(env.stats, PROXY_PROTO_ERROR_SCHEMA, '');
  }
  allows(version: 1 | 2): boolean { return !this.plan.disallowed.includes(version); }
  create(connection: PendingConnection): ListenerFilter { return new ProxyProtocol(this, connection); }
}

function proxyProtoScope(statPrefix: string): string { return statPrefix === '' ? 'proxy_proto' : `proxy_proto.${statPrefix}`; }
