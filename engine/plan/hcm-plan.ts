// The HTTP connection manager as workers install it. Times in ms, 0: off.
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { ExtensionPlan } from './extension-plan.ts';
import type { Http1OptionsPlan } from './http1-options-plan.ts';
import type { Http2OptionsPlan } from './http2-options-plan.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { CidrPlan } from './listener-plan.ts';
import type { MatchTreePlan } from './match-plan.ts';

export interface HttpFilterPlan { readonly name: string; readonly filter: ExtensionPlan; readonly disabled: boolean }

export type IpDetectionPlan =
  | { readonly kind: 'xff'; readonly hops: number; readonly trusted: readonly CidrPlan[] | null; readonly skipAppend: boolean }
  | { readonly kind: 'header'; readonly header: string; readonly trust: boolean; /** 0: not rejected. */ readonly rejectStatus: number };

/** A compiled body format: text pieces, or a JSON document of them. */
export type BodyFormatPlan = { readonly kind: 'text'; readonly format: FormatPlan; readonly contentType: string } | { readonly kind: 'json'; readonly json: unknown; readonly contentType: string };

export interface ReplyMapperPlan {
  /** An access-log filter plan. */
  readonly filter: unknown;
  readonly status: number;
  readonly body: string | null;
  readonly format: BodyFormatPlan | null;
  readonly headers: HeaderMutationPlan;
}

/** proxy_status_config; `name` '' is the node's id. */
export interface ProxyStatusPlan { readonly name: string; readonly recommendedCode: boolean; readonly details: boolean; readonly terminationDetails: boolean; readonly responseFlags: boolean }

/** x-forwarded-client-cert: what is done with it, and which details are added. */
export interface ClientCertPlan { /** JSON in place of text. */ readonly json: boolean; readonly mode: 'sanitize' | 'forward-only' | 'append-forward' | 'sanitize-set' | 'always-forward-only'; readonly subject: boolean; readonly issuer: boolean; readonly cert: boolean; readonly chain: boolean; readonly dns: boolean; readonly uri: boolean }

/** One part of a scope's key: of a header's elements the one at `index`, or the value of the one named `key`. */
export interface ScopeFragmentPlan { readonly header: string; readonly separator: string; readonly index: number; readonly key: string | null; readonly keySeparator: string }
export interface ScopesPlan { readonly name: string; readonly fragments: readonly ScopeFragmentPlan[]; readonly tables: readonly { readonly fragments: readonly string[]; readonly routesKey: string }[] }

export interface HcmPlan {
  readonly codec: 'AUTO' | 'HTTP1' | 'HTTP2';
  readonly statPrefix: string;
  readonly routesKey: string;
  /** In place of `routesKey`. */
  readonly scopes: ScopesPlan | null;
  readonly filters: readonly HttpFilterPlan[];
  readonly accessLogs: readonly ExtensionPlan[];
  readonly logOnStart: boolean;
  /** And when a tunnel is there: a CONNECT or an upgrade was accepted. */
  readonly logOnTunnel: boolean;
  /** ms between access-log lines of a stream that lasts; 0: none. */
  readonly logIntervalMs: number;
  readonly proxyStatus: ProxyStatusPlan | null;
  readonly http1: Http1OptionsPlan;
  readonly http2: Http2OptionsPlan;
  /** Limits of a head that the configuration leaves to runtime (and there to the defaults, which `http1` has). */
  readonly runtimeHeadKb: boolean;
  readonly runtimeHeadCount: boolean;
  readonly useRemoteAddress: boolean;
  readonly hops: number;
  readonly skipXffAppend: boolean;
  readonly appendForwardedPort: boolean;
  /** null: nothing is internal. */
  readonly internal: { readonly unix: boolean; readonly ranges: readonly CidrPlan[] } | null;
  readonly detection: readonly IpDetectionPlan[];
  readonly schemeOverwrite: string;
  /** The scheme becomes that of the connection to the upstream host. */
  readonly schemeMatchesUpstream: boolean;
  readonly generateRequestId: boolean;
  readonly preserveRequestId: boolean;
  readonly requestIdInResponse: boolean;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: 'keep' | 'reject' | 'redirect' | 'forward';
  readonly stripPort: 'none' | 'any' | 'matching';
  readonly stripDot: boolean;
  readonly serverHeader: 'overwrite' | 'absent' | 'pass';
  readonly serverName: string;
  readonly via: string;
  readonly addUserAgent: boolean;
  readonly proxy100: boolean;
  /** `filters`: the chain of requests for that upgrade; null: `filters` of the manager. */
  readonly upgrades: readonly { readonly type: string; readonly enabled: boolean; readonly filters: readonly HttpFilterPlan[] | null }[];
  readonly clientCert: ClientCertPlan;
  /** Whose actions are ClientCertPlans, in place of `clientCert` where one is found; null: there is none. */
  readonly clientCertTree: MatchTreePlan | null;
  /** Ports that say what x-forwarded-proto is of connections whose destination was restored. */
  readonly protoPorts: { readonly https: readonly number[]; readonly http: readonly number[] };
  readonly earlyMutations: readonly HeaderMutationPlan[];
  readonly mappers: readonly ReplyMapperPlan[];
  readonly bodyFormat: BodyFormatPlan | null;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  /** How long a whole answer may wait for the client's HTTP/2 window; 0: for ever. */
  readonly streamFlushTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** Up to so many percent are added to it, by chance; to drainTimeoutMs in the same way. */
  readonly maxConnectionJitterPercent: number;
  readonly drainJitterPercent: number;
  /** An HTTP/1 connection past its duration ends with the next request's answer, not by the drain timer. */
  readonly safeConnectionDuration: boolean;
  readonly maxStreamDurationMs: number;
  /** What the overload manager refuses says so by x-envoy-local-overloaded. */
  readonly appendLocalOverload: boolean;
  readonly maxRequestsPerConnection: number;
  readonly drainTimeoutMs: number;
  readonly delayedCloseMs: number;
}
