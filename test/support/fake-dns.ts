// A DNS server on a loopback UDP port that says of every name what the test wants at the moment: addresses, no such name, a failure, or nothing.
import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** IPv4 addresses, or what the server does in their place. */
export type DnsAnswer = readonly string[] | 'no such name' | 'failure' | 'silence';

const HEADER = 12, TYPE_A = 1, CLASS_IN = 1, NAME_AT_HEADER = 0xc000 | HEADER, NO_ERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, ANSWERED = 0x8180;

export class FakeDns {
  port = 0;
  private readonly socket: Socket = createSocket('udp4');
  private now: DnsAnswer = [];
  /** Queries for an A record since the answer last changed, by name. */
  private readonly asked = new Map<string, number>();
  set(answer: DnsAnswer): void { this.now = answer; this.asked.clear(); }
  queries(name: string): number { return this.asked.get(name) ?? 0; }

  start(): Promise<this> {
    this.socket.on('message', (m, from) => { const reply = this.reply(m); if (reply !== null) this.socket.send(reply, from.port, from.address); });
    return new Promise((r) => this.socket.bind(0, '127.0.0.1', () => { this.port = (this.socket.address() as AddressInfo).port; r(this); }));
  }
  stop(): Promise<void> { return new Promise((r) => this.socket.close(() => r())); }

  /** RFC 1035 section 4: the header's flags and counts are set, the question repeated, one A record without a life time (TTL 0) for each address. */
  private reply(query: Buffer): Buffer | null {
    const labels: string[] = [];
    let at = HEADER;
    for (let n = query[at]!; n !== 0; n = query[at]!) { labels.push(query.toString('latin1', at + 1, at + 1 + n)); at += 1 + n; }
    const type = query.readUInt16BE(at + 1), name = labels.join('.').toLowerCase(), { now } = this;
    if (type === TYPE_A) this.asked.set(name, this.queries(name) + 1);
    if (now === 'silence') return null;
    const records = typeof now === 'string' || type !== TYPE_A ? [] : now;
    const head = Buffer.from(query.subarray(0, at + 5));
    head.writeUInt16BE(ANSWERED | (now === 'no such name' ? NXDOMAIN : now === 'failure' ? SERVFAIL : NO_ERROR), 2);
    head.writeUInt16BE(1, 4); head.writeUInt16BE(records.length, 6); head.writeUInt32BE(0, 8);
    return Buffer.concat([head, ...records.map((ip) => {
      const record = Buffer.alloc(16);
      record.writeUInt16BE(NAME_AT_HEADER, 0); record.writeUInt16BE(TYPE_A, 2); record.writeUInt16BE(CLASS_IN, 4); record.writeUInt16BE(4, 10);
      record.set(ip.split('.').map(Number), 12);
      return record;
    })]);
  }
}
