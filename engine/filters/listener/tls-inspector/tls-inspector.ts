// tls_inspector: whether a connection begins with TLS, and which server name and protocols it asks for.
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { TLS_INSPECTOR, TLS_INSPECTOR_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { TlsInspectorPlan } from '../../../plan/listener-filter-plan.ts';
import { ClientHelloReader, type ClientHello, type HelloFault } from '../../../net/tls/client-hello.ts';
import { ja3, ja4 } from './fingerprints.ts';

const NAMESPACE = 'envoy.filters.listener.tls_inspector';
/** Error numbers of Envoy's TLS library. */
const CODES: Record<HelloFault, string> = {
  HTTP_REQUEST: '1000009c', WRONG_VERSION_NUMBER: '100000f7', UNEXPECTED_RECORD: '100000e0', UNEXPECTED_MESSAGE: '100000df', EXCESSIVE_MESSAGE_SIZE: '10000094', ENCRYPTED_LENGTH_TOO_LONG: '10000093', TOO_MANY_EMPTY_FRAGMENTS: '100000d6',
  CLIENTHELLO_PARSE_FAILED: '10000083', ERROR_PARSING_EXTENSION: '10000095',
};

class TlsInspector implements ListenerFilter {
  private readonly shared: TlsInspectorFactory;
  private readonly connection: PendingConnection;
  private readonly reader = new ClientHelloReader();

  constructor(shared: TlsInspectorFactory, connection: PendingConnection) { this.shared = shared; this.connection = connection; }

  onData(bytes: Buffer, start: number, end: number): ListenerVerdict {
    const { stats, plan } = this.shared, state = this.reader.read(bytes, start, end);
    if (state === 'done') { this.found(this.reader.hello!); stats.record(TLS_INSPECTOR.bytes_processed, this.reader.taken); return 'next'; }
    if (state === 'more') return end - start < plan.maxHelloBytes ? 'wait' : this.tooLarge();
    if (plan.closeOnError) return end - start >= plan.maxHelloBytes ? this.tooLarge() : 'close';
    stats.inc(TLS_INSPECTOR.tls_not_found);
    stats.record(TLS_INSPECTOR.bytes_processed, this.reader.taken);
    this.connection.setMetadata(NAMESPACE, { failure_reason: 'ClientHelloNotDetected' });
    const { fault } = this.reader;
    this.connection.facts.transportFailure = `TLS_error|error:${CODES[fault]}:SSL routines:OPENSSL_internal:${fault}:TLS_error_end`;
    return 'next';
  }

  private tooLarge(): 'close' {
    this.shared.stats.inc(TLS_INSPECTOR.client_hello_too_large);
    this.connection.setMetadata(NAMESPACE, { failure_reason: 'ClientHelloTooLarge' });
    return 'close';
  }

  private found(hello: ClientHello): void {
    const { stats, plan } = this.shared, { facts } = this.connection;
    stats.inc(TLS_INSPECTOR.tls_found);
    facts.transportProtocol = 'tls';
    stats.inc(hello.serverName === '' ? TLS_INSPECTOR.sni_not_found : TLS_INSPECTOR.sni_found);
    facts.serverName = hello.serverName;
    stats.inc(hello.alpn === null ? TLS_INSPECTOR.alpn_not_found : TLS_INSPECTOR.alpn_found);
    if (hello.alpn !== null) facts.requestedApplicationProtocols = hello.alpn;
    if (plan.ja3) facts.ja3 = ja3(hello);
    if (plan.ja4) facts.ja4 = ja4(hello);
  }
}

export class TlsInspectorFactory implements ListenerFilterFactory {
  readonly plan: TlsInspectorPlan;
  readonly stats: StatBlock;
  constructor(plan: TlsInspectorPlan, env: WorkerEnv) { this.plan = plan; this.stats = new StatBlock(env.stats, TLS_INSPECTOR_SCHEMA, 'tls_inspector'); }
  create(connection: PendingConnection): ListenerFilter { return new TlsInspector(this, connection); }
}
