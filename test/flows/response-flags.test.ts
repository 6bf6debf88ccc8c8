// Response flags, each provoked by a request through the whole process and read from the access log.
// WEIR_CHAOS=envoy runs the same table through the real Envoy, which agrees.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { RESPONSE_FLAGS } from '../../engine/observe/response-flags.ts';
import { ask as lines2, rst } from '../engine/codec/h2/wire.ts';
import { bootstrapYaml, clusterYaml, fileLog } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { scratch, startEither } from '../support/either.ts';
import { RawH2 } from '../support/h2-wire.ts';
import { freePort, until } from '../support/weir.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const ALL = '{numerator: 100}';
/** Path, which is the flag; its route (flow YAML fields beside match); what the client sends in place of a plain GET; 'leave': it goes before the answer. */
const ROWS: readonly { readonly flag: string; readonly route: string; readonly send?: string; readonly leave?: true }[] = [
  { flag: 'NC', route: 'route: {cluster_header: x-none}' },
  { flag: 'UH', route: 'route: {cluster: empty}' },
  { flag: 'UF', route: 'route: {cluster: dead}' },
  { flag: 'URX,UF', route: 'route: {cluster: dead, retry_policy: {retry_on: connect-failure, num_retries: 1, retry_back_off: {base_interval: 0.001s}}}' },
  { flag: 'UC', route: 'route: {cluster: hangs_up}' },
  { flag: 'UPE', route: 'route: {cluster: garbage}' },
  { flag: 'UT', route: 'route: {cluster: slow, timeout: 0.05s}' },
  { flag: 'UMSDR', route: 'route: {cluster: brief, timeout: 0s}' },
  { flag: 'UO', route: 'route: {cluster: full}' },
  { flag: 'SI', route: 'route: {cluster: slow, timeout: 0s, idle_timeout: 0.05s}' },
  { flag: 'FI', route: `route: {cluster: a}, typed_per_filter_config: {fault: {"@type": ${FILTERS}.fault.v3.HTTPFault, abort: {http_status: 500, percentage: ${ALL}}}}` },
  { flag: 'DI', route: `route: {cluster: a}, typed_per_filter_config: {fault: {"@type": ${FILTERS}.fault.v3.HTTPFault, delay: {fixed_delay: 0.01s, percentage: ${ALL}}}}` },
  { flag: 'RL', route: `route: {cluster: a}, typed_per_filter_config: {rl: {"@type": ${FILTERS}.local_ratelimit.v3.LocalRateLimit, stat_prefix: l, token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 600s}, filter_enabled: {default_value: ${ALL}}, filter_enforced: {default_value: ${ALL}}}}` },
  { flag: 'DC', route: 'route: {cluster: slow, timeout: 0s}', leave: true },
  { flag: 'DPE', route: 'route: {cluster: slow, timeout: 0s}', send: 'POST /DPE HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n' },
  { flag: 'IH', route: 'route: {cluster: a}', send: 'GET /IH HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 10.0.0.1\r\nx-envoy-upstream-rq-timeout-ms: soon\r\n\r\n' },
  { flag: 'UR', route: 'route: {cluster: h2}' },
  { flag: 'DO', route: 'route: {cluster: drops}' },
  { flag: 'UDO', route: 'route: {cluster: drops_all}' },
  { flag: 'DF', route: 'route: {cluster: forward}', send: 'GET /DF HTTP/1.1\r\nhost: no-such-name.invalid\r\n\r\n' },
  // max_stream_duration has no flag, in spite of DT's description.
  { flag: '-', route: 'route: {cluster: slow, timeout: 0s, max_stream_duration: {max_stream_duration: 0.05s}}' },
];

