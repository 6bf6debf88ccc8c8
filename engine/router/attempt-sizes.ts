// What one attempt has carried, for clusters with track_cluster_stats.request_response_sizes (Envoy: UpstreamRequest's ClusterRequestResponseSizeStats). Made only there.
// Lines that belong to an HTTP/1 hop (connection, keep-alive, transfer-encoding) are not among the headers here, so they are not counted; Envoy counts those of answers.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import { SIZES } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';

/** Bytes of names and values, pseudo headers among them (HeaderMap::byteSize); names and values are Latin-1, so a character is a byte. */
function bytesOf(flat: readonly string[]): number {
  let n = 0;
  for (let i = 0; i < flat.length; i++) n += flat[i]!.length;
  return n;
}
const PSEUDO = [':method', ':path', ':authority', ':scheme', ':protocol'] as const;

export class AttemptSizes {
  private readonly stats: StatBlock;
  /** Body bytes, as they came to the connection and from it. */
  sent = 0;
  received = 0;
  private answerBytes = -1;
  private answerCount = 0;
  constructor(stats: StatBlock) { this.stats = stats; }

  /** As it came: what the router adds to it is not the upstream's. */
  noteAnswer(headers: ResponseHeaders): void { this.answerBytes = bytesOf(headers.flat) + ':status'.length + 3; this.answerCount = headers.size + 1; }

  /** The attempt is over. */
  record(request: RequestHeaders): void {
    const { stats } = this;
    let bytes = bytesOf(request.flat), count = request.size;
    for (const name of PSEUDO) { const value = request.get(name); if (value !== undefined && value !== '') { bytes += name.length + value.length; count++; } }
    stats.record(SIZES.upstream_rq_headers_size, bytes);
    stats.record(SIZES.upstream_rq_headers_count, count);
    stats.record(SIZES.upstream_rq_body_size, this.sent);
    if (this.answerBytes < 0) return;
    stats.record(SIZES.upstream_rs_headers_size, this.answerBytes);
    stats.record(SIZES.upstream_rs_headers_count, this.answerCount);
    stats.record(SIZES.upstream_rs_body_size, this.received);
  }
}
