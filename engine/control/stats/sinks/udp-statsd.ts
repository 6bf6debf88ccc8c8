// statsd by UDP: a datagram for each line, or as many lines as fit into one (max_bytes_per_datagram). What cannot be sent is lost, as on the wire.
import type { IpAddress } from '../../../net/address.ts';
import type { DatagramSocket } from '../../../net/transport/datagrams.ts';
import type { Transport } from '../../../net/transport/transport.ts';
import { timerType, type StatSink } from './stat-flush.ts';
import type { StatsdFormat } from './statsd-format.ts';

export class UdpStatsd implements StatSink {
  private readonly format: StatsdFormat;
  private readonly to: IpAddress;
  private readonly maxBytes: number;
  private socket: DatagramSocket | null = null;
  private closed = false;
  private lines = '';

  constructor(format: StatsdFormat, to: IpAddress, maxBytes: number, transport: Pick<Transport, 'datagrams'>) {
    this.format = format; this.to = to; this.maxBytes = maxBytes;
    void transport.datagrams({ bind: null, family: to.family, reusePort: false }, () => undefined).then((s) => { if ('error' in s) return; if (this.closed) s.close(); else this.socket = s; });
  }

  counter(name: string, delta: number): void { this.add(this.format.line(name, delta, 'c')); }
  gauge(name: string, value: number): void { this.add(this.format.line(name, value, 'g')); }
  samples(name: string, value: number, count: number): void { this.add(this.format.line(name, value, timerType(count))); }
  end(): void { this.send(this.lines); this.lines = ''; }
  close(): void { this.closed = true; this.socket?.close(); this.socket = null; }

  private add(line: string): void {
    if (line.length >= this.maxBytes) { this.send(line); return; }
    if (this.lines.length + line.length + 1 > this.maxBytes) this.end(); else if (this.lines !== '') this.lines += '\n';
    this.lines += line;
  }
  private send(text: string): void { if (text === '' || this.socket === null) return; const bytes = Buffer.from(text); this.socket.send(bytes, 0, bytes.length, this.to); }
}
