// The document of /server_info (envoy.admin.v3.ServerInfo) and the node as it is shown.
import type { LifeState, WorkerState } from './server-state.ts';

/** The flags that are shown (workers/flags.ts has them all). */
export interface ShownFlags {
  readonly mode: 'serve' | 'validate' | 'init_only'; readonly configPath: string; readonly configYaml: string; readonly concurrency: number; readonly logLevel: string; readonly componentLogLevel: string; readonly logPath: string; readonly logFormat: string; readonly logFormatEscaped: boolean;
  readonly baseId: number; readonly baseIdPath: string; readonly restartEpoch: number; readonly drainTimeS: number; readonly drainStrategy: 'gradual' | 'immediate'; readonly parentShutdownTimeS: number; readonly serviceNode: string; readonly serviceCluster: string; readonly serviceZone: string;
  readonly adminAddressPath: string; readonly fileFlushIntervalMs: number; readonly fileFlushMinBytes: number; readonly localAddressIpVersion: 'v4' | 'v6'; readonly allowUnknown: boolean; readonly unknownDynamic: 'warn' | 'reject' | 'ignore'; readonly skipDeprecatedLogs: boolean;
  readonly statsTags: readonly (readonly [string, string])[]; readonly disableExtensions: readonly string[];
}
interface InfoHost { readonly flags: ShownFlags; readonly version: string; readonly controlRestarts: number }
interface InfoState { readonly lifeState: LifeState; uptimeS(): number; readonly workers: ReadonlyMap<number, WorkerState>; /** What a worker serves. */ share(id: number): Readonly<Record<string, number>> }

export const DEFAULT_LOG_FORMAT = '[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v';
const MODES = { serve: 'Serve', validate: 'Validate', init_only: 'InitOnly' } as const;

/** proto JSON of a Duration: as many digits as it takes, in threes. */
function duration(ms: number): string {
  const s = Math.floor(ms / 1000), rest = ms % 1000;
  return rest === 0 ? `${s}s` : `${s}.${String(rest).padStart(3, '0')}s`;
}

/** 'REVISION/VERSION/STATE/BUILD/SSL' in Envoy's form. */
export function versionText(version: string): string { return `${'0'.repeat(40)}/${version}/Clean/RELEASE/Node`; }

/** What this process adds to the configured node; what is ours alone stands in the free part of it, so that readers of Envoy's messages read these too. */
export function shownNode(host: InfoHost, configured: unknown, own: Record<string, unknown> = {}): Record<string, unknown> {
  const given = (configured ?? {}) as Record<string, unknown>, { flags } = host, [major = 0, minor = 0, patch = 0] = host.version.split('.').map(Number);
  const locality = (given['locality'] ?? {}) as Record<string, unknown>;
  return {
    ...given, ...(flags.serviceNode === '' ? {} : { id: flags.serviceNode }), ...(flags.serviceCluster === '' ? {} : { cluster: flags.serviceCluster }),
    ...(flags.serviceZone === '' ? {} : { locality: { region: '', sub_zone: '', ...locality, zone: flags.serviceZone } }), user_agent_name: 'envoy',
    user_agent_build_version: { version: { major_number: major, minor_number: minor, patch }, metadata: { 'build.type': 'RELEASE', 'revision.status': 'Clean', 'ssl.version': 'Node', weir: { version: host.version, node: process.version, ...own } } },
  };
}

function options(f: ShownFlags): Record<string, unknown> {
  return {
    base_id: String(f.baseId), concurrency: f.concurrency, config_path: f.configPath, config_yaml: f.configYaml, allow_unknown_static_fields: f.allowUnknown, admin_address_path: f.adminAddressPath, local_address_ip_version: f.localAddressIpVersion,
    log_level: f.logLevel, component_log_level: f.componentLogLevel, log_format: f.logFormat || DEFAULT_LOG_FORMAT, log_path: f.logPath, service_cluster: f.serviceCluster, service_node: f.serviceNode, service_zone: f.serviceZone,
    file_flush_interval: duration(f.fileFlushIntervalMs), drain_time: duration(f.drainTimeS * 1000), parent_shutdown_time: duration(f.parentShutdownTimeS * 1000), mode: MODES[f.mode], disable_hot_restart: true, enable_mutex_tracing: false, restart_epoch: f.restartEpoch,
    cpuset_threads: false, reject_unknown_dynamic_fields: f.unknownDynamic === 'reject', log_format_escaped: f.logFormatEscaped, disabled_extensions: f.disableExtensions, ignore_unknown_dynamic_fields: f.unknownDynamic === 'ignore', use_dynamic_base_id: false,
    base_id_path: f.baseIdPath, drain_strategy: f.drainStrategy === 'immediate' ? 'Immediate' : 'Gradual', enable_fine_grain_logging: false, socket_path: '@envoy_domain_socket', socket_mode: 0, enable_core_dump: false,
    stats_tag: f.statsTags.map(([name, value]) => `${name}:${value}`), skip_hot_restart_on_no_parent: false, skip_hot_restart_parent_stats: false, skip_deprecated_logs: f.skipDeprecatedLogs, file_flush_min_size: f.fileFlushMinBytes, log_stacktrace_single_entry: false,
  };
}

export function serverInfo(host: InfoHost, state: InfoState, node: unknown): Record<string, unknown> {
  const uptime = `${state.uptimeS()}s`, workers = [...state.workers.values()];
  return {
    version: versionText(host.version), state: state.lifeState, uptime_current_epoch: uptime, uptime_all_epochs: uptime, hot_restart_version: 'disabled', command_line_options: options(host.flags), hot_restart_initializing: false,
    node: shownNode(host, node, { transport: workers.find((w) => w.transport !== '')?.transport ?? '', tls: workers.find((w) => w.tls !== '')?.tls ?? '', control_restarts: host.controlRestarts, workers: workers.map((w) => ({ id: w.id, up: w.up, restarts: w.restarts, transport: w.transport, ...state.share(w.id) })) }),
  };
}
