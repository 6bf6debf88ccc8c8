// CPU and heap profiles by V8's profiler (a .cpuprofile or .heapprofile of each thread at admin's profile_path) and heap snapshots, where Envoy has those of gperftools and
// TCMalloc. Answers are Envoy's where it has them.
import type { AdminSource } from './admin-source.ts';
import { OK, text, type AdminAnswer, type AdminEndpoint } from './endpoint.ts';
import type { Query } from './query.ts';

const enable = (help: string): readonly (readonly [string, string])[] => [['enable', `${help}; One of (y, n)`]];
/** What ?enable= says; null: nothing that is understood. */
function wish(query: Query): boolean | null { const v = query.get('enable'); return query.entries.length !== 1 || (v !== 'y' && v !== 'n') ? null : v === 'y'; }
const USAGE = text('?enable=<y|n>\n', 400);

async function cpu(source: AdminSource, query: Query): Promise<AdminAnswer> {
  const on = wish(query);
  if (on === null) return USAGE;
  return await source.profile('cpu', on) ? OK : text('failure to start the profiler', 500);
}

async function heap(source: AdminSource, query: Query): Promise<AdminAnswer> {
  const on = wish(query), running = source.profiling('heap');
  if (on === null) return USAGE;
  if (on && running) return text('Fail to start heap profiler: already started', 400);
  if (!on && !running) return text('Fail to stop heap profiler: not started', 400);
  if (!await source.profile('heap', on)) return text(on ? 'Fail to start the heap profiler' : 'Fail to write the heap profile', 500);
  return text(on ? 'Starting heap profiler' : `Heap profiler stopped and data written to ${source.profilePath}.THREAD.heapprofile`);
}

/** What the control thread allocates from 'y' to 'n', as the answer to 'n'. */
async function allocations(source: AdminSource, query: Query): Promise<AdminAnswer> {
  const on = wish(query);
  if (on === null) return USAGE;
  if (on) return await source.startAllocations() ? OK : text('Allocation profiler is already started', 400);
  const profile = await source.stopAllocations();
  return profile === null ? text('Allocation profiler is not started', 400) : text(JSON.stringify(profile));
}

export const cpuProfiler: AdminEndpoint = { path: '/cpuprofiler', help: 'enable/disable the CPU profiler', changes: true, params: enable('enables the CPU profiler'), answer: cpu };
export const heapProfiler: AdminEndpoint = { path: '/heapprofiler', help: 'enable/disable the heap profiler', changes: true, params: enable('enable/disable the heap profiler'), answer: heap };
export const allocProfiler: AdminEndpoint = { path: '/allocprofiler', help: 'enable/disable the allocation profiler (if supported)', changes: true, params: enable('enable/disable the allocation profiler'), answer: allocations };
export const heapDump: AdminEndpoint = {
  path: '/heap_dump', help: 'dump current Envoy heap (if supported)',
  async answer(source) {
    const parts: Uint8Array[] = [];
    for await (const p of source.heapSnapshot()) parts.push(p);
    return { status: 200, type: 'binary', body: Buffer.concat(parts) };
  },
};
/** V8 remembers no peak. */
export const peakHeapDump: AdminEndpoint = { path: '/peak_heap_dump', help: 'dump peak Envoy heap (if supported)', answer: () => text('Peak heap dump is not supported', 501) };
