// The dynamic_forward_proxy filter as workers install it; which cache it fills is said by the cluster of the route.
export interface DynamicForwardPlan { readonly cache: string; /** The host may come from filter state (envoy.upstream.dynamic_host). */ readonly fromFilterState: boolean }
/** Per route: the host to go to in place of the request's. */
export interface HostRewritePlan { readonly literal: string; readonly header: string }
/** sni_dynamic_forward_proxy: names are resolved by `cache`, for so long at most; `port` is where connections go. */
export interface SniForwardPlan { readonly cache: string; readonly port: number; readonly waitMs: number }
