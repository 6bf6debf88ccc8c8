// A peer's failure, as a value. Never thrown: a throw costs 2.7 µs and an attacker chooses the rate.
// `flag` is Envoy's response flag (short form), `detail` its response code detail.

export type FaultSide = 'downstream' | 'upstream' | 'local';
/** Whether a request that met this fault may be sent again: never; only if the connection was a reused one and no response byte was seen; always. */
export type RetrySafety = 'no' | 'if-reused' | 'yes';

export interface PeerFault {
  readonly side: FaultSide;
  /** Envoy's response flag in its short form ('DPE', 'UPE', 'UC'…), or '' where none applies. */
  readonly flag: string;
  /** Envoy's response code detail, e.g. 'http1.codec_error'. */
  readonly detail: string;
  /** Status of the local reply that the fault leads to, where one can still be sent; 0 for none (close). */
  readonly status: number;
  readonly retry: RetrySafety;
}

export function fault(side: FaultSide, flag: string, detail: string, status = 0, retry: RetrySafety = 'no'): PeerFault {
  return { side, flag, detail, status, retry };
}
