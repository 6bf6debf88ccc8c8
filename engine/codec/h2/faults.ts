// The faults that an HTTP/2 peer can make, with Envoy's details (Http2ResponseCodeDetails) and the error code of the GOAWAY or RST_STREAM that answers them. Made once:
// an attacker chooses the rate.
import { fault, type PeerFault } from '../../base/fault.ts';
import { ERROR } from './frames.ts';

/** Stats of Envoy's scope http2 that the codec counts. */
export type H2Stat = 'dropped_headers_with_underscores' | 'goaway_sent' | 'header_overflow' | 'header_list_size_too_large' | 'nghttp2_downstream_connections' | 'nghttp2_upstream_connections' | 'inbound_empty_frames_flood' | 'inbound_priority_frames_flood' | 'inbound_window_update_frames_flood' | 'keepalive_timeout' | 'metadata_empty_frames' |
  'outbound_control_flood' | 'outbound_flood' | 'requests_rejected_with_underscores_in_headers' | 'rx_messaging_error' | 'rx_reset' | 'stream_refused_errors' | 'trailers' | 'tx_reset' | 'streams_active';

/** Where the codec's stats go; the owner maps them to its scope. */
export interface H2Counters { count(stat: H2Stat, by: number): void }

export interface H2Fault {
  readonly code: number;
  /** For the stream that it is about. */
  readonly downstream: PeerFault;
  readonly upstream: PeerFault;
  /** For the connection, where it ends with it, and its other streams. */
  readonly rest: PeerFault;
  readonly stat: H2Stat | null;
}

/** What Envoy says of a connection that its codec gives up, whatever the cause. */
const GIVEN_UP = 'The_user_callback_function_failed';

function both(code: number, detail: string, stat: H2Stat | null = null, flag = 'DPE', rest = GIVEN_UP): H2Fault {
  return { code, stat, downstream: fault('downstream', flag, detail), upstream: fault('upstream', 'UPE', detail, 502), rest: fault('downstream', 'DPE', `codec_error:${rest}`) };
}
/** One that is about no stream in particular. */
function connection(code: number, stat: H2Stat | null = null, rest = GIVEN_UP): H2Fault { return both(code, `codec_error:${rest}`, stat, 'DPE', rest); }
const UNKNOWN = 'http2.unknown.nghttp2.error';

export const H2_FAULT = {
  protocol: connection(ERROR.PROTOCOL_ERROR),
  flowControl: connection(ERROR.FLOW_CONTROL_ERROR),
  frameSize: connection(ERROR.FRAME_SIZE_ERROR),
  compression: connection(ERROR.COMPRESSION_ERROR),
  calm: connection(ERROR.ENHANCE_YOUR_CALM),
  /** RST_STREAM frames beyond the budget. */
  resets: connection(ERROR.INTERNAL_ERROR),
  forcedResets: connection(ERROR.ENHANCE_YOUR_CALM),
  pingTimeout: both(ERROR.NO_ERROR, 'http2.ping_timeout', 'keepalive_timeout'),
  // A frame on a stream that ends the connection (streamOverflow: the stream).
  streamFrame: both(ERROR.PROTOCOL_ERROR, UNKNOWN),
  streamClosed: both(ERROR.STREAM_CLOSED, UNKNOWN),
  metadata: both(ERROR.COMPRESSION_ERROR, UNKNOWN),
  streamOverflow: both(ERROR.FLOW_CONTROL_ERROR, UNKNOWN),
  message: both(ERROR.PROTOCOL_ERROR, 'http2.violation.of.messaging.rule', 'rx_messaging_error'),
  name: both(ERROR.PROTOCOL_ERROR, 'http2.invalid.header.field', 'rx_messaging_error'),
  /** More or less body than content-length says: that stream's end alone, in Envoy too, and called so there. */
  length: both(ERROR.PROTOCOL_ERROR, 'http2.remote_reset'),
  /** More than the stream's window. */
  streamWindow: both(ERROR.FLOW_CONTROL_ERROR, 'http2.remote_reset', null, 'DR'),
  // Refused by us, not wrong: always the stream's end alone.
  underscore: both(ERROR.INTERNAL_ERROR, 'http2.unexpected_underscore', 'requests_rejected_with_underscores_in_headers', 'DR'),
  headersTooLarge: both(ERROR.INTERNAL_ERROR, 'http2.header_list_size_too_large', 'header_list_size_too_large', 'DR'),
  tooManyHeaders: both(ERROR.INTERNAL_ERROR, 'http2.too_many_headers', 'header_overflow', 'DR'),
  // Floods.
  continuationFlood: both(ERROR.ENHANCE_YOUR_CALM, 'http2.too_many_headers', 'header_overflow'),
  emptyFrames: both(ERROR.ENHANCE_YOUR_CALM, 'http2.inbound_empty_frames_flood', 'inbound_empty_frames_flood', 'DPE', 'Too_many_consecutive_frames_with_an_empty_payload'),
  priorityFrames: connection(ERROR.ENHANCE_YOUR_CALM, 'inbound_priority_frames_flood', 'Too_many_PRIORITY_frames'),
  windowUpdates: connection(ERROR.ENHANCE_YOUR_CALM, 'inbound_window_update_frames_flood', 'Too_many_WINDOW_UPDATE_frames'),
  outboundFrames: connection(ERROR.ENHANCE_YOUR_CALM, 'outbound_flood', 'Too_many_frames_in_the_outbound_queue.'),
  outboundControl: connection(ERROR.ENHANCE_YOUR_CALM, 'outbound_control_flood', 'Too_many_control_frames_in_the_outbound_queue.'),
} as const;

/** Envoy has counters of their own for them, and does not call them protocol errors. */
export function isFlood(fault: PeerFault): boolean { return fault.detail.startsWith('codec_error:Too_many'); }

/** The fault of an error code that the frame layer reports. */
export function faultOfCode(code: number): H2Fault {
  switch (code) {
    case ERROR.FLOW_CONTROL_ERROR: return H2_FAULT.flowControl;
    case ERROR.FRAME_SIZE_ERROR: return H2_FAULT.frameSize;
    case ERROR.STREAM_CLOSED: return H2_FAULT.streamClosed;
    case ERROR.COMPRESSION_ERROR: return H2_FAULT.compression;
    case ERROR.ENHANCE_YOUR_CALM: return H2_FAULT.calm;
    default: return H2_FAULT.protocol;
  }
}
