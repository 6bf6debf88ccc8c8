// POST /quitquitquit: the answer goes out, then the process ends.
import { OK, type AdminEndpoint } from './endpoint.ts';

export const quit: AdminEndpoint = { path: '/quitquitquit', help: 'exit the server', changes: true, answer: (source) => ({ ...OK, after: () => source.quit() }) };
