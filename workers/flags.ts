// The command line: Envoy's flags with Envoy's meaning, and a few of ours. Unknown flags, flags given twice and bad values are refused, as Envoy does.
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

export interface Flags {
  readonly configPath: string; readonly configYaml: string; readonly mode: 'serve' | 'validate' | 'init_only'; readonly concurrency: number;
  readonly logLevel: string; readonly componentLogLevel: string; readonly logPath: string; readonly logFormat: string; readonly logFormatEscaped: boolean;
  readonly baseId: number; readonly baseIdPath: string; readonly restartEpoch: number; readonly drainTimeS: number; readonly drainStrategy: 'gradual' | 'immediate'; readonly parentShutdownTimeS: number;
  readonly serviceNode: string; readonly serviceCluster: string; readonly serviceZone: string; readonly adminAddressPath: string; readonly fileFlushIntervalMs: number; readonly fileFlushMinBytes: number;
  readonly localAddressIpVersion: 'v4' | 'v6';
  /** Unknown fields: in static configuration; in dynamic resources 'warn' is Envoy's default. */
  readonly allowUnknown: boolean; readonly unknownDynamic: 'warn' | 'reject' | 'ignore'; readonly skipDeprecatedLogs: boolean;
  /** --stats-tag: tags that every stat carries. */
  readonly statsTags: readonly (readonly [string, string])[];
  /** Names as Envoy writes them: 'envoy.filters.http/envoy.filters.http.router'. */
  readonly disableExtensions: readonly string[];
  readonly watch: boolean; readonly strict: boolean; readonly transport: 'auto' | 'native' | 'node'; readonly tls: 'auto' | 'rustls' | 'node'; readonly sample: boolean;
  /** As given, for /server_info. */
  readonly argv: readonly string[];
}

export const VERSION = '0.1.0';
const LEVELS = ['trace', 'debug', 'info', 'warning', 'warn', 'error', 'critical', 'off'];

const whole = (text: string): number => { if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) throw new InvalidArgumentError(`Couldn't read argument value from string '${text}'`); return Number(text); };
const NO_RESTART = 'accepted: there is no hot restart';

/** What parsing led to: flags, or text to print with an exit status. */
export type Parsed = { readonly flags: Flags } | { readonly print: string; readonly code: number };

function command(): Command {
  return new Command('weir').exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} }).allowExcessArguments(false).helpOption('-h, --help', 'show this text')
    .option('-c, --config-path <path>', 'configuration file (YAML, JSON, .pb, .pb_text)', '')
    .option('--config-yaml <yaml>', 'configuration merged over the file', '')
    .option('--mode <mode>', 'serve, validate (report every fault and end) or init_only (start up and end)', 'serve')
    .option('--concurrency <n>', 'data workers (default: one per core that this process may use)', whole).option('--cpuset-threads', 'accepted: the default of --concurrency', false)
    .option('-l, --log-level <level>', 'trace, debug, info, warning, error, critical, off', 'info')
    .option('--component-log-level <list>', 'levels by component: upstream:debug,config:trace', '')
    .option('--log-path <path>', 'log to a file instead of stderr', '')
    .option('--log-format <format>', 'log format in spdlog syntax', '').option('--log-format-escaped', 'escape line ends in log lines', false)
    .option('--enable-fine-grain-logging', 'accepted: levels are by component', false).option('--log-stacktrace-single-entry', 'accepted: always so', false).option('--skip-deprecated-logs', 'do not warn of deprecated fields', false)
    .option('--service-node <id>', 'node id', '').option('--service-cluster <name>', 'node cluster', '').option('--service-zone <zone>', 'node zone', '')
    .option('--admin-address-path <path>', 'write the admin address here', '').option('--local-address-ip-version <v>', 'v4 or v6: the machine\'s own address', 'v4')
    .option('--file-flush-interval-msec <n>', 'how often access logs are flushed', whole, 10_000).option('--file-flush-min-size-kb <n>', 'how much is flushed at once', whole, 64)
    .option('--drain-time-s <n>', 'seconds over which connections drain', whole, 600).option('--drain-strategy <strategy>', 'gradual or immediate', 'gradual')
    .option('--parent-shutdown-time-s <n>', 'seconds until a drained process ends at the latest', whole, 900)
    .option('--allow-unknown-static-fields', 'unknown fields of static configuration are warnings', false).option('--allow-unknown-fields', 'the same (deprecated)', false)
    .option('--reject-unknown-dynamic-fields', 'unknown fields of dynamic resources are errors', false).option('--ignore-unknown-dynamic-fields', 'unknown fields of dynamic resources are passed over', false)
    .option('--stats-tag <tag:value>', 'a tag of every stat; may be repeated', (v: string, all: string[] | undefined) => [...(all ?? []), v])
    .option('--disable-extensions <list>', 'extensions that are refused: category/name,…', '')
    .option('--base-id <n>', NO_RESTART, whole, 0).option('--use-dynamic-base-id', NO_RESTART, false).option('--base-id-path <path>', 'write the base id here', '').option('--restart-epoch <n>', '0 only: there is no hot restart', whole, 0)
    .option('--disable-hot-restart', NO_RESTART, false).option('--skip-hot-restart-on-no-parent', NO_RESTART, false).option('--skip-hot-restart-parent-stats', NO_RESTART, false).option('--socket-path <path>', NO_RESTART, '').option('--socket-mode <mode>', NO_RESTART, '')
    .option('--enable-mutex-tracing', 'accepted: there are no mutexes', false).option('--enable-core-dump', 'accepted: the system\'s limits decide', false)
    .option('--hot-restart-version', 'print the hot restart version', false).option('--version', 'print the version', false)
    .option('--watch', 'apply a changed configuration file in place', false).option('--strict', 'warnings are errors', false).option('--sample', 'run a sample configuration', false)
    .addOption(new Option('--transport <kind>', 'native, node or auto').choices(['auto', 'native', 'node']).default('auto'))
    .addOption(new Option('--tls <engine>', 'rustls, node or auto').choices(['auto', 'rustls', 'node']).default('auto'));
}

