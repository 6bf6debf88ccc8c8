// The shape that h1, h2 and h3 share. Codecs do no I/O and know no sockets, clocks or promises: bytes come in through `receive`, bytes go out through the
// CodecOutput they were given, time comes as an argument. Never a throw for what a peer does: faults are values.
//
// Roles. Downstream a ServerCodec makes one ServerStream per request and asks its host for the RequestSink of it. Upstream a ClientCodec opens ClientStreams.
// All byte ranges are lent until the call returns. `end` true: nothing more follows in that direction (no trailers).
// Body back-pressure: a sink pauses a stream's incoming data with `pause(why)` / `resume(why)` by named reasons; a codec stream tells its writer side
// `onBlocked` / `onDrained` when what it has queued (h2 windows, socket) is above / below the marks.
import type { PeerFault } from '../base/fault.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';

export type HttpProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'HTTP/3';
/** Why reading of a body is paused; shown in debug dumps. */
export type PauseReason = 'downstream-full' | 'upstream-full' | 'upstream-wait' | 'filter' | 'upstream-filter' | 'answering' | 'drain';

/** Where a codec's bytes go: a socket, or a buffer in a test. */
export interface CodecOutput {
  writeLatin1(text: string): void;
  write(bytes: Uint8Array, start: number, end: number): void;
  /** Stops and restarts the bytes that come in (h1: the socket; h2 pauses single streams by not opening their windows). */
  pauseReading(): void;
  resumeReading(): void;
  /** h1: sends FIN after what is queued, which is how a CONNECT tunnel's direction ends; reading goes on. */
  endWriting?(): void;
  /** What was written and not yet taken by the kernel, bytes; left out: not known. */
  readonly pendingBytes?: number;
}

/** Why a stream ended before its time. */
export type ResetReason = 'local' | 'remote' | 'refused' | 'connection-failure' | 'connection-end' | 'overflow' | 'protocol-error' | 'connect-error' | 'no-error';

/** Names and values of a METADATA frame (h2/metadata.ts): about one hop, beside the message. */
export type MetadataMap = ReadonlyMap<string, string>;

/** Receives one request. Exactly one of: `end` seen on headers/data/trailers, or onReset. */
export interface RequestSink {
  /** The codec hands the headers object over; the sink owns it. */
  onHeaders(headers: RequestHeaders, end: boolean): void;
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  onTrailers(trailers: Headers): void;
  /** h2, where allow_metadata is set: at any time while the request is not whole. */
  onMetadata?(map: MetadataMap): void;
  /** The stream is gone: peer reset, connection closed, or a codec fault. Last call. */
  onReset(reason: ResetReason, fault: PeerFault | null): void;
  /** The response direction: what is queued towards the peer is over / under its mark. */
  onBlocked(): void;
  onDrained(): void;
  /** The response has left whole (all bytes given to the output) and the codec has let go of the stream. Last call unless onReset came. */
  onComplete(): void;
}

/** The server's side of one exchange: the response is written here. */
export interface ServerStream {
  readonly protocol: HttpProtocol;
  /** Who gets the request's events; another may take over once the request is whole. */
  sink: RequestSink | null;
  /** A 1xx head (not 101). */
  informational(headers: ResponseHeaders): void;
  headers(headers: ResponseHeaders, end: boolean): void;
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  trailers(trailers: Headers): void;
  /** At any time before the response is whole. Left out: the protocol has none. */
  metadata?(map: MetadataMap): void;
  /** Ends the exchange now. h1: the connection closes after what was written; h2: RST_STREAM. No callback comes any more. */
  reset(reason: ResetReason): void;
  pause(why: PauseReason): void;
  resume(why: PauseReason): void;
  /** h1: no further request on this connection (`connection: close` is written with the head if it is still to come). h2: none. */
  closeAfter(): void;
  /** Bytes of this exchange that wait to be sent. h1 server: not told. */
  readonly queuedBytes: number;
  /** Whole bytes of header and body as they went over the wire so far, for access logs. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes of header fields, as Envoy counts them. h1: without the first line; one separator a line on the way in, two on the way out. h2: of the compressed block. */
  readonly headerBytesReceived: number;
  readonly headerBytesSent: number;
}

