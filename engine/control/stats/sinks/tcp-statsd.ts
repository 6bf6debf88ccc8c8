// statsd by TCP to a host of a cluster: lines over one connection, which is opened when there is something to send and none is there. One that takes no bytes is
// closed at 16 MiB, counted in statsd.cx_overflow (Envoy: TcpStatsdSink).
import type { SocketSink, TransportSocket } from '../../../net/transport/transport.ts';
import type { LineCarrier } from './statsd-sink.ts';

const MOST_BYTES = 16 << 20, PIECE = 64 << 10;

export interface TcpStatsdEnv { /** A connection to a host of the cluster; null: it has none. */ connect(sink: SocketSink): TransportSocket | null; overflowed(): void }

export class TcpStatsd implements LineCarrier, SocketSink {
  private readonly env: TcpStatsdEnv;
  private socket: TransportSocket | null = null;
  private text = '';
  constructor(env: TcpStatsdEnv) { this.env = env; }

  add(line: string): void { this.text += `${line}\n`; if (this.text.length > PIECE) this.write(); }
  end(): void { this.write(); }
  close(): void { this.socket?.destroy('now'); this.socket = null; }

  private write(): void {
    const { text } = this;
    this.text = '';
    if (text === '') return;
    if (this.socket !== null && this.socket.pendingBytes > MOST_BYTES) { this.close(); this.env.overflowed(); return; }
    this.socket ??= this.env.connect(this);
    if (this.socket === null) return;
    const bytes = Buffer.from(text);
    this.socket.write(bytes, 0, bytes.length);
  }

  onConnect(): void {}
  onData(): void {}
  onEnd(): void { this.close(); }
  onClose(): void { this.socket = null; }
  onBlocked(): void {}
  onDrained(): void {}
}
