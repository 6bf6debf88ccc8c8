// The command line: Envoy's flags with Envoy's meaning, and a few of ours. Unknown flags and bad numbers are refused.
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

export interface Flags {
  readonly configPath: string; readonly configYaml: string; readonly mode: 'serve' | 'validate' | 'init_only'; readonly concurrency: number;
  readonly logLevel: string; readonly componentLogLevel: string; readonly logPath: string; readonly logFormat: string; readonly logFormatEscaped: boolean;
  readonly baseId: number; readonly restartEpoch: number; readonly drainTimeS: number; readonly drainStrategy: 'gradual' | 'immediate'; readonly parentShutdownTimeS: number;
  readonly serviceNode: string; readonly serviceCluster: string; readonly serviceZone: string; readonly adminAddressPath: string; readonly fileFlushIntervalMs: number; readonly fileFlushMinBytes: number;
  readonly allowUnknown: boolean; readonly watch: boolean; readonly strict: boolean; readonly transport: 'auto' | 'native' | 'node'; readonly sample: boolean;
  /** As given, for /server_info. */
  readonly argv: readonly string[];
}

export const VERSION = '0.1.0';

const whole = (text: string): number => { if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is expected'); return Number(text); };

/** What parsing led to: flags, or text to print with an exit status. */
export type Parsed = { readonly flags: Flags } | { readonly print: string; readonly code: number };

function command(): Command {
  return new Command('weir').exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} }).allowExcessArguments(false).helpOption('-h, --help', 'show this text')
    .option('-c, --config-path <path>', 'configuration file (YAML, JSON)', '')
    .option('--config-yaml <yaml>', 'configuration merged over the file', '')
    .option('--mode <mode>', 'serve, validate or init_only', 'serve')
    .option('--concurrency <n>', 'data workers (default: one per core)', whole)
    .option('-l, --log-level <level>', 'trace, debug, info, warning, error, critical, off', 'info')
    .option('--component-log-level <list>', 'levels by component: upstream:debug,http:trace', '')
    .option('--log-path <path>', 'log to a file instead of stderr', '')
    .option('--log-format <format>', 'log format', '').option('--log-format-escaped', 'escape line ends in log lines', false)
    .option('--base-id <n>', 'accepted for Envoy\'s sake: there is no hot restart yet', whole, 0).option('--use-dynamic-base-id', 'accepted, see --base-id', false).option('--base-id-path <path>', 'accepted, see --base-id', '')
    .option('--restart-epoch <n>', 'accepted: 0 only', whole, 0)
    .option('--drain-time-s <n>', 'seconds over which connections drain', whole, 600).option('--drain-strategy <strategy>', 'gradual or immediate', 'gradual')
    .option('--parent-shutdown-time-s <n>', 'seconds until a drained process ends at the latest', whole, 900)
    .option('--service-node <id>', 'node id', '').option('--service-cluster <name>', 'node cluster', '').option('--service-zone <zone>', 'node zone', '')
    .option('--admin-address-path <path>', 'write the admin address here', '')
    .option('--file-flush-interval-msec <n>', 'how often access logs are flushed', whole, 10_000).option('--file-flush-min-size-kb <n>', 'how much is flushed at once', whole, 64)
    .option('--disable-hot-restart', 'accepted: there is no hot restart yet', false).option('--enable-mutex-tracing', 'accepted: there are no mutexes', false).option('--cpuset-threads', 'one worker per core of the allowed set', false)
    .option('--allow-unknown-static-fields', 'unknown fields are warnings', false).option('--reject-unknown-dynamic-fields', 'accepted', false).option('--ignore-unknown-dynamic-fields', 'accepted', false)
    .option('--local-address-ip-version <v>', 'v4 or v6', 'v4').option('--ignore-unknown-fields', 'accepted', false).option('--skip-hot-restart-on-no-parent', 'accepted', false).option('--skip-hot-restart-parent-stats', 'accepted', false).option('--socket-path <path>', 'accepted', '').option('--socket-mode <mode>', 'accepted', '')
    .option('--version', 'print the version', false)
    .option('--watch', 'apply a changed configuration file in place', false).option('--strict', 'warnings are errors', false).option('--sample', 'run a sample configuration', false)
    .addOption(new Option('--transport <kind>', 'native, node or auto').choices(['auto', 'native', 'node']).default('auto'));
}

export function parseFlags(argv: readonly string[]): Parsed {
  const c = command();
  let o: Record<string, never>;
  try { c.parse([...argv], { from: 'user' }); o = c.opts(); } catch (e) {
    if (!(e instanceof CommanderError)) throw e;
    if (e.code === 'commander.helpDisplayed') return { print: c.helpInformation(), code: 0 };
    return { print: `${e.message}\n`, code: 1 };
  }
  const opt = o as unknown as Record<string, string> & Record<string, number> & Record<string, boolean>;
  if (opt['version']) return { print: `weir  version: weir/${VERSION}/Node-${process.version}\n`, code: 0 };
  const bad = (m: string): Parsed => ({ print: `${m}\n`, code: 1 });
  if (!['serve', 'validate', 'init_only'].includes(String(opt['mode']))) return bad(`error: unknown mode '${String(opt['mode'])}'`);
  if (!['trace', 'debug', 'info', 'warning', 'warn', 'error', 'critical', 'off'].includes(String(opt['logLevel']))) return bad(`error: invalid log level specified '${String(opt['logLevel'])}'`);
  if (!['gradual', 'immediate'].includes(String(opt['drainStrategy']))) return bad(`error: unknown drain strategy '${String(opt['drainStrategy'])}'`);
  const s = (k: string): string => String(opt[k] ?? ''), n = (k: string): number => Number(opt[k]), b = (k: string): boolean => Boolean(opt[k]);
  return {
    flags: {
      configPath: s('configPath'), configYaml: s('configYaml'), mode: s('mode') as 'serve', concurrency: Math.max(1, opt['concurrency'] === undefined ? availableParallelism() : n('concurrency')), logLevel: s('logLevel') === 'warn' ? 'warning' : s('logLevel'), componentLogLevel: s('componentLogLevel'), logPath: s('logPath'), logFormat: s('logFormat'), logFormatEscaped: b('logFormatEscaped'),
      baseId: n('baseId'), restartEpoch: n('restartEpoch'), drainTimeS: n('drainTimeS'), drainStrategy: s('drainStrategy') as 'gradual', parentShutdownTimeS: n('parentShutdownTimeS'), serviceNode: s('serviceNode'), serviceCluster: s('serviceCluster'), serviceZone: s('serviceZone'), adminAddressPath: s('adminAddressPath'),
      fileFlushIntervalMs: n('fileFlushIntervalMsec'), fileFlushMinBytes: n('fileFlushMinSizeKb') * 1024, allowUnknown: b('allowUnknownStaticFields'), watch: b('watch'), strict: b('strict'), transport: s('transport') as 'auto', sample: b('sample'), argv,
    },
  };
}