/** The fault of a value that parsed, in Envoy's words where it has them; '' for none. */
function faultOf(o: Record<string, string>, tags: readonly string[], epoch: number): string {
  const level = (l: string): boolean => LEVELS.includes(l);
  if (!['serve', 'validate', 'init_only'].includes(o['mode']!)) return `unknown mode '${o['mode']}'`;
  if (!level(o['logLevel']!)) return `invalid log level specified '${o['logLevel']}'`;
  for (const part of o['componentLogLevel'] === '' ? [] : o['componentLogLevel']!.split(',')) {
    const [name, l, more] = part.split(':');
    if (!name || l === undefined || more !== undefined) return `component log level not correctly specified '${part}'`;
    if (!level(l)) return `invalid log level specified '${l}'`;
  }
  if (!['gradual', 'immediate'].includes(o['drainStrategy']!)) return `unknown drain-strategy '${o['drainStrategy']}'`;
  if (!['v4', 'v6'].includes(o['localAddressIpVersion']!)) return `unknown IP address version '${o['localAddressIpVersion']}'`;
  for (const t of tags) {
    const at = t.indexOf(':'), name = t.slice(0, at), value = t.slice(at + 1);
    if (at < 0) return `misformatted stats-tag '${t}'`;
    if (!/^[A-Za-z0-9]+$/.test(name)) return `misformatted stats-tag '${t}' contains invalid char in '${name}'`;
    if (value === '' || value.includes('.')) return `misformatted stats-tag '${t}' contains invalid char in '${value}'`;
  }
  if (epoch > 0 && o['useDynamicBaseId'] as unknown === true) return `cannot use --restart-epoch=${epoch} with --use-dynamic-base-id`;
  if (epoch > 0) return `--restart-epoch=${epoch}: hot restart is not supported yet`;
  return '';
}

export function parseFlags(argv: readonly string[]): Parsed {
  const c = command(), bad = (m: string): Parsed => ({ print: `error: ${m}\n`, code: 1 });
  const given = new Map<string, number>();
  for (const option of c.options) c.on(`option:${option.name()}`, () => given.set(option.name(), (given.get(option.name()) ?? 0) + 1));
  try { c.parse([...argv], { from: 'user' }); } catch (e) {
    if (!(e instanceof CommanderError)) throw e;
    return e.code === 'commander.helpDisplayed' ? { print: c.helpInformation(), code: 0 } : { print: `${e.message}\n`, code: 1 };
  }
  const o = c.opts<Record<string, unknown>>();
  for (const [name, times] of given) if (times > 1 && name !== 'stats-tag') return bad(`--${name} is given ${times} times`);
  if (o['version'] === true) return { print: `weir  version: weir/${VERSION}/Node-${process.version}\n`, code: 0 };
  if (o['hotRestartVersion'] === true) return { print: 'disabled', code: 0 };
  const s = (k: string): string => String(o[k] ?? ''), n = (k: string): number => Number(o[k]), b = (k: string): boolean => o[k] === true;
  const tags = (o['statsTag'] as string[] | undefined) ?? [];
  const fault = faultOf(o as Record<string, string>, tags, n('restartEpoch'));
  if (fault !== '') return bad(fault);
  return {
    flags: {
      configPath: s('configPath'), configYaml: s('configYaml'), mode: s('mode') as 'serve', concurrency: Math.max(1, o['concurrency'] === undefined ? availableParallelism() : n('concurrency')), logLevel: s('logLevel') === 'warn' ? 'warning' : s('logLevel'), componentLogLevel: s('componentLogLevel'), logPath: s('logPath'), logFormat: s('logFormat'), logFormatEscaped: b('logFormatEscaped'),
      baseId: n('baseId'), baseIdPath: s('baseIdPath'), restartEpoch: n('restartEpoch'), drainTimeS: n('drainTimeS'), drainStrategy: s('drainStrategy') as 'gradual', parentShutdownTimeS: n('parentShutdownTimeS'), serviceNode: s('serviceNode'), serviceCluster: s('serviceCluster'), serviceZone: s('serviceZone'), adminAddressPath: s('adminAddressPath'),
      fileFlushIntervalMs: n('fileFlushIntervalMsec'), fileFlushMinBytes: n('fileFlushMinSizeKb') * 1024, localAddressIpVersion: s('localAddressIpVersion') as 'v4',
      allowUnknown: b('allowUnknownStaticFields') || b('allowUnknownFields'), unknownDynamic: b('rejectUnknownDynamicFields') ? 'reject' : b('ignoreUnknownDynamicFields') ? 'ignore' : 'warn', skipDeprecatedLogs: b('skipDeprecatedLogs'),
      statsTags: tags.map((t) => [t.slice(0, t.indexOf(':')), t.slice(t.indexOf(':') + 1)] as const), disableExtensions: s('disableExtensions').split(',').filter((x) => x !== ''), watch: b('watch'), strict: b('strict'), transport: s('transport') as 'auto', tls: s('tls') as 'auto', sample: b('sample'), argv,
    },
  };
}
