// statsd by UDP: a datagram for each line, or as many lines as fit into one (max_bytes_per_datagram). What cannot be sent is lost, as on the wire.
import type { IpAddress } from '../../../net/address.ts';
import type { DatagramSocket } from '../../../net/transport/datagrams.ts';
import type { Transport } from '../../../net/transport/transport.ts';
import type { LineCarrier } from './statsd-sink.ts';

export class UdpStatsd implements LineCarrier {
  private readonly to: IpAddress;
  private readonly maxBytes: number;
  private socket: DatagramSocket | null = null;
  private closed = false;
  private lines = '';

  constructor(to: IpAddress, maxBytes: number, transport: Pick<Transport, 'datagrams'>) {
    this.to = to; this.maxBytes = maxBytes;
    void transport.datagrams({ bind: null, family: to.family, reusePort: false }, () => undefined).then((s) => { if ('error' in s) return; if (this.closed) s.close(); else this.socket = s; });
  }

  add(line: string): void {
    if (line.length >= this.maxBytes) { this.send(line); return; }
    if (this.lines.length + line.length + 1 > this.maxBytes) this.end(); else if (this.lines !== '') this.lines += '\n';
    this.lines += line;
  }
  end(): void { this.send(this.lines); this.lines = ''; }
  close(): void { this.closed = true; this.socket?.close(); this.socket = null; }
  private send(text: string): void { if (text === '' || this.socket === null) return; const bytes = Buffer.from(text); this.socket.send(bytes, 0, bytes.length, this.to); }
}
