// Every admin endpoint, sorted by path as /help lists them.
import { certs } from './certs.ts';
import { clusters } from './clusters.ts';
import { configDump } from './config-dump.ts';
import { contention } from './contention.ts';
import { drainListeners } from './drain-listeners.ts';
import type { AdminEndpoint } from './endpoint.ts';
import { healthcheckFail, healthcheckOk } from './healthcheck.ts';
import { help, home } from './home.ts';
import { hotRestartVersion } from './hot-restart-version.ts';
import { initDump } from './init-dump.ts';
import { listeners } from './listeners.ts';
import { logging } from './logging.ts';
import { memory, memoryTcmalloc } from './memory.ts';
import { allocProfiler, cpuProfiler, heapDump, heapProfiler, peakHeapDump } from './profiler.ts';
import { quit } from './quit.ts';
import { ready } from './ready.ts';
import { recentLookups, recentLookupsClear, recentLookupsDisable, recentLookupsEnable } from './recent-lookups.ts';
import { reopenLogs } from './reopen-logs.ts';
import { resetCounters } from './reset-counters.ts';
import { runtime, runtimeModify } from './runtime.ts';
import { serverInfo } from './server-info.ts';
import { stats } from './stats.ts';
import { statsPrometheus } from './stats-prometheus.ts';

export const ENDPOINTS: readonly AdminEndpoint[] = [
  home(() => ENDPOINTS), allocProfiler, certs, clusters, configDump, contention, cpuProfiler, drainListeners, healthcheckFail, healthcheckOk, heapDump, heapProfiler, help(() => ENDPOINTS), hotRestartVersion, initDump, listeners, logging, memory, memoryTcmalloc, peakHeapDump,
  quit, ready, reopenLogs, resetCounters, runtime, runtimeModify, serverInfo, stats, statsPrometheus, recentLookups, recentLookupsClear, recentLookupsDisable, recentLookupsEnable,
];
