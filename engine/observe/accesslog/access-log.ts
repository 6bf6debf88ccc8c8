// An access logger as the stream machine sees it: something that is told of ended streams (or connections).
import type { StreamFacts } from '../stream-facts.ts';

export type AccessLogType = 'NotSet' | 'TcpUpstreamConnected' | 'TcpPeriodic' | 'TcpConnectionStart' | 'TcpConnectionEnd' | 'DownstreamStart' | 'DownstreamPeriodic' | 'DownstreamEnd' | 'UpstreamPoolReady' | 'UpstreamPeriodic' | 'UpstreamEnd' | 'DownstreamTunnelSuccessfullyEstablished' | 'UdpTunnelUpstreamConnected' | 'UdpPeriodic' | 'UdpSessionEnd';

export interface AccessLog {
  /** Applies the log's filter, formats and queues the line. Never throws, never blocks. */
  log(facts: StreamFacts, type: AccessLogType): void;
}
