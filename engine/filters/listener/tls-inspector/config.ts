// TlsInspector from configuration.
import type { TlsInspectorPlan } from '../../../plan/listener-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

const MOST = 16384;

export function compileTlsInspector(m: ConfigMessage): TlsInspectorPlan {
  m.noop('initial_read_buffer_size', 'bytes are looked at as they come');
  const maxHelloBytes = m.num('max_client_hello_size', MOST);
  if (maxHelloBytes > MOST) m.error('max_client_hello_size', `max_client_hello_size of ${maxHelloBytes} is greater than maximum of ${MOST}.`);
  return { ja3: m.bool('enable_ja3_fingerprinting', false), ja4: m.bool('enable_ja4_fingerprinting', false), closeOnError: m.bool('close_connection_on_client_hello_parsing_errors'), maxHelloBytes };
}
