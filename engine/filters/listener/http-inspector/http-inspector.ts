// http_inspector: whether a cleartext connection begins with HTTP, and of which version, for filter chains that match application protocols.
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { HTTP_INSPECTOR, HTTP_INSPECTOR_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** A request line longer than this is given up. */
const MOST = 64 * 1024;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

class HttpInspector implements ListenerFilter {
  private readonly stats: StatBlock;
  private readonly connection: PendingConnection;
  /** Bytes without a line feed, looked at before. */
  private seen = 0;
  constructor(stats: StatBlock, connection: PendingConnection) { this.stats = stats; this.connection = connection; }

  onAccept(): ListenerVerdict { return this.connection.facts.transportProtocol === 'raw_buffer' ? 'wait' : 'next'; }

  onData(bytes: Buffer, start: number, end: number): ListenerVerdict {
    const n = Math.min(end - start, PREFACE.length);
    if (bytes.compare(PREFACE, 0, n, start, start + n) === 0) return n < PREFACE.length ? 'wait' : this.found(HTTP_INSPECTOR.http2_found, 'h2c');
    const lf = bytes.subarray(start + this.seen, end).indexOf(10), line = bytes.latin1Slice(start, lf < 0 ? Math.min(end, start + 256) : start + this.seen + lf).replace(/\r$/, '');
    this.seen = lf < 0 ? end - start : this.seen;
    const space = line.indexOf(' ');
    // What cannot become a method is told at once: a client of another protocol may wait for an answer.
    if (!METHOD.test(space < 0 ? (lf < 0 ? line : ' ') : line.slice(0, space))) return this.none();
    if (lf < 0) { if (this.seen < MOST) return 'wait'; this.stats.inc(HTTP_INSPECTOR.read_error); return 'close'; }
    const version = /^\S+ +\S+ +HTTP\/(\d\.\d)$/.exec(line)?.[1];
    if (version === undefined) return this.none();
    return version === '1.1' ? this.found(HTTP_INSPECTOR.http11_found, 'http/1.1') : this.found(HTTP_INSPECTOR.http10_found, 'http/1.0');
  }

  private found(stat: number, protocol: string): 'next' { this.stats.inc(stat); this.connection.facts.requestedApplicationProtocols = [protocol]; return 'next'; }
  private none(): 'next' { this.stats.inc(HTTP_INSPECTOR.http_not_found); return 'next'; }
}

export class HttpInspectorFactory implements ListenerFilterFactory {
  private readonly stats: StatBlock;
  constructor(env: WorkerEnv) { this.stats = new StatBlock(env.stats, HTTP_INSPECTOR_SCHEMA, 'http_inspector'); }
  create(connection: PendingConnection): ListenerFilter { return new HttpInspector(this.stats, connection); }
}
