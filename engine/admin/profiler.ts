// CPU profiles by V8's profiler (a .cpuprofile at admin's profile_path) and heap snapshots, where Envoy has those of gperftools.
import type { AdminSource } from './admin-source.ts';
import { OK, text, type AdminAnswer, type AdminEndpoint } from './endpoint.ts';
import type { Query } from './query.ts';

const enable = (help: string): readonly (readonly [string, string])[] => [['enable', `${help}; One of (y, n)`]];

async function cpu(source: AdminSource, query: Query): Promise<AdminAnswer> {
  const wish = query.get('enable');
  if (query.entries.length !== 1 || (wish !== 'y' && wish !== 'n')) return text('?enable=<y|n>\n', 400);
  return await source.cpuProfile(wish === 'y') ? OK : text('failure to start the profiler', 500);
}

export const cpuProfiler: AdminEndpoint = { path: '/cpuprofiler', help: 'enable/disable the CPU profiler', changes: true, params: enable('enables the CPU profiler'), answer: cpu };
export const heapProfiler: AdminEndpoint = { path: '/heapprofiler', help: 'enable/disable the heap profiler', changes: true, params: enable('enable/disable the heap profiler'), answer: () => text('The current build does not support heap profiler', 501) };
export const heapDump: AdminEndpoint = {
  path: '/heap_dump', help: 'dump current Envoy heap (if supported)',
  async answer(source) {
    const parts: Uint8Array[] = [];
    for await (const p of source.heapSnapshot()) parts.push(p);
    return { status: 200, type: 'binary', body: Buffer.concat(parts) };
  },
};
