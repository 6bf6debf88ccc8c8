// What the connection manager does to a response before the codec writes it: hop-by-hop headers, server, date, via, request id.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import { HCM, LISTENER_HTTP } from '../observe/stats/schemas.ts';
import type { HcmRuntime } from './hcm-runtime.ts';

export function finishResponse(runtime: HcmRuntime, request: RequestHeaders, headers: ResponseHeaders, facts: StreamFacts, upgraded: boolean): void {
  const { plan } = runtime;
  const flat = headers.flat;
  let date = false, server = false;
  for (let i = 0; i < flat.length; i += 2) {
    switch (flat[i]) {
      case 'date': date = true; break;
      case 'server': server = true; break;
      case 'transfer-encoding': headers.remove('transfer-encoding'); i -= 2; break;
      case 'connection': case 'upgrade': if (!(upgraded && headers.status === 101)) { headers.remove(flat[i]!); i -= 2; } break;
    }
  }
  if (!date) headers.add('date', runtime.date.at(runtime.env.clock.wallMs()));
  if (plan.serverHeader === 'overwrite') { if (server) headers.set('server', plan.serverName); else headers.add('server', plan.serverName); } else if (plan.serverHeader === 'absent' && !server) headers.add('server', plan.serverName);
  if (plan.via !== '') headers.append('via', plan.via, ', ');
  if (plan.requestIdInResponse && facts.requestId !== '') headers.set('x-request-id', facts.requestId);
  if (runtime.proxyStatus !== null) runtime.proxyStatus.apply(headers, facts);
  if (request.method === 'CONNECT' && headers.status >= 200 && headers.status < 300) headers.remove('content-length');
}

/** A tunnel that stands now is logged (flush_log_on_tunnel_successfully_established): a CONNECT that was answered with 2xx, an upgrade with 101. */
export function logTunnel(runtime: HcmRuntime, request: RequestHeaders, facts: StreamFacts): void {
  if (request.method === 'CONNECT' ? facts.status < 200 || facts.status > 299 : facts.status !== 101) return;
  for (const log of runtime.accessLogs) log.log(facts, 'DownstreamTunnelSuccessfullyEstablished');
}

/** downstream_rq_completed and its classes, for the manager and its listener. */
export function countResponse({ stats, listenerStats }: HcmRuntime, status: number): void {
  stats.inc(HCM.downstream_rq_completed);
  listenerStats.inc(LISTENER_HTTP.downstream_rq_completed);
  const group = Math.floor(status / 100);
  if (group < 1 || group > 5) return;
  stats.inc(HCM.downstream_rq_1xx + group - 1);
  listenerStats.inc(LISTENER_HTTP.downstream_rq_1xx + group - 1);
}
