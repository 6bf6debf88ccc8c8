// The router's upstream_log: access logs of attempts, told of each when its stream is open (where that is wanted) and when it is over.
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import type { ResponseHeaders } from '../headers/headers.ts';
import { StreamFacts, type UpstreamFacts } from '../observe/stream-facts.ts';

export class UpstreamLog {
  private readonly logs: readonly AccessLog[];
  /** flush_upstream_log_on_upstream_stream. */
  readonly atStart: boolean;
  constructor(logs: readonly AccessLog[], atStart: boolean) { this.logs = logs; this.atStart = atStart; }

  /** `of`: what is known of the request; `answer` null: none came. */
  log(type: 'UpstreamPoolReady' | 'UpstreamEnd', of: StreamFacts, up: UpstreamFacts, startMs: number, nowMs: number, answer: ResponseHeaders | null): void {
    const f = new StreamFacts(of.connection);
    f.request = of.request; f.protocol = of.protocol; f.remoteIp = of.remoteIp; f.remotePort = of.remotePort; f.remoteText = of.remoteText; f.requestId = of.requestId; f.originalPath = of.originalPath;
    f.routeName = of.routeName; f.virtualHostName = of.virtualHostName; f.virtualClusterName = of.virtualClusterName; f.routeMetadata = of.routeMetadata; f.virtualHostMetadata = of.virtualHostMetadata; f.routeResolutions = of.routeResolutions;
    f.cluster = of.cluster; f.metadata = of.metadata; f.filterState = of.filterState; f.healthCheck = of.healthCheck; f.internal = of.internal; f.traceSampled = of.traceSampled; f.traceId = of.traceId; f.requestBodyBytes = of.requestBodyBytes;
    f.startMs = startMs; f.startWallMs = of.startWallMs + (startMs - of.startMs); f.requestEndMs = of.requestEndMs; f.endMs = nowMs; f.firstTxMs = up.firstTxMs; f.lastTxMs = up.lastTxMs;
    f.ofAttempt = true; f.upstream = up; f.response = answer; f.status = answer?.status ?? 0; f.wireReceived = up.bytesReceived; f.wireSent = up.bytesSent;
    for (const l of this.logs) l.log(f, type);
  }
}
