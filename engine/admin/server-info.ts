// GET /server_info.
import { json, type AdminEndpoint } from './endpoint.ts';

export const serverInfo: AdminEndpoint = { path: '/server_info', help: 'print server version/status information', answer: (source) => json(source.serverInfo()) };
