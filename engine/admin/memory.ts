// GET /memory: V8's figures under the names of Envoy's allocator; GET /memory/tcmalloc: its heap spaces, where Envoy prints its allocator's own report.
import { json, text, type AdminEndpoint } from './endpoint.ts';

export const memory: AdminEndpoint = {
  path: '/memory', help: 'print current allocation/heap usage',
  answer(source) {
    const m = source.memory();
    return json({ allocated: String(m.allocated), heap_size: String(m.heapSize), pageheap_unmapped: '0', pageheap_free: String(m.heapFree), total_thread_cache: '0', total_physical_bytes: String(m.physical) });
  },
};

export const memoryTcmalloc: AdminEndpoint = {
  path: '/memory/tcmalloc', help: 'print TCMalloc stats',
  answer(source) {
    const lines = source.heapSpaces().map((s) => `V8: ${String(s.used).padStart(14)} of ${String(s.size).padStart(14)} bytes in use, ${String(s.available).padStart(14)} free: ${s.name}\n`);
    return text(`There is no TCMalloc here. Heap spaces of the control thread:\n${lines.join('')}`);
  },
};
