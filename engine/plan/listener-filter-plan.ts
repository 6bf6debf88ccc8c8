// Listener filters as workers install them.

export interface TlsInspectorPlan { readonly ja3: boolean; readonly ja4: boolean; readonly closeOnError: boolean; readonly maxHelloBytes: number }

/** `mark`: SO_MARK, 0: none. */
export interface OriginalSrcPlan { readonly bindPort: boolean; readonly mark: number }

export interface ProxyProtocolPlan {
  readonly statPrefix: string;
  readonly allowWithout: boolean;
  readonly disallowed: readonly number[];
  readonly rules: readonly { readonly type: number; readonly namespace: string; readonly key: string; readonly base64: boolean }[];
  /** Types kept for the upstream's header; null: none, 'all'. */
  readonly passThrough: 'all' | readonly number[] | null;
  readonly toFilterState: boolean;
}
