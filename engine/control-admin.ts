// What the admin interface is told: the control engine seen through AdminSource.
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { getHeapSnapshot, getHeapSpaceStatistics } from 'node:v8';
import type { AdminSource, DrainWish, MemoryFigures } from './admin/admin-source.ts';
import { makeAdminServer } from './admin/admin-server.ts';
import type { ClusterStatus, HostStatus } from './admin/clusters.ts';
import type { DumpSection } from './admin/config-dump.ts';
import { addressJson, type ListenerStatus } from './admin/listeners.ts';
import { adminMatcher } from './control/admin-access.ts';
import { AdminTraffic } from './control/admin-traffic.ts';
import type { AdminPlan } from './control/compile/admin-config.ts';
import type { LiveHost } from './control/clusters/live-cluster.ts';
import { certificateEntries, daysUntilFirstExpires, secondsUntilFirstStapleExpires, expiryGauges, tlsOf } from './control/dump/certificates.ts';
import { configSections } from './control/dump/sections.ts';
import type { RuntimeTable } from './control/runtime/layers.ts';
import { serverInfo, shownNode } from './control/server-info.ts';
import type { LifeState } from './control/server-state.ts';
import type { RecentLookups } from './control/stats/recent-lookups.ts';
import type { StatView } from './control/stats/stat-view.ts';
import { listenerStatName } from './net/listener.ts';
import type { CommonTlsPlan } from './plan/tls-plan.ts';
import type { ControlEngine } from './control-engine.ts';
import { parseHostPort } from './net/address.ts';
import { ThreadProfile, type ProfileKind } from './observe/thread-profile.ts';
import { LOG_COMPONENTS } from './observe/log.ts';
import { HOST_SCHEMA } from './observe/stats/schemas.ts';
import { CIRCUIT_KIND } from './shm/circuit-table.ts';

const HOST_STATS = HOST_SCHEMA.names.map((name, i) => ({ name, i, gauge: HOST_SCHEMA.kinds[i] === 'gauge' })).sort((a, b) => (a.name < b.name ? -1 : 1));

export class ControlAdmin implements AdminSource {
  private readonly engine: ControlEngine;
  private readonly profiles = { cpu: new ThreadProfile('cpu'), heap: new ThreadProfile('heap') };
  private readonly allocations = new ThreadProfile('heap');
  private readonly plan: AdminPlan;
  readonly traffic: AdminTraffic;
  constructor(engine: ControlEngine, plan: AdminPlan) {
    const { host, state } = engine;
    this.engine = engine; this.plan = plan;
    this.traffic = new AdminTraffic(plan.accessLogs, { after: (ms, task) => host.after(ms, task), stats: state.own, fileFlushIntervalMs: host.flags.fileFlushIntervalMs, fileFlushMinBytes: host.flags.fileFlushMinBytes, operators: { hostname: hostname(), environment: (name) => host.environment(name) } });
  }

  server(): Server {
    const { host, state } = this.engine, { traffic } = this;
    const server = makeAdminServer({ source: this, allowed: adminMatcher(this.plan.allowPaths), soon: (task) => { host.after(0, task); }, onBegan: () => traffic.began(), onAnswered: (r) => traffic.answered(r) }, () => state.nowMs());
    traffic.watch(server);
    return server;
  }

  stats(): StatView {
    const { state, secrets } = this.engine, now = state.wallMs();
    // Certificates are parsed for it: once a minute will do for a figure in days, and when one was replaced.
    const seen = `${secrets.version}:${this.engine.served.listeners.size}:${this.engine.served.clusters.size}`;
    if (now - this.expiryAt > 60_000 || seen !== this.expirySeen) {
      this.expiryAt = now; this.expirySeen = seen;
      const all = secrets.describe();
      state.change('server.days_until_first_cert_expiring', 'gauge', { set: daysUntilFirstExpires(all, now) });
      const seconds = secondsUntilFirstStapleExpires(all, now);
      if (seconds !== null) state.change('server.seconds_until_first_ocsp_response_expiring', 'gauge', { set: seconds });
      for (const [name, set] of expiryGauges(this.tlsContexts(), all)) state.change(name, 'gauge', { set });
    }
    return state.shown();
  }
  private expiryAt = 0;
  private expirySeen = '';
  get lookups(): RecentLookups { return this.engine.state.lookups; }
  resetCounters(): void { this.engine.state.stats.resetCounters(); }
  state(): LifeState { return this.engine.state.lifeState; }
  serverInfo(): unknown { const { state, host, compiled } = this.engine; return serverInfo(host, state, compiled?.process.node ?? null); }

