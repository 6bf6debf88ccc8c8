// What the connection manager needs of routing. The router room implements it; http does not import router.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { RouteRateLimits } from './rate-limit/rate-limits.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';

/** The filters of one HTTP connection manager, as a route sees them. One object per manager. */
export interface ChainFilters {
  /** Names, by index. */
  readonly filterNames: readonly string[];
  /** A per-route plan as the filter wants it. */
  routeConfig(filterIndex: number, plan: unknown): unknown;
}

/** What the levels of a route say of one filter. */
export interface RouteFilterConfig {
  /** True: switched off here; false: switched on though disabled in the chain; undefined: as the chain says. The most specific level that names the filter decides. */
  readonly disabled: boolean | undefined;
  /** Compiled configs, the least specific first. */
  readonly all: readonly unknown[];
}

/** A route that a request was matched to. Everything is resolved when the plan is installed. */
export interface Route {
  readonly name: string;
  readonly virtualHostName: string;
  /** Cluster that a request goes to; '' for routes that answer themselves. */
  clusterName(headers: RequestHeaders): string;
  /** -1: not set (the connection manager's applies); 0: disabled. Milliseconds. */
  readonly idleTimeoutMs: number;
  readonly flushTimeoutMs: number;
  /** How long the stream of a request may last, ms, 0 or less: without limit; `otherwise`: where the route does not say. A gRPC request then says so itself (grpc-timeout). */
  streamDurationMs(request: RequestHeaders, otherwise: number): number;
  /** request_body_buffer_limit / per_request_buffer_limit_bytes; -1: the connection's. */
  readonly bufferLimit: number;
  /** Upgrade types of the route's upgrade_configs: undefined entry → the connection manager decides. */
  upgradeAllowed(token: string): boolean | undefined;
  /** typed_per_filter_config for the filters of a chain, by index; null: the route has none. Resolved at first use and kept. */
  filterConfigs(chain: ChainFilters): readonly RouteFilterConfig[] | null;
  /** rate_limits of the route and its virtual host; null: none. */
  readonly rateLimits: RouteRateLimits | null;
  /** The route answers itself (direct_response, redirect): in Envoy it then has no headers to add to the answers of filters before the router. */
  readonly answersItself: boolean;
  /** Applies response_headers_to_add/remove of all levels (local replies included, as Envoy). */
  finalizeResponse(headers: ResponseHeaders, facts: StreamFacts): void;
}

export interface RouteTable {
  readonly name: string;
  /** Matches; null: no route. `random` is the stream's number for weighted clusters and runtime fractions. */
  match(headers: RequestHeaders, facts: StreamFacts, random: number): Route | null;
  /** internal_only_headers of the table that these headers choose: lower-case names that only internal requests may carry. */
  internalOnly(headers: RequestHeaders): readonly string[];
}

/** A place whose table may be replaced (static, RDS); a stream reads `current` once. null: not there yet. */
export interface RouteTableCell { current: RouteTable | null }
