// GET /memory: V8's figures under the names of Envoy's allocator.
import { json, type AdminEndpoint } from './endpoint.ts';

export const memory: AdminEndpoint = {
  path: '/memory', help: 'print current allocation/heap usage',
  answer(source) {
    const m = source.memory();
    return json({ allocated: String(m.allocated), heap_size: String(m.heapSize), pageheap_unmapped: '0', pageheap_free: String(m.heapFree), total_thread_cache: '0', total_physical_bytes: String(m.physical) });
  },
};
