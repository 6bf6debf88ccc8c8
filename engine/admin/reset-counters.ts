// POST /reset_counters.
import { OK, type AdminEndpoint } from './endpoint.ts';

export const resetCounters: AdminEndpoint = { path: '/reset_counters', help: 'reset all counters to zero', changes: true, answer(source) { source.resetCounters(); return OK; } };
