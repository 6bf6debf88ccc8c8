// The sections of /config_dump made from the configuration's JSON.
import { redact } from './redact.ts';
import type { DumpSection } from './config-dump.ts';

type Json = Record<string, unknown>;
const ADMIN = 'envoy.admin.v3.';
const any = (type: string, value: Json): Json => ({ '@type': `type.googleapis.com/${type}`, ...value });
const list = (v: unknown): Json[] => (Array.isArray(v) ? (v as Json[]) : []);

/** When something was last changed: proto JSON of a Timestamp. `kind` is 'bootstrap', 'cluster', 'listener'. */
export type UpdatedAt = (kind: string, name: string) => string;

/** `bootstrap` as proto JSON; `endpoints` ClusterLoadAssignments of the living clusters; `node` what is shown of this process in the bootstrap's node. */
export function configSections(bootstrap: Json, node: Json, endpoints: readonly Json[], at: UpdatedAt): DumpSection[] {
  const shown = redact({ ...bootstrap, node: { ...(bootstrap['node'] as Json | undefined), ...node } }, 'envoy.config.bootstrap.v3.Bootstrap') as Json;
  const statics = (shown['static_resources'] ?? {}) as Json, listeners = list(statics['listeners']), clusters = list(statics['clusters']);
  const dated = (kind: string, name: string): Json => ({ last_updated: at(kind, name) });
  return [
    { type: `${ADMIN}BootstrapConfigDump`, value: { bootstrap: shown, ...dated('bootstrap', '') } },
    { type: `${ADMIN}ClustersConfigDump`, value: { static_clusters: clusters.map((c) => ({ cluster: any('envoy.config.cluster.v3.Cluster', c), ...dated('cluster', String(c['name'])) })) } },
    { type: `${ADMIN}EndpointsConfigDump`, value: { static_endpoint_configs: endpoints.map((e) => ({ endpoint_config: any('envoy.config.endpoint.v3.ClusterLoadAssignment', e) })) } },
    { type: `${ADMIN}ListenersConfigDump`, value: { static_listeners: listeners.map((l) => ({ listener: any('envoy.config.listener.v3.Listener', l), ...dated('listener', String(l['name'] ?? '')) })) } },
    { type: `${ADMIN}ScopedRoutesConfigDump`, value: {} },
    { type: `${ADMIN}RoutesConfigDump`, value: { static_route_configs: listeners.flatMap((l) => routesOf(l).map((r) => ({ route_config: any('envoy.config.route.v3.RouteConfiguration', r), ...dated('listener', String(l['name'] ?? '')) }))) } },
    { type: `${ADMIN}SecretsConfigDump`, value: { static_secrets: list(statics['secrets']).map((s) => ({ name: s['name'], ...dated('bootstrap', ''), secret: any('envoy.extensions.transport_sockets.tls.v3.Secret', s) })) } },
  ];
}

/** Inline route configurations of a listener's connection managers. */
function routesOf(listener: Json): Json[] {
  const chains = [...list(listener['filter_chains']), ...(listener['default_filter_chain'] === undefined ? [] : [listener['default_filter_chain'] as Json])];
  return chains.flatMap((c) => list(c['filters'])).flatMap((f) => { const config = f['typed_config'] as Json | undefined; return config?.['route_config'] === undefined ? [] : [config['route_config'] as Json]; });
}