/** Flags of the other tables of this folder, and those that nothing here sets, each with its reason. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  NR: 'below', DR: 'below', LH: 'below', OM: 'load-shed.test.ts', DT: 'tcp-proxy.test.ts',
  LR: 'only an HTTP filter that resets its stream: none of 33 faults of an HTTP/2 upstream is one in Envoy 1.40, and no filter here resets', UAEX: 'ext_authz is refused by name', RLSE: 'the rate limit service is refused by name', RFCF: 'caches are refused by name',
  NFCF: 'config_discovery of filters is refused by name',
};

test('every flag of Envoy is provoked, or it is known why not', () => {
  const provoked = new Set(ROWS.flatMap((r) => r.flag.split(',')));
  assert.deepEqual(RESPONSE_FLAGS.map(([short]) => short).filter((f) => !provoked.has(f) && !(f in ELSEWHERE)), []);
});

/** A server that does one thing with every connection that has sent something. */
async function raw(answer: string | null): Promise<{ readonly port: number; stop(): void }> {
  const server = createServer((s) => { s.on('error', () => { /* gone */ }).once('data', () => { if (answer === null) s.destroy(); else s.end(answer); }); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  return { port: (server.address() as AddressInfo).port, stop: () => { server.close(); } };
}

/** An HTTP/2 server that resets every stream. */
async function http2Backend(): Promise<{ readonly port: number; stop(): void }> {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (s) => { sessions.add(s); s.on('error', () => { /* gone */ }).on('close', () => sessions.delete(s)); });
  server.on('stream', (s) => { s.on('error', () => { /* gone */ }); s.close(2); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  return { port: (server.address() as AddressInfo).port, stop: () => { for (const s of sessions) s.destroy(); server.close(); } };
}

const DNS = 'dns_cache_config: {name: c, dns_lookup_family: V4_ONLY}';
const HTTP2 = 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}';
const HTTP_FILTERS: readonly string[] = ['fault: fault.v3.HTTPFault', 'rl: local_ratelimit.v3.LocalRateLimit, stat_prefix: l', `forward: dynamic_forward_proxy.v3.FilterConfig, ${DNS}`, 'health: health_check.v3.HealthCheck, pass_through_mode: false, headers: [{name: ":path", string_match: {exact: /LH}}]'];

test('what went wrong with a request stands in the access log as its flag', async (t) => {
  const file = join(scratch(t), 'log');
  const a = await httpBackend(), slow = await httpBackend('slow', (_q, res) => { setTimeout(() => res.end('late'), 5000).unref(); });
  const hangsUp = await raw(null), garbage = await raw('nonsense\r\n\r\n'), h2 = await http2Backend(), port = await freePort(), dead = await freePort();
  const routes = [...ROWS.map((r) => `{match: {path: "/${r.flag}"}, ${r.route}}`), '{match: {path: /DR}, route: {cluster: slow, timeout: 0s}}'].join(', ');
  const yaml = bootstrapYaml([{ port, routes: `[${routes}]`, hcm: `internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}\n${fileLog(file, '%REQ(:PATH)% %RESPONSE_FLAGS%')}` }], [
    clusterYaml('a', [a.port]), clusterYaml('slow', [slow.port]), clusterYaml('hangs_up', [hangsUp.port]), clusterYaml('garbage', [garbage.port]), clusterYaml('dead', [dead]), clusterYaml('empty', []),
    clusterYaml('full', [a.port], 'circuit_breakers: {thresholds: [{max_requests: 0}]}'),
    clusterYaml('brief', [slow.port], 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, common_http_protocol_options: {max_stream_duration: 0.05s}, explicit_http_config: {http_protocol_options: {}}}}'),
    clusterYaml('h2', [h2.port], HTTP2),
    // One of a million passes.
    ...[['drops', 'numerator: 999999, denominator: MILLION'], ['drops_all', 'numerator: 100']].map(([name, share]) => `  - {name: ${name}, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: ${name}, policy: {drop_overloads: [{category: c, drop_percentage: {${share}}}]}}}\n`),
    `  - {name: forward, connect_timeout: 1s, lb_policy: CLUSTER_PROVIDED, cluster_type: {name: envoy.clusters.dynamic_forward_proxy, typed_config: {"@type": type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig, ${DNS}}}}\n`,
  ]).replace('http_filters:\n', (m) => m + HTTP_FILTERS.map((f) => f.split(/: (.*)/)).map(([name, type]) => `          - {name: ${name}, typed_config: {"@type": ${FILTERS}.${type}}}\n`).join(''))
    .replace('router.v3.Router', (m) => `${m}, strict_check_headers: [x-envoy-upstream-rq-timeout-ms]`);
  t.after(async () => { await a.stop(); await slow.stop(); hangsUp.stop(); garbage.stop(); h2.stop(); });
  const p = await startEither(t, yaml);

  const once = (r: { readonly flag: string; readonly send?: string; readonly leave?: true }): Promise<void> => new Promise((resolve) => {
    const s = connect(port, '127.0.0.1', () => { s.write(r.send ?? `GET /${r.flag} HTTP/1.1\r\nhost: x\r\n\r\n`); if (r.leave === true) setTimeout(() => s.destroy(), 100); });
    s.on('error', () => { /* told by close */ }).on('close', () => resolve()).on('data', () => s.destroy());
  });
  for (const row of [...ROWS, { flag: 'NR' }]) { await once(row); if (row.flag === 'RL') await once(row); }
  const client = await RawH2.open(port);
  client.send(client.heads.headers(1, lines2('/DR'), true));
  await new Promise((r) => setTimeout(r, 100));
  client.send(rst(1, 8));
  await p.admitted('/healthcheck/fail', 'POST');
  await once({ flag: 'LH' });
  client.stop();
  const lines = (): readonly string[] => readFileSync(file, 'latin1').split('\n');
  const missing = (): readonly string[] => [...ROWS.map((r) => r.flag), 'NR', 'DR', 'LH'].filter((flag) => !lines().includes(`/${flag} ${flag}`));
  await until('all are logged', () => missing().length === 0, 3000).catch(() => { /* told below */ });
  assert.deepEqual(missing(), [], `logged in their place: ${missing().map((f) => lines().filter((l) => l.startsWith(`/${f} `)).join()).join('; ')}`);
});
