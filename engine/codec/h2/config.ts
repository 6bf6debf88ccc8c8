// Http2ProtocolOptions from configuration, for both directions.
import type { ConfigMessage } from '../../proto/config-message.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan, type KeepalivePlan } from '../../plan/http2-options-plan.ts';
import type { HeadLimits } from '../h1/config.ts';

/** `streamErrors`: what holds where override_stream_error_on_invalid_http_message is not set. */
export function compileHttp2Options(m: ConfigMessage | undefined, limits: HeadLimits, streamErrors = false): Http2OptionsPlan {
  if (m === undefined) return { ...HTTP2_DEFAULTS, streamErrorOnInvalidHttpMessage: streamErrors, ...limits };
  const d = HTTP2_DEFAULTS;
  if (m.bool('allow_metadata')) m.unsupported('allow_metadata');
  m.noop('max_metadata_size', 'METADATA frames are ignored');
  m.noop('use_oghttp2_codec', 'there is one codec');
  for (const f of ['custom_settings_parameters', 'max_header_field_size_kb', 'stream_reset_burst', 'stream_reset_rate']) m.unsupported(f);
  const old = m.bool('stream_error_on_invalid_http_messaging', streamErrors);
  return {
    hpackTableSize: m.num('hpack_table_size', d.hpackTableSize), maxConcurrentStreams: m.num('max_concurrent_streams', d.maxConcurrentStreams),
    initialStreamWindowSize: m.num('initial_stream_window_size', d.initialStreamWindowSize), initialConnectionWindowSize: m.num('initial_connection_window_size', d.initialConnectionWindowSize),
    allowConnect: m.bool('allow_connect'), maxOutboundFrames: m.num('max_outbound_frames', d.maxOutboundFrames), maxOutboundControlFrames: m.num('max_outbound_control_frames', d.maxOutboundControlFrames),
    maxConsecutiveInboundFramesWithEmptyPayload: m.num('max_consecutive_inbound_frames_with_empty_payload', d.maxConsecutiveInboundFramesWithEmptyPayload),
    maxInboundPriorityFramesPerStream: m.num('max_inbound_priority_frames_per_stream', d.maxInboundPriorityFramesPerStream),
    maxInboundWindowUpdateFramesPerDataFrameSent: m.num('max_inbound_window_update_frames_per_data_frame_sent', d.maxInboundWindowUpdateFramesPerDataFrameSent),
    streamErrorOnInvalidHttpMessage: m.bool('override_stream_error_on_invalid_http_message', old), huffman: m.bool('enable_huffman_encoding', true), obsText: !m.bool('disallow_obs_text'),
    keepalive: compileKeepalive(m.msg('connection_keepalive')), ...limits,
  };
}

function compileKeepalive(m: ConfigMessage | undefined): KeepalivePlan | null {
  if (m === undefined) return null;
  return { intervalMs: m.ms('interval', 0), timeoutMs: m.ms('timeout', 0), jitterPercent: m.msg('interval_jitter')?.num('value') ?? 15, idleIntervalMs: m.ms('connection_idle_interval', 0) };
}
