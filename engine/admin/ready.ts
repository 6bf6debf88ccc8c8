// GET /ready: 200 once everything listens, 503 before, while draining and after /healthcheck/fail.
import { text, type AdminEndpoint } from './endpoint.ts';

export const ready: AdminEndpoint = {
  path: '/ready', help: 'print server state, return 200 if LIVE, otherwise return 503',
  answer(source) { const state = source.state(); return text(`${state}\n`, state === 'LIVE' ? 200 : 503); },
};
