// original_dst: where the client meant to go before it was redirected here becomes the connection's local address. On an internal listener the connection itself brings
// the addresses: metadata, or filter state, that internal_upstream has passed on.
import { formatAddress, parseHostPort, type IpAddress } from '../../../net/address.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import type { MetadataValue } from '../../../observe/stream-facts.ts';

const NAME = 'envoy.filters.listener.original_dst';

function restoreLocal({ facts }: PendingConnection, a: IpAddress): void {
  facts.localIp = a.ip; facts.localPort = a.port; facts.localText = formatAddress(a);
  facts.localRestored = true;
}

const parsed = (v: MetadataValue | undefined): IpAddress | null => (typeof v === 'string' ? parseHostPort(v) : null);

function fromConnection(connection: PendingConnection): void {
  const { facts, stream } = connection, given = stream.metadata?.get(NAME);
  const local = parsed(given?.['local'] ?? facts.filterState?.get(`${NAME}.local_ip`)), remote = parsed(given?.['remote'] ?? facts.filterState?.get(`${NAME}.remote_ip`));
  if (local !== null) restoreLocal(connection, local);
  if (remote !== null) { facts.remoteIp = remote.ip; facts.remotePort = remote.port; facts.remoteText = formatAddress(remote); }
}

class OriginalDst implements ListenerFilter {
  private readonly connection: PendingConnection;
  constructor(connection: PendingConnection) { this.connection = connection; }
  onAccept(): ListenerVerdict {
    const { socket } = this.connection;
    if (socket.local.kind === 'internal') { fromConnection(this.connection); return 'next'; }
    const to = socket.originalDestination;
    if (to !== null && to.kind === 'ip') restoreLocal(this.connection, to);
    return 'next';
  }
}

export class OriginalDstFactory implements ListenerFilterFactory {
  create(connection: PendingConnection): ListenerFilter { return new OriginalDst(connection); }
}
