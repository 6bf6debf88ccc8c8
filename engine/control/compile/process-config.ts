// What a bootstrap says of the process itself: node, admin, runtime layers, overload, statistics, logs.
import type { Address } from '../../net/address.ts';
import type { OverloadPlan } from '../../plan/overload-plan.ts';
import { compileOverload } from './overload.ts';
import { compileBind } from '../../upstream/bind-config.ts';
import type { CompileContext, ConfigMessage, DiscoverySource, ProcessFacts } from '../../proto/config-message.ts';
import { flatten } from '../runtime/layers.ts';
import type { StatsPlan } from '../stats/stat-view.ts';
import { compileAdmin, type AdminPlan } from './admin-config.ts';
import { compileStats } from './stats-config.ts';
import type { StatSinkPlan } from '../stats/sinks/sink-plan.ts';
import { compileStatSinks } from './stat-sinks.ts';
import { compileWatchdogs } from './watchdogs.ts';
import type { WatchdogsPlan } from '../../plan/watchdog-plan.ts';

export type LayerPlan = { readonly name: string } & ({ readonly kind: 'static'; readonly values: unknown } | { readonly kind: 'disk'; readonly root: string; readonly subdirectory: string; readonly appendCluster: boolean } | { readonly kind: 'admin' });
export interface ProcessPlan {
  readonly nodeId: string; readonly nodeCluster: string; readonly nodeZone: string; readonly node: unknown;
  readonly admin: AdminPlan | null;
  readonly layers: readonly LayerPlan[];
  readonly maxDownstreamConnections: number;
  readonly overload: OverloadPlan | null;
  readonly watchdogs: WatchdogsPlan;
  readonly statsFlushMs: number;
  readonly statsFlushOnAdmin: boolean;
  readonly stats: StatsPlan;
  readonly statSinks: readonly StatSinkPlan[];
  /** application_log_config: a pattern as of --log-format; '': none. */
  readonly logFormat: string;
  readonly localCluster: string;
  readonly dynamic: { readonly listeners: DiscoverySource | null; readonly clusters: DiscoverySource | null };
  /** cluster_manager.outlier_detection.event_log_path. */
  readonly outlierLog: string;
  readonly facts: ProcessFacts;
  readonly nodeLocality: { readonly region: string; readonly zone: string; readonly subZone: string } | null;
}

function compileLayers(m: ConfigMessage | undefined): LayerPlan[] {
  const out: LayerPlan[] = [];
  for (const l of m?.list('layers') ?? []) {
    const name = l.str('name');
    switch (l.oneof('layer_specifier')) {
      case 'static_layer': { const values = l.json('static_layer'); flatten(values, (key) => l.error('static_layer', `Invalid runtime entry value for ${key}`)); out.push({ name, kind: 'static', values }); break; }
      case 'disk_layer': { const d = l.msg('disk_layer')!; out.push({ name, kind: 'disk', root: d.str('symlink_root'), subdirectory: d.str('subdirectory'), appendCluster: d.bool('append_service_cluster') }); break; }
      case 'admin_layer': l.has('admin_layer'); if (out.some((x) => x.kind === 'admin')) l.error('admin_layer', 'Too many admin layers specified in LayeredRuntime, at most one may be specified'); out.push({ name, kind: 'admin' }); break;
      default: l.unsupported('rtds_layer');
    }
    if (out.filter((x) => x.name === name).length > 1) l.error('name', `Duplicate layer name: ${name}`);
  }
  return m === undefined ? [{ name: 'admin', kind: 'admin' }] : out;
}

/** A JSON format is a pattern too: its text, in which the flags stand. */
function compileLogFormat(m: ConfigMessage): string {
  if (m.oneof('log_format') === 'text_format') return m.str('text_format');
  const text = JSON.stringify(m.json('json_format') ?? {});
  for (const flag of ['%v', '%_']) if (text.includes(flag)) m.error('json_format', `setJsonLogFormat error: INVALID_ARGUMENT: Usage of ${flag} is unavailable for JSON log formats`);
  return text;
}

/** The node as proto JSON, all of it: it is shown by the admin interface. */
function nodeJson(node: ConfigMessage): unknown {
  node.json('metadata');
  for (const f of ['region', 'zone', 'sub_zone']) node.msg('locality')?.str(f);
  return node.toJson();
}