/** What a server codec needs of its owner, the connection manager's connection. */
export interface ServerHost {
  /** A request begins (its first byte was seen for h1, HEADERS for h2). */
  onStream(stream: ServerStream): RequestSink;
  /**
   * The codec wants the connection closed: 'flush' after what it wrote, and with time for a peer that may still be sending (delayed close); 'done' after what it wrote, the
   * exchange being whole on both sides; 'now'. Faults that deserve an answer were answered through the stream's onReset or `answerFault`.
   */
  onConnectionClose(how: 'flush' | 'done' | 'now', fault: PeerFault | null): void;
  /**
   * A head could not be understood, so no request will come of it. The owner answers with a local reply of `fault.status` on `stream` (headers and body as Envoy's),
   * which the codec sends with `connection: close`.
   */
  onBadRequest(stream: ServerStream, fault: PeerFault): void;
  /** GOAWAY or like was seen. */
  onGoAway(): void;
}

export interface ServerCodec {
  readonly protocol: HttpProtocol;
  /** Feeds bytes. A returned fault ends the connection (after what was written is flushed). */
  receive(bytes: Buffer, start: number, end: number): PeerFault | null;
  /** The peer sent FIN. */
  receiveEnd(): void;
  /** The socket is gone; all streams get onReset. */
  close(): void;
  /** Socket marks: what was written is (no longer) stuck. */
  onBlocked(): void;
  onDrained(): void;
  /** Says that `shutdown` will follow: h2 GOAWAY that refuses nothing yet; h1 nothing. */
  announceShutdown(): void;
  /** Begins a graceful end: h1 `connection: close` on the next response, h2 GOAWAY; the connection ends with the last exchange. */
  shutdown(): void;
  /** Exchanges under way. */
  readonly activeStreams: number;
}

/** Receives one response. Exactly one of: `end` seen, or onReset. */
export interface ResponseSink {
  onInformational(headers: ResponseHeaders): void;
  onHeaders(headers: ResponseHeaders, end: boolean): void;
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  onTrailers(trailers: Headers): void;
  /** h2, where allow_metadata is set: before the head too. */
  onMetadata?(map: MetadataMap): void;
  onReset(reason: ResetReason, fault: PeerFault | null): void;
  onBlocked(): void;
  onDrained(): void;
}

/** Where one request is written. */
export interface RequestWriter {
  headers(headers: RequestHeaders, end: boolean): void;
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  trailers(trailers: Headers): void;
  /** Behind the head, before the request is whole. Left out: the protocol has none. */
  metadata?(map: MetadataMap): void;
}

/** The client's side of one exchange: the request is written here. The same shape for all protocols (layout.md: RequestWriter). */
export interface ClientStream extends RequestWriter {
  readonly protocol: HttpProtocol;
  /** Gives up. h1: the connection is closed. No callback comes any more. */
  reset(reason: ResetReason): void;
  pause(why: PauseReason): void;
  resume(why: PauseReason): void;
  /** Bytes of this exchange that wait to be sent. h1: those of its connection. */
  readonly queuedBytes: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly headerBytesReceived: number;
  readonly headerBytesSent: number;
}

/** What a client codec needs of its owner, the pool's connection. */
export interface ClientHost {
  /** An exchange is over: h1, whole in both directions, `reusable` false: close this connection. h2, by whatever end; `reusable` false: no new exchange here, close after the last one. */
  onStreamDone(reusable: boolean): void;
  onConnectionClose(how: 'flush' | 'now', fault: PeerFault | null): void;
  /** h2: no new exchange here. Those that the peer has not seen were reset 'refused', the others go on. */
  onGoAway(): void;
  /** h2: the peer's limit of exchanges at a time was announced or has changed. */
  onStreamLimit?(): void;
}

export interface ClientCodec {
  readonly protocol: HttpProtocol;
  /** Opens an exchange; 'full' when the connection takes no more now. */
  open(sink: ResponseSink): ClientStream | 'full';
  /** Feeds bytes; bytes with no exchange open are a fault (the connection is closed, never reused). */
  receive(bytes: Buffer, start: number, end: number): PeerFault | null;
  /** FIN: ends a body that is delimited by the end of the connection; else a reset of what is open. */
  receiveEnd(): void;
  /** `error` is the errno name of the socket's end, '' for an orderly one. */
  close(error: string): void;
  onBlocked(): void;
  onDrained(): void;
  readonly activeStreams: number;
}
