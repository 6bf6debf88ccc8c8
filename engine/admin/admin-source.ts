// What the admin endpoints are told and may ask for; the control engine implements it.
import type { StatReader } from '../control/stats/stat-reader.ts';

export interface AdminSource {
  readonly stats: StatReader;
  /** Envoy's ServerInfo.state. */
  state(): 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';
  /** The document of /server_info: Envoy's fields and ours. */
  serverInfo(): unknown;
  reopenLogs(): void;
  /** /healthcheck/fail and /healthcheck/ok. */
  failHealthCheck(failed: boolean): void;
  drainListeners(graceful: boolean, inboundOnly: boolean, skipExit: boolean): void;
  quit(): void;
}
