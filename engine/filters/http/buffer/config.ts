// envoy.extensions.filters.http.buffer.v3.Buffer and BufferPerRoute from configuration.
import type { BufferPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileBuffer(m: ConfigMessage): BufferPlan { return { maxBytes: m.num('max_request_bytes') }; }
export function compileBufferPerRoute(m: ConfigMessage): BufferPlan {
  if (m.oneof('override') === 'disabled') return { maxBytes: m.bool('disabled') ? 0 : 0 };
  const buffer = m.msg('buffer');
  return buffer === undefined ? { maxBytes: 0 } : compileBuffer(buffer);
}