  *clusters(): Generator<ClusterStatus> {
    const { host, clusters } = this.engine, { circuits } = host.shared;
    for (const c of clusters.each()) {
      const detector = this.engine.health.detectorOf(c.name);
      const limits = (r: number): ClusterStatus['thresholds'][0] => ({ connections: circuits.limit(r, CIRCUIT_KIND.CX), pending: circuits.limit(r, CIRCUIT_KIND.PENDING), requests: circuits.limit(r, CIRCUIT_KIND.RQ), retries: circuits.limit(r, CIRCUIT_KIND.RETRY) });
      yield {
        name: c.name, observabilityName: c.plan.statName, edsServiceName: '', addedViaApi: this.engine.served.clusters.get(c.name)?.owner === 'dynamic', thresholds: [limits(c.plan.circuits[0]), limits(c.plan.circuits[1])],
        outlier: detector === null ? null : { average: detector.external.average, threshold: detector.external.threshold, localAverage: detector.local.average, localThreshold: detector.local.threshold }, hosts: c.hosts.map((h) => this.hostStatus(h, detector)),
      };
    }
  }

  private hostStatus(h: LiveHost, detector: ReturnType<ControlEngine['health']['detectorOf']>): HostStatus {
    const values = this.engine.hostStats(h.index), flags = this.engine.host.shared.hosts.flags(h.index);
    const rates = detector?.describe(h.index);
    const lb = h.metadata?.['envoy.lb'] as { readonly canary?: unknown } | undefined;
    return {
      address: h.address, hostname: h.hostname, weight: this.engine.host.shared.hosts.weight(h.index), priority: h.priority, canary: lb?.canary === true, locality: h.locality, flags, eds: h.health,
      stats: HOST_STATS.map((s) => ({ name: s.name, gauge: s.gauge, value: values[s.i]! })), successRate: rates?.successRate ?? -1, localOriginSuccessRate: rates?.localSuccessRate ?? -1,
    };
  }

  listeners(): readonly ListenerStatus[] {
    return [...this.engine.served.listeners].filter(([, l]) => l.plan.bindToPort).map(([name, l]) => {
      const bound = [...l.bound.values()].find((b) => b.error === '' && b.addresses.length > 0)?.addresses ?? [], at = [l.plan.address, ...l.plan.additional.map((x) => x.address)].map((a, i) => (a.kind === 'ip' && a.port === 0 ? parseHostPort(bound[i] ?? '') ?? a : a));
      return { name, address: at[0]!, additional: at.slice(1) };
    });
  }

  configDump(): readonly DumpSection[] {
    const { engine } = this;
    const endpoints = engine.clusters.describe().map((c) => ({
      cluster_name: c.name, policy: { ...(c.compiled.drop === null ? {} : { drop_overloads: [{ category: c.compiled.drop.category, drop_percentage: { numerator: c.compiled.drop.millionths, denominator: 'MILLION' } }] }), overprovisioning_factor: c.plan.overprovisioning },
      ...(c.hosts.length === 0 ? {} : { endpoints: [...Map.groupBy(c.hosts, (h) => JSON.stringify([h.locality, h.priority])).values()].map((hosts) => ({
        locality: Object.fromEntries([['region', hosts[0]!.locality.region], ['zone', hosts[0]!.locality.zone], ['sub_zone', hosts[0]!.locality.subZone]].filter(([, v]) => v !== '')),
        lb_endpoints: hosts.map((h) => ({ endpoint: { address: addressJson(h.address), health_check_config: {}, ...(h.hostname === '' ? {} : { hostname: h.hostname }) }, health_status: h.health === 'UNKNOWN' ? 'HEALTHY' : h.health, ...(h.metadata === null ? {} : { metadata: { filter_metadata: h.metadata } }), load_balancing_weight: h.weight })),
        load_balancing_weight: hosts[0]!.localityWeight, ...(hosts[0]!.priority === 0 ? {} : { priority: hosts[0]!.priority }),
      })) }),
    }));
    return configSections(engine.configJson() as Record<string, unknown>, shownNode(engine.host, engine.compiled?.process.node ?? null), endpoints, (kind, name) => engine.state.changedAt(kind, name), engine.dynamic.dump());
  }

