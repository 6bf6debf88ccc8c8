// The application log of one thread: lines in Envoy's default format or --log-format, to stderr or --log-path, levels by component, changeable while it runs.
// Lines are written at once, in one system call each, so that the last words of a dying thread are not lost.
import { closeSync, openSync, writeSync } from 'node:fs';
import { LOG_COMPONENTS, LOG_LEVELS, type LogComponent, type Logger, type LogLevel } from '../engine/observe/log.ts';
import type { Flags } from './flags.ts';
import { compileLogFormat, DEFAULT_LOG_FORMAT, type LogLine } from './log-format.ts';

const RANK = Object.fromEntries(LOG_LEVELS.map((l, i) => [l, i])) as Readonly<Record<LogLevel, number>>;
const INFO = RANK.info;

export class AppLog implements Logger {
  private readonly ranks = new Map<string, number>();
  private readonly path: string;
  private readonly source: string;
  private readonly line: string;
  private format: (line: LogLine) => string;
  private readonly escaped: boolean;
  private fd = 2;

  /** `source` and `number` stand where Envoy names a source line: 'worker:1'. Throws when --log-path cannot be opened. */
  constructor(flags: Pick<Flags, 'logLevel' | 'componentLogLevel' | 'logPath' | 'logFormat' | 'logFormatEscaped'>, source: 'control' | 'worker', number: number) {
    this.path = flags.logPath;
    this.source = source;
    this.line = String(number);
    this.escaped = flags.logFormatEscaped;
    this.format = compileLogFormat(flags.logFormat || DEFAULT_LOG_FORMAT, this.escaped);
    if (this.path !== '') this.fd = openSync(this.path, 'a');
    this.setAll(flags.logLevel);
    for (const pair of flags.componentLogLevel.split(',').filter(Boolean)) { const [c = '', l = ''] = pair.split(':'); this.set(c, l); }
  }

  /** Another pattern from the next line on (application_log_config). */
  setFormat(pattern: string): void { this.format = compileLogFormat(pattern, this.escaped); }

  setAll(level: string): boolean { return LOG_COMPONENTS.map((c) => this.set(c, level)).every(Boolean); }
  /** Sets one component's level, '' for all; false for an unknown component or level. */
  set(component: string, level: string): boolean {
    if (component === '') return this.setAll(level);
    const rank = RANK[level as LogLevel] as number | undefined;
    if (rank === undefined || !LOG_COMPONENTS.includes(component as LogComponent)) return false;
    this.ranks.set(component, rank);
    return true;
  }
  level(component: string): LogLevel { return LOG_LEVELS[this.ranks.get(component) ?? INFO]!; }
  enabled(component: LogComponent, level: LogLevel): boolean { return RANK[level] >= (this.ranks.get(component) ?? INFO) && level !== 'off'; }

  log(component: LogComponent, level: LogLevel, message: string): void {
    if (!this.enabled(component, level)) return;
    const text = this.format({ at: new Date(), thread: String(process.pid), level, component, file: this.source, line: this.line, message });
    try { writeSync(this.fd, text); } catch { /* a full or closed stderr harms nobody */ }
  }

  /** After the file was moved away (SIGUSR1): goes on in a new one of the same name; the old one while that cannot be opened. */
  reopen(): void {
    if (this.path === '') return;
    try { const next = openSync(this.path, 'a'); closeSync(this.fd); this.fd = next; } catch (e) { this.log('main', 'warning', `the log file '${this.path}' cannot be reopened: ${(e as Error).message}`); }
  }
}
