// POST /healthcheck/fail and /healthcheck/ok: the health_check filter and /ready answer accordingly.
import { OK, type AdminEndpoint } from './endpoint.ts';

export const healthcheckFail: AdminEndpoint = { path: '/healthcheck/fail', help: 'cause the server to fail health checks', changes: true, answer(source) { source.failHealthCheck(true); return OK; } };
export const healthcheckOk: AdminEndpoint = { path: '/healthcheck/ok', help: 'cause the server to pass health checks', changes: true, answer(source) { source.failHealthCheck(false); return OK; } };