  runtime(): RuntimeTable { return this.engine.state.runtime?.table() ?? { layers: [], entries: new Map() }; }
  modifyRuntime(values: readonly (readonly [key: string, value: string])[]): boolean {
    const done = this.engine.state.runtime?.modify(values) ?? false;
    if (done) this.engine.runtimeChanged();
    return done;
  }

  logLevels(): readonly (readonly [string, string])[] { return LOG_COMPONENTS.map((c) => [c, this.engine.host.logLevel(c)] as const); }
  setLogLevel(component: string, level: string): void { this.engine.host.setLogLevel(component, level); }

  memory(): MemoryFigures { const m = process.memoryUsage(); return { allocated: m.heapUsed + m.external, heapSize: m.heapTotal + m.external, heapFree: m.heapTotal - m.heapUsed, physical: m.rss }; }
  certificates(): readonly unknown[] {
    const { secrets, state } = this.engine;
    return certificateEntries([...this.tlsContexts()].map(([, c]) => c), secrets.describe(), state.wallMs());
  }
  /** TLS contexts in use, with the scopes of their stats. */
  private *tlsContexts(): Generator<readonly [scope: string, context: CommonTlsPlan]> {
    for (const { plan } of this.engine.served.listeners.values()) for (const c of [...plan.chains, ...(plan.defaultChain === null ? [] : [plan.defaultChain])]) { const t = tlsOf(c.transportSocket); if (t !== null) yield [`listener.${listenerStatName(plan)}`, t]; }
    for (const { plan } of this.engine.clusters.describe()) for (const s of [plan.transportSocket, ...plan.transportSocketMatches.map((m) => m.socket)]) { const t = tlsOf(s); if (t !== null) yield [`cluster.${plan.statName}`, t]; }
  }
  unready(): readonly { readonly name: string; readonly targets: readonly string[] }[] { return this.engine.state.live ? [] : [{ name: 'Server', targets: this.engine.clusters.describe().filter((c) => c.hosts.length === 0 && c.compiled.discovery !== 'static').map((c) => c.name) }].filter((u) => u.targets.length > 0); }

  reopenLogs(): void { this.engine.onSignal('SIGUSR1'); }
  failHealthCheck(failed: boolean): void { this.engine.state.failedHealthCheck = failed; this.engine.host.shared.words.setHealthFailed(failed); }
  drainListeners(wish: DrainWish): void { this.engine.drainListeners(wish); }
  quit(): void { this.engine.shutDown(); }

  async profile(kind: ProfileKind, on: boolean): Promise<boolean> {
    this.engine.broadcast([{ kind: 'command', command: { name: 'profile', what: kind, on, path: this.profilePath } }]);
    return this.profiles[kind].switch(on, this.profilePath, 'control');
  }
  profiling(kind: ProfileKind): boolean { return this.profiles[kind].running; }
  get profilePath(): string { return this.plan.profilePath; }
  startAllocations(): Promise<boolean> { return this.allocations.start(); }
  stopAllocations(): Promise<unknown> { return this.allocations.stop(); }
  heapSpaces(): ReturnType<AdminSource['heapSpaces']> { return getHeapSpaceStatistics().map((s) => ({ name: s.space_name, size: s.space_size, used: s.space_used_size, available: s.space_available_size })); }
  async *heapSnapshot(): AsyncGenerator<Uint8Array> { for await (const piece of getHeapSnapshot()) yield piece as Uint8Array; }
}
