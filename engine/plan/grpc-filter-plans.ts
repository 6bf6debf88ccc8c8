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
