// The application log of one thread: Envoy's default line format to stderr or --log-path, levels by component, changeable while it runs.
import { openSync, writeSync } from 'node:fs';
import { LOG_COMPONENTS, LOG_LEVELS, type LogComponent, type Logger, type LogLevel } from '../engine/observe/log.ts';

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

export class AppLog implements Logger {
  private readonly levels = new Map<string, number>();
  private readonly fd: number;
  private readonly thread: number;
  constructor(options: { readonly level: string; readonly components: string; readonly path: string; readonly thread: number }) {
    this.fd = options.path === '' ? 2 : openSync(options.path, 'a');
    this.thread = options.thread;
    this.setAll(options.level);
    for (const pair of options.components.split(',').filter(Boolean)) { const [c = '', l = ''] = pair.split(':'); this.set(c, l); }
  }
  setAll(level: string): void { for (const c of LOG_COMPONENTS) this.set(c, level); }
  /** False for an unknown component or level. */
  set(component: string, level: string): boolean {
    const n = LOG_LEVELS.indexOf(level as LogLevel);
    if (n < 0 || !LOG_COMPONENTS.includes(component as LogComponent)) return false;
    this.levels.set(component, n);
    return true;
  }
  level(component: string): LogLevel { return LOG_LEVELS[this.levels.get(component) ?? 2]!; }
  enabled(component: LogComponent, level: LogLevel): boolean { return LOG_LEVELS.indexOf(level) >= (this.levels.get(component) ?? 2); }
  log(component: LogComponent, level: LogLevel, message: string): void {
    if (!this.enabled(component, level)) return;
    const d = new Date();
    const stamp = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
    try { writeSync(this.fd, `[${stamp}][${process.pid}][${level}][${component}] [thread ${this.thread}] ${message}\n`); } catch { /* a full or closed stderr harms nobody */ }
  }
}
