// Envoy's response flags (StreamInfo::CoreResponseFlag): short name for %RESPONSE_FLAGS%, long name for %RESPONSE_FLAGS_LONG%. A stream's flags are a bit set
// of indexes into this list, printed in this order (Envoy's order of bits).

export const RESPONSE_FLAGS = [
  ['LH', 'FailedLocalHealthCheck'], ['DI', 'DelayInjected'], ['FI', 'FaultInjected'], ['RL', 'RateLimited'], ['UAEX', 'UnauthorizedExternalService'], ['RLSE', 'RateLimitServiceError'], ['URX', 'UpstreamRetryLimitExceeded'], ['UO', 'UpstreamOverflow'],
  ['UH', 'NoHealthyUpstream'], ['UT', 'UpstreamRequestTimeout'], ['LR', 'LocalReset'], ['UR', 'UpstreamRemoteReset'], ['UF', 'UpstreamConnectionFailure'], ['UC', 'UpstreamConnectionTermination'], ['NR', 'NoRouteFound'],
  ['DC', 'DownstreamConnectionTermination'], ['SI', 'StreamIdleTimeout'], ['IH', 'InvalidEnvoyRequestHeaders'], ['DPE', 'DownstreamProtocolError'],
  ['UMSDR', 'UpstreamMaxStreamDurationReached'], ['RFCF', 'ResponseFromCacheFilter'], ['NFCF', 'NoFilterConfigFound'], ['DT', 'DurationTimeout'], ['UPE', 'UpstreamProtocolError'], ['NC', 'NoClusterFound'], ['OM', 'OverloadManagerTerminated'],
  ['DF', 'DnsResolutionFailed'], ['DO', 'DropOverload'], ['DR', 'DownstreamRemoteReset'], ['UDO', 'UnconditionalDropOverload'],
] as const;

export type ResponseFlag = (typeof RESPONSE_FLAGS)[number][0];

/** Bit of a flag's short name; 0 for ''. Build-time and rare paths only. */
export function flagBit(short: string): number {
  const i = RESPONSE_FLAGS.findIndex(([s]) => s === short);
  return i < 0 ? 0 : 2 ** i;
}

/** Comma-separated names of the set bits, '-' for none. `first`: the bit that was set first, where the list's order is not the order of events. */
export function formatFlags(bits: number, long = false, first = 0): string {
  if (bits === 0) return '-';
  const out: string[] = [];
  if (first !== 0) { bits &= ~first; out.push(RESPONSE_FLAGS[Math.log2(first)]![long ? 1 : 0]); }
  for (let i = 0; i < RESPONSE_FLAGS.length; i++) if (bits & 2 ** i) out.push(RESPONSE_FLAGS[i]![long ? 1 : 0]);
  return out.join(',');
}
