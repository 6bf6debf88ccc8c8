// The datagram part of the transport, over node:dgram for both implementations. A datagram is one call of the sink inside a turn; sends go out at once and are
// not told of: a datagram that cannot be sent is lost, as on the wire.
import { createSocket, type Socket } from 'node:dgram';
import { ipAddress, type Address, type IpAddress } from '../address.ts';

/** Bytes [start, end) are lent until this returns. */
export type DatagramSink = (bytes: Buffer, start: number, end: number, from: IpAddress) => void;

export interface DatagramOptions {
  /** Where to listen; null: an address of the system's, for sending. */
  readonly bind: Address | null;
  readonly family: 4 | 6;
  /** SO_REUSEPORT: every worker binds its own, and the kernel keeps a client with one of them. */
  readonly reusePort: boolean;
}

export interface DatagramSocket {
  readonly local: IpAddress;
  /** Sends a copy. `onError`: it could not be sent (errno name), not from inside this call. */
  send(bytes: Uint8Array, start: number, end: number, to: IpAddress): void;
  /** Told of errors of sending and receiving (errno name): ICMP answers and the like. */
  onError: (error: string) => void;
  close(): void;
}

/** Node would look up even addresses; these are none to look up. */
const lookup = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void): void => done(null, host, host.includes(':') ? 6 : 4);

class NodeDatagramSocket implements DatagramSocket {
  private readonly socket: Socket;
  private readonly enter: (work: () => void) => void;
  private readonly onClosed: (s: NodeDatagramSocket) => void;
  private closed = false;
  onError: (error: string) => void = () => {};
  local: IpAddress;
  constructor(socket: Socket, enter: (work: () => void) => void, sink: DatagramSink, onClosed: (s: NodeDatagramSocket) => void) {
    this.socket = socket; this.enter = enter; this.onClosed = onClosed;
    this.local = ipAddress('0.0.0.0', 0);
    socket.on('message', (b, from) => enter(() => { if (!this.closed) sink(b, 0, b.length, ipAddress(from.address, from.port)); }));
    socket.on('error', (e: NodeJS.ErrnoException) => this.failed(e));
  }
  private failed(e: NodeJS.ErrnoException): void { this.enter(() => { if (!this.closed) this.onError(e.code ?? 'EIO'); }); }
  send(bytes: Uint8Array, start: number, end: number, to: IpAddress): void {
    if (this.closed) return;
    this.socket.send(Uint8Array.prototype.slice.call(bytes, start, end), to.port, to.ip, (e) => { if (e !== null) this.failed(e); });
  }
  close(): void { if (!this.closed) { this.closed = true; this.socket.close(); this.onClosed(this); } }
}

/** The datagram sockets of one transport. `enter` runs work as (part of) a turn. */
export class Datagrams {
  private readonly enter: (work: () => void) => void;
  private readonly sockets = new Set<DatagramSocket>();
  constructor(enter: (work: () => void) => void) { this.enter = enter; }

  /** Resolves to an errno name on failure. */
  open(o: DatagramOptions, sink: DatagramSink): Promise<DatagramSocket | { readonly error: string }> {
    const socket = createSocket({ type: o.family === 6 ? 'udp6' : 'udp4', reusePort: o.reusePort, lookup: lookup as never, ipv6Only: o.family === 6 });
    const made = new NodeDatagramSocket(socket, this.enter, sink, (s) => this.sockets.delete(s));
    this.sockets.add(made);
    return new Promise((resolve) => {
      socket.once('error', (e: NodeJS.ErrnoException) => { made.close(); resolve({ error: e.code ?? 'EIO' }); });
      socket.once('listening', () => { const a = socket.address(); made.local = ipAddress(a.address, a.port); resolve(made); });
      if (o.bind !== null && o.bind.kind === 'ip') socket.bind({ address: o.bind.ip, port: o.bind.port, exclusive: true }); else socket.bind({ exclusive: true });
    });
  }
  close(): void { for (const s of [...this.sockets]) s.close(); }
}
