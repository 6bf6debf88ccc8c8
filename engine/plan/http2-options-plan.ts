// Http2ProtocolOptions as the codec takes them (Envoy: config.core.v3.Http2ProtocolOptions), with Envoy's defaults filled in.

/** connection_keepalive; times in ms. */
export interface KeepalivePlan {
  /** Between pings; 0: none at an interval. */
  readonly intervalMs: number;
  /** An answer must come within. */
  readonly timeoutMs: number;
  /** Part of the interval that is added at random, percent. */
  readonly jitterPercent: number;
  /** A request on a connection that was idle this long sends a ping first; 0: never. */
  readonly idleIntervalMs: number;
}

export interface Http2OptionsPlan {
  readonly hpackTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialStreamWindowSize: number;
  readonly initialConnectionWindowSize: number;
  readonly allowConnect: boolean;
  /** METADATA frames are taken and sent; most of one stream's, bytes. 0: they are passed over. */
  readonly maxMetadataBytes: number;
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  readonly maxConsecutiveInboundFramesWithEmptyPayload: number;
  readonly maxInboundPriorityFramesPerStream: number;
  readonly maxInboundWindowUpdateFramesPerDataFrameSent: number;
  readonly streamErrorOnInvalidHttpMessage: boolean;
  readonly keepalive: KeepalivePlan | null;
  /** Strings are written in the Huffman code where it is shorter. */
  readonly huffman: boolean;
  /** Bytes above 127 may stand in values. */
  readonly obsText: boolean;
  /** Sent before our own settings, as [identifier, value]; for one of ours the later value is what counts. */
  readonly customSettings: readonly (readonly [number, number])[];
  /** Longest name or value that is taken, bytes as it lies on the wire. */
  readonly maxHeaderFieldBytes: number;
  /** RST_STREAMs that a client may send: so many at once, and so many more a second (CVE-2023-44487). */
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  readonly maxHeadersKb: number;
  readonly maxHeadersCount: number;
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
}

export const HTTP2_DEFAULTS: Http2OptionsPlan = {
  hpackTableSize: 4096, maxConcurrentStreams: 1024, initialStreamWindowSize: 16 << 20, initialConnectionWindowSize: 24 << 20, allowConnect: false, maxMetadataBytes: 0,
  maxOutboundFrames: 10_000, maxOutboundControlFrames: 1000, maxConsecutiveInboundFramesWithEmptyPayload: 1, maxInboundPriorityFramesPerStream: 100, maxInboundWindowUpdateFramesPerDataFrameSent: 10,
  streamErrorOnInvalidHttpMessage: false, keepalive: null, huffman: true, obsText: true, customSettings: [], maxHeaderFieldBytes: 65_536, streamResetBurst: 1000, streamResetRate: 33, maxHeadersKb: 60, maxHeadersCount: 100, headersWithUnderscores: 'allow',
};
