// What a bootstrap says of the process itself: node, admin, runtime layers, overload, statistics, logs.
import type { Address } from '../../net/address.ts';
import { compileRegexMatcher } from '../../headers/config.ts';
import type { OverloadPlan } from '../../plan/overload-plan.ts';
import { compileOverload } from './overload.ts';
import type { CompileContext, ConfigMessage, ExtensionPlan } from '../../proto/config-message.ts';

export interface AdminPlan { readonly address: Address; readonly accessLogs: readonly ExtensionPlan[]; readonly allowPaths: readonly { readonly exact: string; readonly prefix: string }[] }
export type LayerPlan = { readonly name: string } & ({ readonly kind: 'static'; readonly values: unknown } | { readonly kind: 'disk'; readonly root: string; readonly subdirectory: string; readonly appendCluster: boolean } | { readonly kind: 'admin' });
export interface StatsPlan { readonly tags: readonly { readonly name: string; readonly regex: string; readonly value: string }[]; readonly useDefaultTags: boolean; readonly matcher: { readonly kind: 'all' | 'none' } | { readonly kind: 'inclusion' | 'exclusion'; readonly patterns: readonly { readonly kind: string; readonly text: string; readonly ignoreCase: boolean }[] } | null }
export interface ProcessPlan {
  readonly nodeId: string; readonly nodeCluster: string; readonly nodeZone: string; readonly node: unknown;
  readonly admin: AdminPlan | null;
  readonly layers: readonly LayerPlan[];
  readonly maxDownstreamConnections: number;
  readonly overload: OverloadPlan | null;
  readonly statsFlushMs: number;
  readonly stats: StatsPlan;
  readonly localCluster: string;
  /** cluster_manager.outlier_detection.event_log_path. */
  readonly outlierLog: string;
}

function compileAdmin(m: ConfigMessage | undefined, ctx: CompileContext, address: (m: ConfigMessage | undefined) => Address): AdminPlan | null {
  if (m === undefined) return null;
  m.noop('profile_path', 'there is no profiler'); m.noop('access_log_path', 'use access_log'); m.unsupported('socket_options'); m.noop('ignore_global_conn_limit', 'admin connections are not counted');
  const allow = m.list('allow_paths').map((p) => { const kind = p.oneof('match_pattern'); if (kind !== 'exact' && kind !== 'prefix') p.unsupported(kind); if (p.bool('ignore_case')) p.unsupported('ignore_case'); return { exact: kind === 'exact' ? p.str('exact') : '', prefix: kind === 'prefix' ? p.str('prefix') : '' }; });
  return { address: address(m.msg('address')), accessLogs: m.list('access_log').map((l) => ctx.accessLog(l)).filter((l) => l !== null), allowPaths: allow };
}

function compileLayers(m: ConfigMessage | undefined): LayerPlan[] {
  const out: LayerPlan[] = [];
  for (const l of m?.list('layers') ?? []) {
    const name = l.str('name');
    switch (l.oneof('layer_specifier')) {
      case 'static_layer': out.push({ name, kind: 'static', values: l.json('static_layer') }); break;
      case 'disk_layer': { const d = l.msg('disk_layer')!; out.push({ name, kind: 'disk', root: d.str('symlink_root'), subdirectory: d.str('subdirectory'), appendCluster: d.bool('append_service_cluster') }); break; }
      case 'admin_layer': l.has('admin_layer'); if (out.some((x) => x.kind === 'admin')) l.error('admin_layer', 'Too many admin layers specified in LayeredRuntime, at most one may be specified'); out.push({ name, kind: 'admin' }); break;
      default: l.unsupported('rtds_layer');
    }
    if (out.filter((x) => x.name === name).length > 1) l.error('name', `Duplicate layer name: ${name}`);
  }
  return m === undefined ? [{ name: 'admin', kind: 'admin' }] : out;
}

