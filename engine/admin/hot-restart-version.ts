// GET /hot_restart_version: as Envoy with --disable-hot-restart.
import { text, type AdminEndpoint } from './endpoint.ts';

export const hotRestartVersion: AdminEndpoint = { path: '/hot_restart_version', help: 'print the hot restart compatibility version', answer: () => text('disabled') };
