// POST /drain_listeners: at once, or over the drain time (graceful); the inbound ones alone; or without ever closing them (skip_exit).
import { OK, type AdminEndpoint } from './endpoint.ts';

export const drainListeners: AdminEndpoint = {
  path: '/drain_listeners', help: 'drain listeners', changes: true,
  params: [
    ['graceful', 'When draining listeners, enter a graceful drain period prior to closing listeners. This behaviour and duration is configurable via server options or CLI'],
    ['skip_exit', 'When draining listeners, drain the connections but never stop the listeners. The graceful parameter has no effect when this is set, since the drain period only delays stopping the listeners'],
    ['inboundonly', 'Drains all inbound listeners. traffic_direction field in envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a listener is inbound or outbound.'],
  ],
  answer(source, query) { source.drainListeners({ graceful: query.has('graceful'), inboundOnly: query.has('inboundonly'), skipExit: query.has('skip_exit') }); return OK; },
};
