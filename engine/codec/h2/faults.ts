// The faults that an HTTP/2 peer can make, with Envoy's details (Http2ResponseCodeDetails) and the error code of the GOAWAY or RST_STREAM that answers them. Made once:
// an attacker chooses the rate.
import { fault, type PeerFault } from '../../base/fault.ts';
import { ERROR } from './frames.ts';

/** Stats of Envoy's scope http2 that the codec counts. */
export type H2Stat = 'dropped_headers_with_underscores' | 'goaway_sent' | 'header_overflow' | 'header_list_size_too_large' | 'nghttp2_downstream_connections' | 'inbound_empty_frames_flood' | 'inbound_priority_frames_flood' | 'inbound_window_update_frames_flood' | 'keepalive_timeout' |
  'outbound_control_flood' | 'outbound_flood' | 'requests_rejected_with_underscores_in_headers' | 'rx_messaging_error' | 'rx_reset' | 'stream_refused_errors' | 'trailers' | 'tx_reset' | 'streams_active';

/** Where the codec's stats go; the owner maps them to its scope. */
export interface H2Counters { count(stat: H2Stat, by: number): void }

export interface H2Fault { readonly code: number; readonly downstream: PeerFault; readonly upstream: PeerFault; readonly stat: H2Stat | null }

function both(code: number, detail: string, stat: H2Stat | null = null, flag = 'DPE'): H2Fault {
  return { code, stat, downstream: fault('downstream', flag, detail), upstream: fault('upstream', 'UPE', detail, 502) };
}

export const H2_FAULT = {
  protocol: both(ERROR.PROTOCOL_ERROR, 'http2.protocol_error'),
  message: both(ERROR.PROTOCOL_ERROR, 'http2.violation.of.messaging.rule', 'rx_messaging_error'),
  name: both(ERROR.PROTOCOL_ERROR, 'http2.invalid.header.field', 'rx_messaging_error'),
  /** More or less body than content-length says: that stream's end alone, in Envoy too, and called so there. */
  length: both(ERROR.PROTOCOL_ERROR, 'http2.remote_reset', 'rx_messaging_error'),
  // Refused by us, not wrong: always the stream's end alone.
  underscore: both(ERROR.INTERNAL_ERROR, 'http2.unexpected_underscore', 'requests_rejected_with_underscores_in_headers', 'DR'),
  headersTooLarge: both(ERROR.INTERNAL_ERROR, 'http2.header_list_size_too_large', 'header_list_size_too_large', 'DR'),
  tooManyHeaders: both(ERROR.INTERNAL_ERROR, 'http2.too_many_headers', 'header_overflow', 'DR'),
  continuationFlood: both(ERROR.ENHANCE_YOUR_CALM, 'http2.header_overflow', 'header_overflow'),
  emptyFrames: both(ERROR.ENHANCE_YOUR_CALM, 'http2.inbound_empty_frames_flood', 'inbound_empty_frames_flood'),
  priorityFrames: both(ERROR.ENHANCE_YOUR_CALM, 'http2.inbound_priority_frames_flood', 'inbound_priority_frames_flood'),
  windowUpdates: both(ERROR.ENHANCE_YOUR_CALM, 'http2.inbound_window_update_frames_flood', 'inbound_window_update_frames_flood'),
  outboundFrames: both(ERROR.ENHANCE_YOUR_CALM, 'http2.outbound_frames_flood', 'outbound_flood'),
  outboundControl: both(ERROR.ENHANCE_YOUR_CALM, 'http2.outbound_control_frames_flood', 'outbound_control_flood'),
  /** RST_STREAM frames beyond the budget. */
  resets: both(ERROR.INTERNAL_ERROR, 'codec_error:The_user_callback_function_failed'),
  forcedResets: both(ERROR.ENHANCE_YOUR_CALM, 'http2.too_many_resets'),
  flowControl: both(ERROR.FLOW_CONTROL_ERROR, 'http2.flow_control_error'),
  frameSize: both(ERROR.FRAME_SIZE_ERROR, 'http2.frame_size_error'),
  streamClosed: both(ERROR.STREAM_CLOSED, 'http2.stream_closed'),
  compression: both(ERROR.COMPRESSION_ERROR, 'http2.compression_error'),
  settings: both(ERROR.PROTOCOL_ERROR, 'http2.settings_error'),
  pingTimeout: both(ERROR.NO_ERROR, 'http2.ping_timeout', 'keepalive_timeout'),
} as const;

/** The fault of an error code that the frame layer reports. */
export function faultOfCode(code: number): H2Fault {
  switch (code) {
    case ERROR.FLOW_CONTROL_ERROR: return H2_FAULT.flowControl;
    case ERROR.FRAME_SIZE_ERROR: return H2_FAULT.frameSize;
    case ERROR.STREAM_CLOSED: return H2_FAULT.streamClosed;
    case ERROR.COMPRESSION_ERROR: return H2_FAULT.compression;
    default: return H2_FAULT.protocol;
  }
}