function compileStats(m: ConfigMessage | undefined): StatsPlan {
  if (m === undefined) return { tags: [], useDefaultTags: true, matcher: null };
  m.unsupported('histogram_bucket_settings');
  const tags = m.list('stats_tags').map((t) => ({ name: t.str('tag_name'), regex: t.str('regex'), value: t.str('fixed_value') }));
  const s = m.msg('stats_matcher'), kind = s?.oneof('stats_matcher') ?? '';
  const patterns = (list: ConfigMessage | undefined): { kind: string; text: string; ignoreCase: boolean }[] => (list?.list('patterns') ?? []).map((p) => { const k = p.oneof('match_pattern'); return { kind: k, ignoreCase: p.bool('ignore_case'), text: k === 'safe_regex' ? compileRegexMatcher(p.msg('safe_regex')!) : p.str(k === '' ? 'exact' : k) }; });
  let matcher: StatsPlan['matcher'] = null;
  if (kind === 'reject_all') matcher = { kind: s!.bool('reject_all') ? 'none' : 'all' };
  else if (kind === 'inclusion_list') matcher = { kind: 'inclusion', patterns: patterns(s!.msg('inclusion_list')) };
  else if (kind === 'exclusion_list') matcher = { kind: 'exclusion', patterns: patterns(s!.msg('exclusion_list')) };
  return { tags, useDefaultTags: m.bool('use_all_default_tags', true), matcher };
}

/** The node as proto JSON, all of it: it is shown by the admin interface. */
function nodeJson(node: ConfigMessage): unknown {
  node.json('metadata');
  for (const f of ['region', 'zone', 'sub_zone']) node.msg('locality')?.str(f);
  return node.toJson();
}

export function compileProcess(m: ConfigMessage, ctx: CompileContext, address: (m: ConfigMessage | undefined) => Address): ProcessPlan {
  const node = m.msg('node'), locality = node?.msg('locality');
  for (const f of ['dynamic_parameters', 'client_features', 'listening_addresses', 'extensions', 'user_agent_name', 'user_agent_version', 'user_agent_build_version']) node?.noop(f, 'no control plane is asked');
  m.noop('deferred_stat_options', 'statistics are always made at first use'); m.noop('enable_dispatcher_stats', 'there are no dispatchers'); m.unsupported('header_prefix'); m.noop('perf_tracing_file_path', 'there is no perf tracing'); m.noop('memory_allocator_manager', 'memory is V8\'s'); m.noop('stats_server_version_override', 'the version is ours');
  m.noop('default_socket_interface', 'the transport is chosen by --transport'); m.noop('use_tcp_for_dns_lookups', 'the resolver decides'); m.noop('default_regex_engine', 'the regex engine is RE2');
  const manager = m.msg('cluster_manager'), outliers = manager?.msg('outlier_detection');
  outliers?.unsupported('event_service');
  manager?.unsupported('upstream_bind_config'); manager?.unsupported('load_stats_config'); manager?.noop('enable_deferred_cluster_creation', 'clusters are always made at first use');
  const logs = m.msg('application_log_config')?.msg('log_format');
  for (const f of ['json_format', 'text_format']) logs?.unsupported(f, 'use --log-format');
  m.unsupported('flags_path'); manager?.noop('local_cluster_name', 'all zones are used alike');
  const overload = compileOverload(m.msg('overload_manager'));
  return {
    nodeId: node?.str('id') ?? '', nodeCluster: node?.str('cluster') ?? '', nodeZone: locality?.str('zone') ?? '', node: node === undefined ? null : nodeJson(node), admin: compileAdmin(m.msg('admin'), ctx, address), layers: compileLayers(m.msg('layered_runtime')),
    maxDownstreamConnections: overload.maxConnections, overload: overload.plan, statsFlushMs: m.ms('stats_flush_interval', 5000), stats: compileStats(m.msg('stats_config')), localCluster: manager?.str('local_cluster_name') ?? '', outlierLog: outliers?.str('event_log_path') ?? '',
  };
}
