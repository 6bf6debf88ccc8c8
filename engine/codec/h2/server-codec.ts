// HTTP/2 from the server's side: requests come in as streams, any number at once (RFC 9113, RFC 8441). The owner flushes once a turn.
import type { PeerFault } from '../../base/fault.ts';
import type { RequestHeaders } from '../../headers/headers.ts';
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import type { CodecOutput, ServerCodec, ServerHost } from '../codec.ts';
import { H2Connection, headReader, type H2Owner } from './connection.ts';
import { H2_FAULT } from './faults.ts';
import { ERROR, PREFACE } from './frames.ts';
import { serverSettings, type Settings } from './own-settings.ts';
import { H2ServerStream } from './server-stream.ts';
import type { H2Stream } from './stream.ts';

/** What a server's connection needs of its owner beside that. */
export interface H2ServerOwner extends H2Owner { nowMs(): number }

const ALL_STREAMS = 0x7fffffff;
const OK = -1;

export class H2ServerCodec extends H2Connection implements ServerCodec {
  protected readonly side = 'downstream';
  private readonly host: ServerHost;
  /** Octets of the preface that were seen. */
  private preface = 0;
  /** Streams above are not served: the last one named in a GOAWAY. */
  private served = ALL_STREAMS;
  /** Highest stream of those. */
  private ignored = 0;

  private readonly clock: H2ServerOwner;

  constructor(host: ServerHost, output: CodecOutput, options: Http2OptionsPlan, owner: H2ServerOwner) { super(output, options, owner, true); this.host = host; this.clock = owner; }

  protected settings(): Settings { return serverSettings(this.options); }

  receive(bytes: Buffer, start: number, end: number): PeerFault | null {
    let at = start;
    while (this.preface < PREFACE.length) {
      if (at === end) { this.start(); return null; }
      if (bytes[at++] !== PREFACE[this.preface++]) { this.start(); this.fail(H2_FAULT.protocol); return H2_FAULT.protocol.downstream; }
    }
    return this.feed(bytes, at, end);
  }

  // A half-closed client gets no answers: Envoy closes too.
  receiveEnd(): void { this.close(); this.host.onConnectionClose('now', null); }
  close(): void { this.lose(); }

  /** Says that the end is near: GOAWAY with the highest id, so that requests on their way are still served (section 6.8). */
  announceShutdown(): void { if (this.state !== 'closed' && this.served === ALL_STREAMS) { this.start(); this.writer.goAway(ALL_STREAMS, ERROR.NO_ERROR); } }

  shutdown(): void {
    if (this.state === 'closed' || this.served !== ALL_STREAMS) return;
    this.start();
    this.served = this.lastPeerStream;
    this.writer.goAway(this.lastPeerStream, ERROR.NO_ERROR);
    this.owner.count('goaway_sent', 1); // in Envoy neither the notice nor a fault counts
    this.leaveIfDone();
  }

  private leaveIfDone(): void {
    if (this.served === ALL_STREAMS || this.streams.size > 0 || this.state === 'closed') return;
    this.state = 'closed';
    this.flush();
    this.host.onConnectionClose('flush', null);
  }

  protected kindOf(s: H2Stream | undefined): 'request' | 'trailers' { return s === undefined ? 'request' : 'trailers'; }
  protected isIdle(id: number): boolean { return (id & 1) === 0 || id > Math.max(this.lastPeerStream, this.ignored); }

  protected onHead(id: number, known: H2Stream | undefined, endStream: boolean): number {
    if (known !== undefined) return this.onTrailersBlock(known as H2ServerStream, endStream);
    if ((id & 1) === 0) return ERROR.PROTOCOL_ERROR;
    if (id <= this.lastPeerStream) {
      const by = this.ended.how(id);
      return by === 'ours' ? OK : by === 'theirs' ? ERROR.STREAM_CLOSED : ERROR.PROTOCOL_ERROR;
    }
    if (id > this.served) {
      // On its way when we said goodbye: the client knows that it was not seen. Its body is let pass.
      if (id > this.ignored) { this.ignored = id; this.ended.add(id, true); }
      return OK;
    }
    this.lastPeerStream = id;
    this.guard.opened++;
    if (this.streams.size >= this.options.maxConcurrentStreams) {
      this.owner.count('stream_refused_errors', 1);
      this.writer.controlFrames++;
      this.writer.reset(id, ERROR.REFUSED_STREAM);
      return this.guard.forcedReset() ? this.fail(H2_FAULT.forcedResets) : OK;
    }
    const s = new H2ServerStream(this, id, endStream ? 'half-remote' : 'open');
    s.bytesReceived = s.headerBytesReceived = headReader.wire;
    this.streams.set(id, s);
    this.owner.count('streams_active', 1);
    s.sink = this.host.onStream(s);
    if (headReader.dropped > 0) this.owner.count('dropped_headers_with_underscores', headReader.dropped);
    const { fault, length } = headReader;
    if (fault !== null) return this.messageFault(s, fault);
    if (length > 0 && endStream) return this.messageFault(s, H2_FAULT.message);
    const headers = headReader.headers as RequestHeaders;
    s.expected = length;
    s.headed = true;
    s.isConnect = headers.method === 'CONNECT' || headers.protocol !== '';
    s.isUpgrade = headers.protocol !== '';
    s.sink.onHeaders(headers, endStream);
    return OK;
  }

  private onTrailersBlock(s: H2ServerStream, endStream: boolean): number {
    if (s.remoteOver) return this.fail(H2_FAULT.streamClosed, s);
    this.owner.count('trailers', 1);
    if (headReader.fault !== null) return this.messageFault(s, headReader.fault);
    if (!endStream) return this.messageFault(s, H2_FAULT.message);
    if (s.expected >= 0 && s.got !== s.expected) return this.messageFault(s, H2_FAULT.message);
    const trailers = headReader.headers;
    this.endRemote(s);
    if (trailers.size > 0) s.sink!.onTrailers(trailers); else s.sink!.onData(EMPTY, 0, 0, true);
    this.settle(s);
    return OK;
  }

  protected deliver(s: H2Stream, bytes: Buffer, start: number, end: number, last: boolean): void { (s as H2ServerStream).sink!.onData(bytes, start, end, last); }
  protected onPeerGoAway(_lastStream: number, _code: number): void { this.host.onGoAway(); }
  protected onPeerReset(s: H2Stream, _code: number): void { s.lost('remote', null); }
  protected override manyResets(): boolean { return this.guard.resetFrame(this.clock.nowMs()); }
  protected onFault(fault: PeerFault): void { this.host.onConnectionClose('flush', fault); }
  protected onRelease(_s: H2Stream): void { this.leaveIfDone(); }
}

const EMPTY = Buffer.alloc(0);
