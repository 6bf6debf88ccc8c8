// The gRPC HTTP filters.

export interface GrpcStatsPlan {
  /** Count messages, and leave the counts in the filter state. */
  readonly emitFilterState: boolean;
  /** Methods with stats of their own, as 'service/method'; null: all of them. Others count together. */
  readonly methods: readonly string[] | null;
  readonly upstreamTime: boolean;
  readonly replaceDots: boolean;
}

export interface GrpcHttp1BridgePlan {
  /** Requests of application/x-protobuf become gRPC ones. */
  readonly upgradeProtobuf: boolean;
  /** Such requests lose their query. */
  readonly ignoreQuery: boolean;
}

export interface GrpcReverseBridgePlan {
  /** What the upstream is sent, and must answer with. */
  readonly contentType: string;
  /** The upstream sees and sends messages without their frames. */
  readonly withhold: boolean;
  /** Lower-case header that tells the size of the answer's message; '': its length does. */
  readonly sizeHeader: string;
}
export interface GrpcReverseBridgeRoutePlan { readonly disabled: boolean }
