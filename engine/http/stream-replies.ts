// The answers that the stream machine gives by itself, with Envoy's texts, details and flags. Made once.
import { fault } from '../base/fault.ts';
import { flagBit } from '../observe/response-flags.ts';
import { LocalReply } from './filter.ts';

export const STREAM_FLAG = { DC: flagBit('DC'), DR: flagBit('DR'), SI: flagBit('SI'), DPE: flagBit('DPE'), NR: flagBit('NR'), OM: flagBit('OM') };

/** gRPC status of a call whose time is up. */
const DEADLINE_EXCEEDED = 4;

export const REPLY = {
  overloaded: new LocalReply(503, 'envoy overloaded', 'overload'),
  /** append_local_overload. */
  overloadedHere: new LocalReply(503, 'envoy overloaded', 'overload', 0, (h) => h.add('x-envoy-local-overloaded', 'true')),
  missingHost: new LocalReply(400, '', 'missing_host_header'),
  queryWithoutType: new LocalReply(400, '', 'query_missing_content_type'),
  missingPath: new LocalReply(404, '', 'missing_path_rejected'),
  relativePath: new LocalReply(404, '', 'absolute_path_rejected'),
  fragment: new LocalReply(400, '', 'path_normalization_failed'),
  udpPath: new LocalReply(404, 'The path is incorrect for CONNECT-UDP', 'invalid_path'),
  upgradeRefused: new LocalReply(403, '', 'upgrade_failed'),
  noRouteTable: new LocalReply(404, '', 'route_configuration_not_found', STREAM_FLAG.NR),
  requestTimeout: new LocalReply(408, 'request timeout', 'request_overall_timeout'),
  headersTimeout: new LocalReply(408, 'request header timeout', 'request_header_timeout'),
  idleEarly: new LocalReply(408, 'stream timeout', 'stream_idle_timeout', STREAM_FLAG.SI),
  idleLate: new LocalReply(504, 'stream timeout', 'stream_idle_timeout', STREAM_FLAG.SI),
  // Envoy's DT is of tcp_proxy alone, in spite of its description.
  maxDuration: new LocalReply(408, 'downstream duration timeout', 'max_duration_timeout', 0, null, DEADLINE_EXCEEDED),
  responseTooLarge: new LocalReply(500, 'Internal Server Error', 'response_payload_too_large'),
  maxDurationLate: new LocalReply(504, 'downstream duration timeout', 'max_duration_timeout', 0, null, DEADLINE_EXCEEDED),
  tooLarge: new LocalReply(413, 'Payload Too Large', 'request_payload_too_large'),
} as const;

const TEXTS: Record<number, string> = { 400: 'Bad Request', 408: 'Request Timeout', 413: 'Payload Too Large', 426: 'Upgrade Required', 431: 'Request Header Fields Too Large', 500: 'Internal Server Error', 501: 'Not Implemented' };

/** An HTTP/1 exchange given up under pressure: to Envoy a failure of its codec (http1_server_abort_dispatch). */
export const OVERLOADED = fault('downstream', 'DPE', 'overload', 500);

/** The answer to a request that could not be understood. */
export function faultReply(status: number, detail: string): LocalReply { return new LocalReply(status, TEXTS[status] ?? 'Bad Request', detail, STREAM_FLAG.DPE); }
