// CONNECT-UDP ended here (RFC 9298; Envoy: UdpUpstream): a UDP socket towards the host in the shape of an upstream stream. The request's body is capsules whose datagrams
// go to the host, the host's datagrams are capsules of the body of an answer that is given at once. It ends with the client's stream or by its idle timeout, never by the host.
import { CapsuleReader, capsuleOf } from '../base/capsules.ts';
import { fault } from '../base/fault.ts';
import type { ClientStream, HttpProtocol, PauseReason, ResetReason, ResponseSink } from '../codec/codec.ts';
import { ResponseHeaders } from '../headers/headers.ts';
import type { Address, IpAddress } from '../net/address.ts';
import type { DatagramSocket } from '../net/transport/datagrams.ts';
import type { WorkerEnv } from '../net/worker-env.ts';

/** Datagrams kept while the socket opens. */
const LIMIT = 64;
const BAD_CAPSULE = fault('upstream', 'UPE', 'protocol_error');

export class UdpStream implements ClientStream {
  readonly protocol: HttpProtocol = 'HTTP/1.1';
  private readonly env: WorkerEnv;
  private readonly host: IpAddress;
  private readonly sink: ResponseSink;
  private readonly status: number;
  private readonly capsules = new CapsuleReader((b, s, e) => this.toHost(b, s, e));
  private readonly pauses = new Set<PauseReason>();
  private state: 'open' | 'over' = 'open';
  private answered = false;
  private socket: DatagramSocket | null = null;
  private waiting: Buffer[] = [];
  readonly headerBytesReceived = 0; readonly headerBytesSent = 0; readonly queuedBytes = 0;
  bytesReceived = 0; bytesSent = 0;

  /** `downstream`: HTTP/1.1 is told of a switch (RFC 9298 section 3.3), where Envoy says 200. */
  constructor(env: WorkerEnv, host: IpAddress, sink: ResponseSink, downstream: HttpProtocol) {
    this.env = env; this.host = host; this.sink = sink;
    this.status = downstream === 'HTTP/1.1' ? 101 : 200;
    void env.transport.datagrams({ bind: null, family: host.family, reusePort: false }, (b, s, e, from) => this.fromHost(b, s, e, from)).then((opened) => { this.opened(opened); });
  }

  /** Whether it can go to that address. */
  static takes(a: Address): a is IpAddress { return a.kind === 'ip'; }

  private opened(opened: DatagramSocket | { readonly error: string }): void {
    if ('error' in opened) { this.cut('connection-failure'); return; }
    if (this.state === 'over') { opened.close(); return; }
    this.socket = opened;
    for (const b of this.waiting) opened.send(b, 0, b.length, this.host);
    this.waiting = [];
  }

  /** Nothing of the head goes up; the answer comes after this stack, as from a codec. */
  headers(): void { this.env.later.soon(() => { this.answer(); }); }
  private answer(): void {
    if (this.answered || this.state === 'over') return;
    this.answered = true;
    const h = new ResponseHeaders();
    h.status = this.status;
    if (this.status === 101) { h.add('connection', 'upgrade'); h.add('upgrade', 'connect-udp'); }
    h.add('capsule-protocol', '?1');
    this.sink.onHeaders(h, false);
  }

  /** The request's end is none of the tunnel: answers to its last datagrams are to come (as in Envoy). */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.state === 'over') return;
    this.bytesSent += end - start;
    const b = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (end > start && !this.capsules.feed(b, start, end)) this.env.later.soon(() => this.cut('protocol-error'));
  }
  trailers(): void { /* as above */ }
  private toHost(bytes: Buffer, start: number, end: number): void {
    if (this.socket !== null) this.socket.send(bytes, start, end, this.host);
    else if (this.waiting.length < LIMIT) this.waiting.push(Buffer.from(bytes.subarray(start, end)));
  }

  /** A datagram of the host: others' are none of ours. While the client takes no more they are lost, as on the wire. */
  private fromHost(bytes: Buffer, start: number, end: number, from: IpAddress): void {
    if (this.state === 'over' || from.port !== this.host.port || from.ip !== this.host.ip || this.pauses.size > 0) return;
    this.answer();
    if ((this.state as string) === 'over') return;
    const capsule = capsuleOf(bytes, start, end);
    this.bytesReceived += capsule.length;
    this.sink.onData(capsule, 0, capsule.length, false);
  }

  private cut(reason: ResetReason): void {
    if (this.state === 'over') return;
    this.over();
    this.sink.onReset(reason, reason === 'protocol-error' ? BAD_CAPSULE : null);
  }
  reset(_reason: ResetReason): void { this.over(); }
  private over(): void { this.state = 'over'; this.socket?.close(); this.socket = null; this.waiting = []; }
  pause(why: PauseReason): void { this.pauses.add(why); }
  resume(why: PauseReason): void { this.pauses.delete(why); }
}
