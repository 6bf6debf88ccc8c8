// The overload manager: what is watched and what is done about it. Decided in the control thread; workers read one number an action.

export type MonitorPlan =
  | { readonly kind: 'fixed-heap'; readonly maxBytes: number; /** Runtime key in its place; '': none. */ readonly maxBytesKey: string }
  | { readonly kind: 'injected'; readonly file: string }
  | { readonly kind: 'cgroup-memory'; /** 0: the cgroup's own limit. */ readonly maxBytes: number }
  | { readonly kind: 'cpu'; readonly mode: 'HOST' | 'CONTAINER' }
  | { readonly kind: 'downstream-connections'; readonly max: number };

/** An action's strength, 0 to 1, by a resource's pressure: all at `from`, or growing from `from` to `to`. */
export interface TriggerPlan { readonly resource: string; readonly from: number; readonly to: number }

/** Actions in the order of their shared words, load shed points behind them. */
export const OVERLOAD_ACTIONS = ['stop_accepting_requests', 'disable_http_keepalive', 'stop_accepting_connections', 'reject_incoming_connections', 'reduce_timeouts', 'shrink_heap', 'reset_high_memory_stream', 'close_idle_http_connections', 'tcp_listener_accept', 'http_connection_manager_decode_headers', 'http_downstream_filter_check', 'hcm_ondata_creating_codec', 'http1_server_abort_dispatch', 'http2_server_go_away_on_dispatch', 'http2_server_go_away_and_close_on_dispatch', 'connection_pool_new_connection', 'tcp_proxy_on_data', 'tcp_proxy_upstream_connect'] as const;
export type OverloadAction = (typeof OVERLOAD_ACTIONS)[number];
export const OVERLOAD: { readonly [action in OverloadAction]: number } = Object.fromEntries(OVERLOAD_ACTIONS.map((a, i) => [a, i])) as never;

/** The first load shed point: those before it are actions. */
export const FIRST_POINT: number = OVERLOAD.tcp_listener_accept;
export const SHED_POINT_PREFIX = 'envoy.load_shed_points.';

/** Timers that reduce_timeouts shortens, and to what part of their length (or ms) at most. */
export const SCALED_TIMERS = ['HTTP_DOWNSTREAM_CONNECTION_IDLE', 'HTTP_DOWNSTREAM_STREAM_IDLE', 'TRANSPORT_SOCKET_CONNECT', 'HTTP_DOWNSTREAM_CONNECTION_MAX', 'HTTP_DOWNSTREAM_STREAM_FLUSH'] as const;
export interface TimerScalePlan { readonly timer: (typeof SCALED_TIMERS)[number]; /** Share of the timeout, -1: `minMs` holds. */ readonly minShare: number; readonly minMs: number }

export interface OverloadPlan {
  readonly refreshMs: number;
  readonly monitors: readonly { readonly name: string; readonly monitor: MonitorPlan }[];
  /** `name` as configured, for stats. null: a load shed point where nothing asks, which has stats only. */
  readonly actions: readonly { readonly action: OverloadAction | null; readonly name: string; readonly triggers: readonly TriggerPlan[] }[];
  readonly timers: readonly TimerScalePlan[];
  /** shrink_heap acts again after so long while it is at its strongest. */
  readonly shrinkHeapMs: number;
  /** minimum_account_to_track_power_of_two; 0: streams are not accounted for. */
  readonly accountPowerOfTwo: number;
}
