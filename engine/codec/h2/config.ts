// Http2ProtocolOptions from configuration, for both directions.
import type { ConfigMessage } from '../../proto/config-message.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan, type KeepalivePlan } from '../../plan/http2-options-plan.ts';
import type { HeadLimits } from '../h1/config.ts';
import { FRAME_SIZE, MAX_WINDOW, SETTING } from './frames.ts';

/** The identifiers that have fields of their own, in Envoy's order. */
const NAMED: readonly (readonly [number, string])[] = [[SETTING.MAX_CONCURRENT_STREAMS, 'max_concurrent_streams'], [SETTING.INITIAL_WINDOW_SIZE, 'initial_stream_window_size'], [SETTING.HEADER_TABLE_SIZE, 'hpack_table_size']];
const PRIORITIES = 9; // SETTINGS_NO_RFC7540_PRIORITIES, RFC 9218

/** `headersKb`: the field that limits a whole head, where that is to be held against the limit of one field. `streamErrors`: what holds where override_stream_error_on_invalid_http_message is not set. */
export function compileHttp2Options(m: ConfigMessage | undefined, limits: HeadLimits, headersKb: 'max_request_headers_kb' | 'max_response_headers_kb' | '', streamErrors = false): Http2OptionsPlan {
  if (m === undefined) return { ...HTTP2_DEFAULTS, streamErrorOnInvalidHttpMessage: streamErrors, ...limits };
  const d = HTTP2_DEFAULTS;
  m.noop('use_oghttp2_codec', 'there is one codec');
  const fieldKb = m.num('max_header_field_size_kb');
  if (headersKb !== '' && fieldKb > limits.maxHeadersKb) m.error('max_header_field_size_kb', `max_header_field_size_kb must not exceed ${headersKb}`);
  const old = m.bool('stream_error_on_invalid_http_messaging', streamErrors);
  return {
    hpackTableSize: m.num('hpack_table_size', d.hpackTableSize), maxConcurrentStreams: m.num('max_concurrent_streams', d.maxConcurrentStreams),
    initialStreamWindowSize: m.num('initial_stream_window_size', d.initialStreamWindowSize), initialConnectionWindowSize: m.num('initial_connection_window_size', d.initialConnectionWindowSize),
    allowConnect: m.bool('allow_connect'), maxMetadataBytes: compileMetadata(m), maxOutboundFrames: m.num('max_outbound_frames', d.maxOutboundFrames), maxOutboundControlFrames: m.num('max_outbound_control_frames', d.maxOutboundControlFrames),
    maxConsecutiveInboundFramesWithEmptyPayload: m.num('max_consecutive_inbound_frames_with_empty_payload', d.maxConsecutiveInboundFramesWithEmptyPayload),
    maxInboundPriorityFramesPerStream: m.num('max_inbound_priority_frames_per_stream', d.maxInboundPriorityFramesPerStream),
    maxInboundWindowUpdateFramesPerDataFrameSent: m.num('max_inbound_window_update_frames_per_data_frame_sent', d.maxInboundWindowUpdateFramesPerDataFrameSent),
    streamErrorOnInvalidHttpMessage: m.bool('override_stream_error_on_invalid_http_message', old), huffman: m.bool('enable_huffman_encoding', true), obsText: !m.bool('disallow_obs_text'),
    customSettings: compileCustomSettings(m), maxHeaderFieldBytes: fieldKb > 0 ? fieldKb * 1024 : d.maxHeaderFieldBytes, streamResetBurst: m.num('stream_reset_burst', d.streamResetBurst), streamResetRate: m.num('stream_reset_rate', d.streamResetRate),
    keepalive: compileKeepalive(m.msg('connection_keepalive')), ...limits,
  };
}

function compileMetadata(m: ConfigMessage): number {
  if (!m.bool('allow_metadata')) { m.noop('max_metadata_size', 'without allow_metadata no METADATA frame is read'); return 0; }
  return m.num('max_metadata_size', 1 << 20);
}

/** Each identifier once. Envoy takes what no peer may be sent, and then sends no SETTINGS at all: refused here. */
function compileCustomSettings(m: ConfigMessage): [number, number][] {
  const out = new Map<number, number>(), unequal = new Set<string>(), field = 'custom_settings_parameters';
  for (const p of m.list(field)) {
    const id = p.num('identifier'), value = p.num('value');
    if (id === SETTING.ENABLE_PUSH && value !== 0) p.error('identifier', 'server push is not supported by Envoy and can not be enabled via a SETTINGS parameter.');
    else if (id === SETTING.ENABLE_CONNECT_PROTOCOL) p.error('identifier', 'the "allow_connect" SETTINGS parameter must only be configured through the named field');
    else if (id === SETTING.MAX_FRAME_SIZE && (value < FRAME_SIZE || value > 0xffffff)) p.error('value', 'RFC 9113 section 6.5.2: SETTINGS_MAX_FRAME_SIZE must be inside range [16384, 16777215]');
    else if (id === SETTING.INITIAL_WINDOW_SIZE && value > MAX_WINDOW) p.error('value', 'RFC 9113 section 6.5.2: SETTINGS_INITIAL_WINDOW_SIZE must not exceed 2147483647');
    else if (id === PRIORITIES && value > 1) p.error('value', 'RFC 9218 section 2.1: SETTINGS_NO_RFC7540_PRIORITIES must be 0 or 1');
    if (out.has(id) && out.get(id) !== value) unequal.add(`0x${id.toString(16).padStart(2, '0')}`);
    out.set(id, value);
  }
  const twice = NAMED.filter(([id, name]) => out.has(id) && m.has(name)).map((n) => n[1]);
  if (twice.length > 0) m.error(field, `the {${twice.join(',')}} HTTP/2 SETTINGS parameter(s) can not be configured through both named and custom parameters`);
  if (unequal.size > 0) m.error(field, `inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {${[...unequal].join(',')}}`);
  return [...out];
}

function compileKeepalive(m: ConfigMessage | undefined): KeepalivePlan | null {
  if (m === undefined) return null;
  return { intervalMs: m.ms('interval', 0), timeoutMs: m.ms('timeout', 0), jitterPercent: m.msg('interval_jitter')?.num('value') ?? 15, idleIntervalMs: m.ms('connection_idle_interval', 0) };
}
