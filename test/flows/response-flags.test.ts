// Response flags, each provoked by a request through the whole process and read from the access log.
// Elsewhere: OM (load-shed.test.ts). Not provoked here yet: LH, LR, UR, DR, IH, NFCF, DF, UDO. Their filters are not built: UAEX (ext_authz), RLSE (rate limit service), RFCF (caches).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

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
  { flag: 'DT', route: 'route: {cluster: slow, timeout: 0s, max_stream_duration: {max_stream_duration: 0.05s}}' },
  { flag: 'FI', route: `route: {cluster: a}, typed_per_filter_config: {fault: {"@type": ${FILTERS}.fault.v3.HTTPFault, abort: {http_status: 500, percentage: ${ALL}}}}` },
  { flag: 'DI', route: `route: {cluster: a}, typed_per_filter_config: {fault: {"@type": ${FILTERS}.fault.v3.HTTPFault, delay: {fixed_delay: 0.01s, percentage: ${ALL}}}}` },
  { flag: 'RL', route: `route: {cluster: a}, typed_per_filter_config: {rl: {"@type": ${FILTERS}.local_ratelimit.v3.LocalRateLimit, stat_prefix: l, token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 600s}, filter_enabled: {default_value: ${ALL}}, filter_enforced: {default_value: ${ALL}}}}` },
  { flag: 'DC', route: 'route: {cluster: slow, timeout: 0s}', leave: true },
  { flag: 'DPE', route: 'route: {cluster: slow, timeout: 0s}', send: 'POST /DPE HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n' },
  { flag: '-', route: 'route: {cluster: a}' },
];

/** A server that does one thing with every connection that has sent something. */
async function raw(answer: string | null): Promise<{ readonly port: number; stop(): void }> {
  const server = createServer((s) => { s.on('error', () => { /* gone */ }).once('data', () => { if (answer === null) s.destroy(); else s.end(answer); }); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  return { port: (server.address() as AddressInfo).port, stop: () => { server.close(); } };
}

test('what went wrong with a request stands in the access log as its flag', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-flags-')), file = join(dir, 'log');
  const a = await httpBackend(), slow = await httpBackend('slow', (_q, res) => { setTimeout(() => res.end('late'), 5000).unref(); });
  const hangsUp = await raw(null), garbage = await raw('nonsense\r\n\r\n'), port = await freePort(), dead = await freePort();
  const routes = [...ROWS.map((r) => `{match: {path: "/${r.flag}"}, ${r.route}}`)].join(', ');
  const yaml = bootstrapYaml([{ port, routes: `[${routes}]`, hcm: `access_log: [{name: f, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${file}, log_format: {text_format_source: {inline_string: "%REQ(:PATH)% %RESPONSE_FLAGS%\\n"}}}}]` }], [
    clusterYaml('a', [a.port]), clusterYaml('slow', [slow.port]), clusterYaml('hangs_up', [hangsUp.port]), clusterYaml('garbage', [garbage.port]), clusterYaml('dead', [dead]), clusterYaml('empty', []),
    clusterYaml('full', [a.port], 'circuit_breakers: {thresholds: [{max_requests: 0}]}'),
    clusterYaml('brief', [slow.port], 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, common_http_protocol_options: {max_stream_duration: 0.05s}, explicit_http_config: {http_protocol_options: {}}}}'),
  ]).replace('http_filters:\n', (m) => `${m}          - {name: fault, typed_config: {"@type": ${FILTERS}.fault.v3.HTTPFault}}\n          - {name: rl, typed_config: {"@type": ${FILTERS}.local_ratelimit.v3.LocalRateLimit, stat_prefix: l}}\n`);
  const weir = await startWeir(yaml);
  t.after(async () => { await weir.stop(); await a.stop(); await slow.stop(); hangsUp.stop(); garbage.stop(); rmSync(dir, { recursive: true }); });

  const once = (r: { readonly flag: string; readonly send?: string; readonly leave?: true }): Promise<void> => new Promise((resolve) => {
    const s = connect(port, '127.0.0.1', () => { s.write(r.send ?? `GET /${r.flag} HTTP/1.1\r\nhost: x\r\n\r\n`); if (r.leave === true) setTimeout(() => s.destroy(), 100); });
    s.on('error', () => { /* told by close */ }).on('close', () => resolve()).on('data', () => s.destroy());
  });
  for (const row of [...ROWS, { flag: 'NR' }]) { await once(row); if (row.flag === 'RL') await once(row); }
  const lines = (): readonly string[] => readFileSync(file, 'latin1').split('\n');
  const missing = (): readonly string[] => [...ROWS.map((r) => r.flag), 'NR'].filter((flag) => !lines().includes(`/${flag} ${flag}`));
  await until('all are logged', () => missing().length === 0, 3000).catch(() => { /* told below */ });
  assert.deepEqual(missing(), [], `the log:\n${lines().join('\n')}`);
});
