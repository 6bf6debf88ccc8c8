// The usual bootstrap of a flow test: HTTP listeners over STATIC clusters.

const TYPE = 'type.googleapis.com/envoy.extensions.filters';

export interface HttpListener { readonly port: number; readonly name?: string; readonly hcm?: string; readonly listener?: string; /** Flow YAML list of routes. */ readonly routes?: string; readonly virtualHosts?: string; /** Lines of flow YAML fields of the filter chain. */ readonly chain?: string }

/** One cluster line; `more` is flow YAML. */
export function clusterYaml(name: string, ports: readonly number[], more = ''): string {
  const endpoints = ports.map((p) => `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${p}}}}}`).join(', ');
  return `  - {name: ${name}, type: STATIC, connect_timeout: 1s, ${more && `${more}, `}load_assignment: {cluster_name: ${name}, endpoints: [{lb_endpoints: [${endpoints}]}]}}\n`;
}

/** One listener with an HTTP connection manager; `hcm` and `listener` are lines of flow YAML fields (`field: {…}`), one a line. */
export function listenerYaml(l: HttpListener): string {
  const name = l.name ?? 'http';
  const lines = (text: string | undefined, n: number): string => (text ?? '').split('\n').filter((x) => x.trim()).map((x) => `${' '.repeat(n)}${x.trim()}\n`).join('');
  const virtualHosts = l.virtualHosts ?? `[{name: all, domains: ["*"], routes: ${l.routes ?? '[{match: {prefix: "/"}, route: {cluster: a}}]'}}]`;
  return `  - name: ${name}
    address: {socket_address: {address: 127.0.0.1, port_value: ${l.port}}}
${lines(l.listener, 4)}    filter_chains:
    - name: ""
${lines(l.chain, 6)}      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": ${TYPE}.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ${name}
${lines(l.hcm, 10)}          route_config: {name: r, virtual_hosts: ${virtualHosts}}
          http_filters:
          - {name: envoy.filters.http.router, typed_config: {"@type": ${TYPE}.http.router.v3.Router}}
`;
}

/** A network filter as one line of flow YAML: `type` is e.g. 'tcp_proxy.v3.TcpProxy', `fields` flow YAML fields. */
export function networkFilter(type: string, fields: string): string {
  return `{name: ${type.split('.')[0]}, typed_config: {"@type": ${TYPE}.network.${type}${fields && `, ${fields}`}}}`;
}

/** One listener with network filters only; `more` are lines of flow YAML fields of the listener. */
export function tcpListenerYaml(name: string, port: number, filters: readonly string[], more = ''): string {
  const lines = more.split('\n').filter((x) => x.trim()).map((x) => `    ${x.trim()}\n`).join('');
  return `  - name: ${name}\n    address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}\n${lines}    filter_chains: [{filters: [${filters.join(', ')}]}]\n`;
}

/** A bootstrap of listeners and clusters written already. */
export function staticYaml(listeners: readonly string[], clusters: readonly string[], top = ''): string {
  return `${top}\nstatic_resources:\n  listeners:\n${listeners.join('')}${clusters.length > 0 ? `  clusters:\n${clusters.join('')}` : ''}`;
}

export function bootstrapYaml(listeners: readonly HttpListener[], clusters: readonly string[], top = ''): string {
  return `${top}\nstatic_resources:\n  listeners:\n${listeners.map(listenerYaml).join('')}  clusters:\n${clusters.join('')}`;
}

/** access_log of a file, a line for each entry. */
export function fileLog(path: string, format: string): string { return `access_log: [{name: f, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${path}, log_format: {text_format_source: {inline_string: "${format}\\n"}}}}]`; }

const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
/** DownstreamTlsContext as one line of flow YAML: `common` and `fields` are flow YAML fields. */
export function downstreamTls(common: string, fields = ''): string { return `transport_socket: {name: tls, typed_config: {"@type": ${TLS}.DownstreamTlsContext, ${fields && `${fields}, `}common_tls_context: {${common}}}}`; }
/** UpstreamTlsContext, for `clusterYaml`'s `more`. */
export function upstreamTls(common: string, fields = ''): string { return `transport_socket: {name: tls, typed_config: {"@type": ${TLS}.UpstreamTlsContext, ${fields && `${fields}, `}common_tls_context: {${common}}}}`; }
export const certificateFiles = (...pairs: readonly { certFile: string; keyFile: string }[]): string => `tls_certificates: [${pairs.map((p) => `{certificate_chain: {filename: ${p.certFile}}, private_key: {filename: ${p.keyFile}}}`).join(', ')}]`;
/** validation_context with a CA file; `more` are flow YAML fields. */
export const trusting = (ca: { certFile: string }, more = ''): string => `validation_context: {trusted_ca: {filename: ${ca.certFile}}${more && `, ${more}`}}`;
