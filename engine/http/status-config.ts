// envoy.type.v3.HttpStatus from configuration: an enumeration of names whose numbers are the statuses.
import type { ConfigMessage } from '../proto/config-message.ts';

/** The status of an HttpStatus message; where it is below 400 Envoy's filters that refuse take `refusal`. */
export function compileRefusalStatus(m: ConfigMessage | undefined, refusal: number): number {
  const code = m?.enumNumber('code') ?? 0;
  return code >= 400 ? code : refusal;
}
