// HTTP/2 from the client's side: many exchanges on one connection, as many as the peer lets. The owner (a pool's connection) calls `start` when there is a socket to
// write to, flushes once a turn, and is told of every end of a stream, of GOAWAY and of changed limits.
import type { PeerFault } from '../../base/fault.ts';
import type { ResponseHeaders } from '../../headers/headers.ts';
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import type { ClientCodec, ClientHost, CodecOutput, ResetReason, ResponseSink } from '../codec.ts';
import { H2ClientStream } from './client-stream.ts';
import { H2Connection, headReader, type H2Owner } from './connection.ts';
import { H2_FAULT, type H2Fault } from './faults.ts';
import { ERROR } from './frames.ts';
import { clientSettings, type Settings } from './own-settings.ts';
import type { H2Stream } from './stream.ts';

const OK = -1;
const LAST_ID = 0x7fffffff;

/** What a peer's RST_STREAM says by its code, where it says more than that. */
const BY_CODE: { readonly [code: number]: ResetReason } = { [ERROR.PROTOCOL_ERROR]: 'protocol-error', [ERROR.REFUSED_STREAM]: 'refused', [ERROR.CONNECT_ERROR]: 'connect-error' };

export class H2ClientCodec extends H2Connection implements ClientCodec {
  protected readonly side = 'upstream';
  private readonly host: ClientHost;
  private nextId = 1;
  /** Exchanges that were opened, their HEADERS perhaps still to come. */
  private exchanges = 0;
  private goneAway = false;

  constructor(host: ClientHost, output: CodecOutput, options: Http2OptionsPlan, owner: H2Owner) { super(output, options, owner, false); this.host = host; }

  protected settings(): Settings { return clientSettings(this.options); }

  override get activeStreams(): number { return this.exchanges; }
  /** Exchanges that the connection takes at a time, as far as is known by now. */
  get streamLimit(): number { return Math.min(this.options.maxConcurrentStreams, this.peer.maxStreams); }
  /** No exchange can be opened here any more: the peer said goodbye, or the ids are used up. */
  get exhausted(): boolean { return this.goneAway || this.state === 'closed' || this.nextId > LAST_ID; }

  open(sink: ResponseSink): H2ClientStream | 'full' {
    if (this.exhausted || this.exchanges >= this.streamLimit) return 'full';
    this.exchanges++;
    this.guard.opened++;
    return new H2ClientStream(this, sink);
  }

  /** @internal The stream's HEADERS go out: ids follow their order (section 5.1.1). */
  begin(s: H2ClientStream): boolean {
    if (this.exhausted) return false;
    this.start();
    s.id = this.nextId;
    this.nextId += 2;
    s.sendWindow = this.peer.initialWindow;
    this.streams.set(s.id, s);
    this.owner.count('streams_active', 1);
    return true;
  }

  receive(bytes: Buffer, start: number, end: number): PeerFault | null { return this.feed(bytes, start, end); }

  receiveEnd(): void {
    if (this.state === 'closed') return;
    this.lose();
    this.host.onConnectionClose('now', null);
  }
  close(_error: string): void { this.lose(); }

  protected kindOf(s: H2Stream | undefined): 'response' | 'trailers' { return s !== undefined && s.headed ? 'trailers' : 'response'; }
  protected isIdle(id: number): boolean { return (id & 1) === 0 || id >= this.nextId; }

  protected onHead(id: number, known: H2Stream | undefined, endStream: boolean): number {
    if (known === undefined) return this.isIdle(id) ? ERROR.PROTOCOL_ERROR : OK; // of a stream that is over: Envoy lets it pass
    const s = known as H2ClientStream;
    if (s.remoteOver) return this.fail(H2_FAULT.streamClosed, s);
    const { fault, headers, length } = headReader;
    if (fault === H2_FAULT.headersTooLarge || fault === H2_FAULT.tooManyHeaders) return this.tooMuch(s, fault);
    if (fault !== null) return this.messageFault(s, fault);
    if (s.headed) {
      this.owner.count('trailers', 1);
      if (!endStream) return this.messageFault(s, H2_FAULT.message);
      if (s.expected >= 0 && s.got !== s.expected) return this.messageFault(s, H2_FAULT.message);
      this.endRemote(s);
      if (headers.size > 0) s.sink.onTrailers(headers); else s.sink.onData(EMPTY, 0, 0, true);
      this.settle(s);
      return OK;
    }
    const response = headers as ResponseHeaders;
    if (response.status < 200) {
      // 101 does not exist here (section 8.6), and no 1xx ends a stream.
      if (endStream || response.status === 101) return this.messageFault(s, H2_FAULT.message);
      s.sink.onInformational(response);
      return OK;
    }
    if (length > 0 && endStream && !s.bodiless(response.status)) return this.streamFault(s, H2_FAULT.length);
    s.headed = true;
    s.expected = s.bodiless(response.status) ? -1 : length;
    s.adapt(response);
    if (endStream) this.endRemote(s);
    s.sink.onHeaders(response, endStream);
    if (endStream) this.settle(s);
    return OK;
  }

  /** A head beyond our limits: not the answer's fault in Envoy's eyes, it looks like a reset by the host. */
  private tooMuch(s: H2ClientStream, fault: H2Fault): number {
    this.owner.count(fault.stat!, 1);
    s.lost('remote', null, fault.code);
    return OK;
  }

  protected deliver(s: H2Stream, bytes: Buffer, start: number, end: number, last: boolean): void { (s as H2ClientStream).sink.onData(bytes, start, end, last); }

  protected onPeerGoAway(lastStream: number, _code: number): void {
    const first = !this.goneAway;
    this.goneAway = true;
    // What the peer has not seen may be sent again elsewhere (section 6.8).
    for (const s of this.streams.values()) if (s.id > lastStream) s.lost('refused', null);
    if (first) this.host.onGoAway();
  }

  protected onPeerReset(s: H2Stream, code: number): void {
    // A whole answer whose request is not wanted any further (section 8.1) has ended well.
    if (s.state === 'half-remote') { s.close(-1); return; }
    s.lost(BY_CODE[code] ?? 'remote', null);
  }
  protected onFault(fault: PeerFault): void { this.host.onConnectionClose('flush', fault); }
  protected override onSettingsSeen(): void { this.host.onStreamLimit?.(); }

  protected onRelease(_s: H2Stream): void {
    this.exchanges--;
    if (this.state !== 'closed') this.host.onStreamDone(!this.exhausted);
  }
}

const EMPTY = Buffer.alloc(0);
