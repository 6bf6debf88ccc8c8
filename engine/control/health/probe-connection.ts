// A probe's HTTP connection: a socket and a client codec over it. One exchange at a time; the owner hears of the exchange through its ResponseSink and of the
// connection's end here. Requests written before the connection is there are queued by the socket.
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, ClientStream, CodecOutput, ResponseSink } from '../../codec/codec.ts';
import type { Address } from '../../net/address.ts';
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import type { ProbeConnector } from './probe.ts';

export interface ConnectionOwner {
  /** The exchange is whole; `reusable` false: the connection is closed. */
  onExchangeDone(reusable: boolean): void;
  /** The connection is gone. */
  onGone(): void;
  /** The host takes no new exchange; without this the connection ends at once. */
  onGoAway?(): void;
}

export class ProbeConnection implements SocketSink, CodecOutput, ClientHost {
  private socket: TransportSocket | null;
  private readonly codec: ClientCodec;
  private owner: ConnectionOwner | null;

  constructor(address: Address, connector: ProbeConnector, makeCodec: (host: ClientHost, output: CodecOutput) => ClientCodec, owner: ConnectionOwner) {
    this.owner = owner;
    this.socket = connector.connect(address, this);
    this.codec = makeCodec(this, this);
  }

  open(sink: ResponseSink): ClientStream | 'full' { return this.codec.open(sink); }

  /** Closes from our side; no call comes any more. */
  destroy(): void {
    this.owner = null;
    this.end('');
  }

  private end(error: string): void {
    const { socket, owner } = this;
    if (socket === null) return;
    this.socket = this.owner = null;
    socket.destroy('now');
    this.codec.close(error);
    owner?.onGone();
  }

  // SocketSink
  onConnect(): void {}
  onData(bytes: Buffer, start: number, end: number): void { if (this.codec.receive(bytes, start, end) !== null) this.end(''); }
  onEnd(): void { this.codec.receiveEnd(); this.end(''); }
  onClose(error: string): void { this.end(error); }
  onBlocked(): void { this.codec.onBlocked(); }
  onDrained(): void { this.codec.onDrained(); }

  // CodecOutput
  writeLatin1(text: string): void { this.socket?.writeLatin1(text); }
  write(bytes: Uint8Array, start: number, end: number): void { this.socket?.write(bytes, start, end); }
  pauseReading(): void { this.socket?.pause(); }
  resumeReading(): void { this.socket?.resume(); }

  // ClientHost
  onStreamDone(reusable: boolean): void { this.owner?.onExchangeDone(reusable); }
  onConnectionClose(_how: 'flush' | 'now', _fault: PeerFault | null): void { this.end(''); }
  onGoAway(): void { if (this.owner?.onGoAway === undefined) this.end(''); else this.owner.onGoAway(); }
}
