// GET /contention: there are no mutexes whose contention could be traced; the answer is Envoy's without --enable-mutex-tracing.
import { text, type AdminEndpoint } from './endpoint.ts';

export const contention: AdminEndpoint = { path: '/contention', help: 'dump current Envoy mutex contention stats (if enabled)', answer: () => text('Mutex contention tracing is not enabled. To enable, run Envoy with flag --enable-mutex-tracing.') };
