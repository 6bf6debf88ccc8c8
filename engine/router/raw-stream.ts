// CONNECT (or POST) ended here (Envoy: TcpUpstream): a raw connection in the shape of an upstream stream. The request's body is its bytes upward, its bytes downward are
// the body of a 200 that is given as soon as the connection is there. Either side may end first (FIN); the connection ends with both.
import type { ClientStream, HttpProtocol, PauseReason, ResetReason, ResponseSink } from '../codec/codec.ts';
import { ResponseHeaders, type Headers } from '../headers/headers.ts';
import type { Later } from '../loop/later.ts';
import type { SocketSink } from '../net/transport/transport.ts';
import type { RawUpstream } from '../upstream/upstream.ts';

const NOTHING = new Uint8Array(0);

export class RawStream implements ClientStream, SocketSink {
  readonly protocol: HttpProtocol = 'HTTP/1.1';
  private readonly upstream: RawUpstream;
  private readonly sink: ResponseSink;
  private readonly later: Later;
  private readonly pauses = new Set<PauseReason>();
  private state: 'open' | 'sent' | 'received' | 'over' = 'open';
  private answered = false;
  readonly headerBytesReceived = 0;
  readonly headerBytesSent = 0;
  get queuedBytes(): number { return this.state === 'over' ? 0 : this.upstream.socket.pendingBytes; }
  bytesReceived = 0;
  bytesSent = 0;

  constructor(upstream: RawUpstream, sink: ResponseSink, later: Later) {
    this.upstream = upstream; this.sink = sink; this.later = later;
    upstream.sink = this;
  }

  /** Nothing of the head goes up; the answer comes after this stack, as from a codec, and before any byte. */
  headers(): void { this.later.soon(() => { this.answer(); }); }
  private answer(): void {
    if (this.answered || this.state === 'over') return;
    this.answered = true;
    const h = new ResponseHeaders();
    h.status = 200;
    this.sink.onHeaders(h, false);
  }
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'open' && this.state !== 'received') return;
    this.bytesSent += end - start;
    if (end > start) this.upstream.socket.write(bytes, start, end);
    if (last) this.sentAll();
  }
  trailers(_trailers: Headers): void { if (this.state === 'open' || this.state === 'received') this.sentAll(); }
  private sentAll(): void {
    if (this.state === 'received') { this.over('flush'); return; }
    this.state = 'sent';
    this.upstream.socket.end();
  }
  reset(_reason: ResetReason): void { if (this.state !== 'over') this.over('reset'); }
  private over(how: 'flush' | 'reset'): void { this.state = 'over'; this.upstream.close(how); }

  pause(why: PauseReason): void { this.pauses.add(why); this.upstream.socket.pause(); }
  resume(why: PauseReason): void { if (this.pauses.delete(why) && this.pauses.size === 0 && this.state !== 'over') this.upstream.socket.resume(); }

  // SocketSink
  onConnect(): void { /* it was */ }
  onData(bytes: Buffer, start: number, end: number): void {
    this.answer();
    if (this.state === 'over') return;
    this.bytesReceived += end - start;
    this.sink.onData(bytes, start, end, false);
  }
  onEnd(): void {
    this.answer();
    if (this.state === 'over' || this.state === 'received') return;
    const whole = this.state === 'sent';
    this.state = 'received';
    this.sink.onData(NOTHING, 0, 0, true);
    // The owner may have ended it in that call.
    if (whole && (this.state as string) !== 'over') this.over('flush');
  }
  onBlocked(): void { this.sink.onBlocked(); }
  onDrained(): void { this.sink.onDrained(); }
  onClose(_error: string): void {
    const { state } = this;
    this.state = 'over';
    if (state === 'open' || state === 'sent') this.sink.onReset('connection-end', null);
  }
}
