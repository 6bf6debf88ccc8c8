// The router's own answers, with Envoy's texts, details and flags.
import { LocalReply } from '../http/filter.ts';
import { flagBit } from '../observe/response-flags.ts';
import type { OverrideHost } from '../upstream/upstream.ts';
import { FLAG } from './failure.ts';

/** reject_connect_request_early_data */
export const EARLY_CONNECT = new LocalReply(400, '', 'early_connect_data');
export const NO_ROUTE = new LocalReply(404, '', 'route_not_found', FLAG.NR);
const NO_HOST = new LocalReply(503, 'no healthy upstream', 'no_healthy_upstream', FLAG.UH);
/** No host could be chosen; `asked`: the one that the request wanted. */
export function noHost(asked: OverrideHost | null): LocalReply { return asked?.strict === true && (asked.missingStatus ?? 0) > 0 ? new LocalReply(asked.missingStatus!, NO_HOST.body, NO_HOST.details, NO_HOST.flags) : NO_HOST; }
export const BODY_TOO_LARGE = new LocalReply(507, 'exceeded request buffer limit while retrying upstream', 'request_payload_exceeded_retry_buffer_limit');

/** Envoy does not mark this one with OM. */
export const OVERLOADED = new LocalReply(503, 'envoy overloaded', 'overload');

/** strict_check_headers: a header that steers us is malformed. */
export function invalidHeader(name: string, value: string): LocalReply { return new LocalReply(400, `invalid header '${name}' with value '${value}'`, `request_headers_failed_strict_check{${name}}`, flagBit('IH')); }

/** Time is up. `status` 204: x-envoy-upstream-rq-timeout-alt-response asked for it. */
export function timeoutReply(status: number, details: string): LocalReply { return new LocalReply(status, status === 504 ? 'upstream request timeout' : '', details, FLAG.UT); }

/** The upstream's max_stream_duration is over. */
export function durationReply(requestEnded: boolean): LocalReply { return new LocalReply(requestEnded ? 504 : 408, 'upstream max stream duration reached', 'upstream_max_stream_duration_reached', FLAG.UMSDR); }

/** A reply that also says how many attempts there were (include_attempt_count_in_response). */
export function withAttempts(reply: LocalReply, attempts: number): LocalReply {
  return new LocalReply(reply.status, reply.body, reply.details, reply.flags, (h, s) => { reply.headers?.(h, s); h.set('x-envoy-attempt-count', String(attempts)); }, reply.grpcStatus, reply.contentType);
}
