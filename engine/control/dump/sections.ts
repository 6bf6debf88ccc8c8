// The sections of /config_dump made from the configuration's JSON.
import { redact } from './redact.ts';
import type { DumpSection } from './config-dump.ts';

type Json = Record<string, unknown>;
const ADMIN = 'envoy.admin.v3.';
const any = (type: string, value: Json): Json => ({ '@type': `type.googleapis.com/${type}`, ...value });
const list = (v: unknown): Json[] => (Array.isArray(v) ? (v as Json[]) : []);

/** When something was last changed: proto JSON of a Timestamp. `kind` is 'bootstrap', 'cluster', 'listener'. */
export type UpdatedAt = (kind: string, name: string) => string;

/** A resource by discovery: proto JSON and where it came from. `updated`: a Timestamp's JSON. */
export interface DynamicResource { readonly name: string; readonly versionInfo: string; readonly updated: string; readonly json: Json }
export interface DynamicDump {
  readonly versions: { readonly listeners: string; readonly clusters: string };
  readonly clusters: readonly DynamicResource[]; readonly routes: readonly DynamicResource[];
  readonly listeners: readonly { readonly name: string; readonly active: DynamicResource | null; readonly warming: DynamicResource | null; readonly refused: (DynamicResource & { readonly details: string }) | null }[];
}
const versioned = (version: string): Json => (version === '' ? {} : { version_info: version });
const shownOf = (r: DynamicResource, type: string): Json => redact(r.json, type) as Json;
function listenerOf(l: DynamicDump['listeners'][number]): Json {
  const state = (r: DynamicResource): Json => ({ version_info: r.versionInfo, listener: any('envoy.config.listener.v3.Listener', shownOf(r, 'envoy.config.listener.v3.Listener')), last_updated: r.updated });
  const { active, warming, refused } = l;
  return { name: l.name, ...(active === null ? {} : { active_state: state(active) }), ...(warming === null ? {} : { warming_state: state(warming) }), ...(refused === null ? {} : { error_state: { failed_configuration: any('envoy.config.listener.v3.Listener', shownOf(refused, 'envoy.config.listener.v3.Listener')), last_update_attempt: refused.updated, details: refused.details } }) };
}

/** `bootstrap` as proto JSON; `endpoints` ClusterLoadAssignments of the living clusters; `node` what is shown of this process in the bootstrap's node. */
export function configSections(bootstrap: Json, node: Json, endpoints: readonly Json[], at: UpdatedAt, dynamic: DynamicDump): DumpSection[] {
  const shown = redact({ ...bootstrap, node: { ...(bootstrap['node'] as Json | undefined), ...node } }, 'envoy.config.bootstrap.v3.Bootstrap') as Json;
  const statics = (shown['static_resources'] ?? {}) as Json, listeners = list(statics['listeners']), clusters = list(statics['clusters']);
  const dated = (kind: string, name: string): Json => ({ last_updated: at(kind, name) });
  return [
    { type: `${ADMIN}BootstrapConfigDump`, value: { bootstrap: shown, ...dated('bootstrap', '') } },
    { type: `${ADMIN}ClustersConfigDump`, value: { ...versioned(dynamic.versions.clusters), static_clusters: clusters.map((c) => ({ cluster: any('envoy.config.cluster.v3.Cluster', c), ...dated('cluster', String(c['name'])) })), dynamic_active_clusters: dynamic.clusters.map((c) => ({ version_info: c.versionInfo, cluster: any('envoy.config.cluster.v3.Cluster', shownOf(c, 'envoy.config.cluster.v3.Cluster')), last_updated: c.updated })) } },
    { type: `${ADMIN}EndpointsConfigDump`, value: { static_endpoint_configs: endpoints.map((e) => ({ endpoint_config: any('envoy.config.endpoint.v3.ClusterLoadAssignment', e) })) } },
    { type: `${ADMIN}ListenersConfigDump`, value: { ...versioned(dynamic.versions.listeners), static_listeners: listeners.map((l) => ({ listener: any('envoy.config.listener.v3.Listener', l), ...dated('listener', String(l['name'] ?? '')) })), dynamic_listeners: dynamic.listeners.map(listenerOf) } },
    { type: `${ADMIN}ScopedRoutesConfigDump`, value: {} },
    { type: `${ADMIN}RoutesConfigDump`, value: { static_route_configs: listeners.flatMap((l) => routesOf(l).map((r) => ({ route_config: any('envoy.config.route.v3.RouteConfiguration', r), ...dated('listener', String(l['name'] ?? '')) }))), dynamic_route_configs: dynamic.routes.map((r) => ({ version_info: r.versionInfo, route_config: any('envoy.config.route.v3.RouteConfiguration', shownOf(r, 'envoy.config.route.v3.RouteConfiguration')), last_updated: r.updated })) } },
    { type: `${ADMIN}SecretsConfigDump`, value: { static_secrets: list(statics['secrets']).map((s) => ({ name: s['name'], ...dated('bootstrap', ''), secret: any('envoy.extensions.transport_sockets.tls.v3.Secret', s) })) } },
  ];
}

/** Inline route configurations of a listener's connection managers. */
function routesOf(listener: Json): Json[] {
  const chains = [...list(listener['filter_chains']), ...(listener['default_filter_chain'] === undefined ? [] : [listener['default_filter_chain'] as Json])];
  return chains.flatMap((c) => list(c['filters'])).flatMap((f) => { const config = f['typed_config'] as Json | undefined; return config?.['route_config'] === undefined ? [] : [config['route_config'] as Json]; });
}
