// The application log's writing side: levels by component (Envoy's logger ids), lines in Envoy's format. The thread's host gives the sink.

export type LogLevel = 'trace' | 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'off';
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];

/** Envoy's logger ids that Weir uses. */
export const LOG_COMPONENTS = ['admin', 'client', 'config', 'connection', 'conn_handler', 'dns', 'file', 'filter', 'forward_proxy', 'health_checker', 'http', 'http2', 'init', 'lua', 'main', 'misc', 'pool', 'rbac', 'router', 'runtime', 'stats', 'secret', 'upstream', 'tls', 'tracing', 'udp'] as const;
export type LogComponent = (typeof LOG_COMPONENTS)[number];

export interface Logger {
  /** Cheap test before a message is built. */
  enabled(component: LogComponent, level: LogLevel): boolean;
  log(component: LogComponent, level: LogLevel, message: string): void;
}

/** Keeps lines, for tests. */
export class MemoryLogger implements Logger {
  readonly lines: string[] = [];
  enabled(): boolean { return true; }
  log(component: LogComponent, level: LogLevel, message: string): void { this.lines.push(`[${level}][${component}] ${message}`); }
}
