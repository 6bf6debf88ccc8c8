// What the admin endpoints are told and may ask for; the control engine implements it.
import type { ProfileKind } from '../observe/thread-profile.ts';
import type { RecentLookups } from '../control/stats/recent-lookups.ts';
import type { RuntimeTable } from '../control/runtime/layers.ts';
import type { StatView } from '../control/stats/stat-view.ts';
import type { ClusterStatus } from './clusters.ts';
import type { DumpSection } from './config-dump.ts';
import type { ListenerStatus } from './listeners.ts';

/** Bytes. */
export interface MemoryFigures { readonly allocated: number; readonly heapSize: number; readonly heapFree: number; readonly physical: number }
export interface DrainWish { readonly graceful: boolean; readonly inboundOnly: boolean; readonly skipExit: boolean }

export interface AdminSource {
  /** All stats, those of the process as of now. */
  stats(): StatView;
  resetCounters(): void;
  /** Names of stats that were made from text. */
  readonly lookups: RecentLookups;
  /** Envoy's ServerInfo.state. */
  state(): 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';
  /** The document of /server_info: Envoy's fields and ours. */
  serverInfo(): unknown;
  clusters(): Iterable<ClusterStatus>;
  listeners(): readonly ListenerStatus[];
  /** The sections of /config_dump, endpoints too. */
  configDump(): readonly DumpSection[];
  runtime(): RuntimeTable;
  /** Sets values of the admin layer ('' takes one away); false where there is no such layer. */
  modifyRuntime(values: readonly (readonly [key: string, value: string])[]): boolean;
  /** Every logger with its level. */
  logLevels(): readonly (readonly [component: string, level: string])[];
  /** '' means all of them. */
  setLogLevel(component: string, level: string): void;
  memory(): MemoryFigures;
  /** Entries of /certs. */
  certificates(): readonly unknown[];
  /** Targets that initialization still waits for, by component. */
  unready(): readonly { readonly name: string; readonly targets: readonly string[] }[];
  reopenLogs(): void;
  /** /healthcheck/fail and /healthcheck/ok. */
  failHealthCheck(failed: boolean): void;
  drainListeners(wish: DrainWish): void;
  quit(): void;
  /** Starts or ends a profile of every thread, written to admin's profile_path; false: it could not be. */
  profile(kind: ProfileKind, on: boolean): Promise<boolean>;
  profiling(kind: ProfileKind): boolean;
  readonly profilePath: string;
  /** What the control thread allocates; false: that is looked at already. */
  startAllocations(): Promise<boolean>;
  /** A .heapprofile; null: it was not started. */
  stopAllocations(): Promise<unknown>;
  /** V8's heap spaces of the control thread, bytes. */
  heapSpaces(): readonly { readonly name: string; readonly size: number; readonly used: number; readonly available: number }[];
  /** A V8 heap snapshot of the control thread, in pieces. */
  heapSnapshot(): AsyncIterable<Uint8Array>;
}
