// POST /reopen_logs: as SIGUSR1.
import { OK, type AdminEndpoint } from './endpoint.ts';

export const reopenLogs: AdminEndpoint = { path: '/reopen_logs', help: 'reopen access logs', changes: true, answer(source) { source.reopenLogs(); return OK; } };