function compileDynamic(m: ConfigMessage | undefined, ctx: CompileContext): ProcessPlan['dynamic'] {
  for (const f of ['ads_config', 'lds_resources_locator', 'cds_resources_locator']) m?.unsupported(f);
  return { listeners: ctx.source(m?.msg('lds_config')), clusters: ctx.source(m?.msg('cds_config')) };
}

/** Bootstrap extensions: internal_listener. Gives its buffer, 0 without it. */
function compileExtensions(m: ConfigMessage): number {
  let bytes = 0;
  for (const e of m.list('bootstrap_extensions')) {
    e.str('name');
    const c = e.any('typed_config');
    if (c === undefined) { e.error('', `no typed_config for bootstrap extension '${e.str('name')}'`); continue; }
    if (c.typeName === 'envoy.extensions.bootstrap.internal_listener.v3.InternalListener') bytes = c.num('buffer_size_kb', 1024) * 1024; else c.error('', `'${c.typeName}' is not supported yet`);
  }
  return bytes;
}

export function compileProcess(m: ConfigMessage, ctx: CompileContext, address: (m: ConfigMessage | undefined) => Address): ProcessPlan {
  const node = m.msg('node'), locality = node?.msg('locality');
  for (const f of ['dynamic_parameters', 'client_features', 'listening_addresses', 'extensions', 'user_agent_name', 'user_agent_version', 'user_agent_build_version']) node?.noop(f, 'no control plane is asked');
  m.noop('deferred_stat_options', 'statistics are always made at first use'); m.noop('enable_dispatcher_stats', 'there are no dispatchers'); m.unsupported('header_prefix'); m.noop('perf_tracing_file_path', 'there is no perf tracing'); m.noop('memory_allocator_manager', 'memory is V8\'s'); m.noop('stats_server_version_override', 'the version is ours');
  m.noop('default_socket_interface', 'the transport is chosen by --transport'); m.noop('use_tcp_for_dns_lookups', 'the resolver decides'); m.noop('default_regex_engine', 'the regex engine is RE2');
  const manager = m.msg('cluster_manager'), outliers = manager?.msg('outlier_detection');
  outliers?.unsupported('event_service');
  manager?.unsupported('load_stats_config'); manager?.noop('enable_deferred_cluster_creation', 'clusters are always made at first use');
  const logs = m.msg('application_log_config')?.msg('log_format');
  m.unsupported('flags_path');
  const overload = compileOverload(m.msg('overload_manager'));
  return {
    nodeId: node?.str('id') ?? '', nodeCluster: node?.str('cluster') ?? '', nodeZone: locality?.str('zone') ?? '', node: node === undefined ? null : nodeJson(node), admin: compileAdmin(m.msg('admin'), ctx, address), layers: compileLayers(m.msg('layered_runtime')),
    maxDownstreamConnections: overload.maxConnections, overload: overload.plan, watchdogs: compileWatchdogs(m), statsFlushMs: m.ms('stats_flush_interval', 5000), statsFlushOnAdmin: m.oneof('stats_flush') === 'stats_flush_on_admin' && m.bool('stats_flush_on_admin'), stats: compileStats(m.msg('stats_config')), statSinks: compileStatSinks(m.list('stats_sinks'), ctx, (node?.str('id') || ctx.bootstrap.nodeId) !== '' && (node?.str('cluster') || ctx.bootstrap.nodeCluster) !== ''), logFormat: logs === undefined ? '' : compileLogFormat(logs), dynamic: compileDynamic(m.msg('dynamic_resources'), ctx), localCluster: manager?.str('local_cluster_name') ?? '', nodeLocality: locality === undefined ? null : { region: locality.str('region'), zone: locality.str('zone'), subZone: locality.str('sub_zone') }, facts: { internalBufferBytes: compileExtensions(m), upstreamBind: manager?.msg('upstream_bind_config') === undefined ? null : compileBind(manager.msg('upstream_bind_config'), 'Bootstrap'), localCluster: manager?.str('local_cluster_name') ?? '' }, outlierLog: outliers?.str('event_log_path') ?? '',
  };
}
