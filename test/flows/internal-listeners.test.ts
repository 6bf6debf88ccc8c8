// Internal listeners: connections of the process to itself. Tunnels over CONNECT through them, back-pressure both ways, metadata and filter state that come along.
// On both transports.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { clusterYaml, fileLog, networkFilter } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { validated } from '../support/validated.ts';
import { ask, freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const BOOT = (more = ''): string => `bootstrap_extensions: [{name: envoy.bootstrap.internal_listener, typed_config: {"@type": ${TYPE}.bootstrap.internal_listener.v3.InternalListener${more}}}]\n`;
const H2 = `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": ${TYPE}.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}`;
const RAW = `transport_socket: {name: r, typed_config: {"@type": ${TYPE}.transport_sockets.raw_buffer.v3.RawBuffer}}`;
const tcp = (fields: string): string => networkFilter('tcp_proxy.v3.TcpProxy', `stat_prefix: t, ${fields}`);
const hcm = (prefix: string, routes: string, more = ''): string => networkFilter('http_connection_manager.v3.HttpConnectionManager', `stat_prefix: ${prefix}, ${more} route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: ${routes}}]}, http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": ${TYPE}.filters.http.router.v3.Router}}]`);
const at = (port: number): string => `address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
const listener = (fields: string, filters: string): string => `  - {${fields}, filter_chains: [{filters: [${filters}]}]}\n`;
/** A cluster whose one host is an internal listener; `metadata` of the host. */
const internalCluster = (name: string, of: string, more = '', metadata = ''): string => `  - {name: ${name}, type: STATIC, connect_timeout: 1s, ${more && `${more}, `}load_assignment: {cluster_name: ${name}, endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: {server_listener_name: ${of}, endpoint_id: e1}}}${metadata && `, metadata: {filter_metadata: ${metadata}}`}}]}]}}\n`;
const statics = (listeners: string[], clusters: string[]): string => `static_resources:\n  listeners:\n${listeners.join('')}  clusters:\n${clusters.join('')}`;

for (const transport of TRANSPORTS) {
  const options = { args: [`--transport=${transport}`] };

  for (const [version, protocol] of [['HTTP/2', H2], ['HTTP/1.1', '']] as const) test(`${transport}: TCP in an ${version} CONNECT through an internal listener and out again`, async (t) => {
    const b = await httpBackend('b'), port = await freePort(), middle = await freePort();
    const weir = await startWeir(BOOT() + statics([
      listener(`name: in, ${at(port)}`, tcp('cluster: to_encap')),
      listener('name: encap, internal_listener: {}', tcp('cluster: proxy, tunneling_config: {hostname: "target.example:443"}')),
      listener(`name: end, ${at(middle)}`, hcm('end', '[{match: {connect_matcher: {}}, route: {cluster: b, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}}]', 'http2_protocol_options: {allow_connect: true}, upgrade_configs: [{upgrade_type: CONNECT}],')),
    ], [internalCluster('to_encap', 'encap'), clusterYaml('proxy', [middle], protocol), clusterYaml('b', [b.port])]), { ...options, concurrency: 2 });
    t.after(async () => { await weir.stop(); await b.stop(); });
    for (let i = 0; i < 3; i++) assert.equal((await ask(port, `/${i}`, { method: 'POST', body: 'x'.repeat(100_000) })).body, `b POST /${i} 100000`);
    const s = await weir.stats('');
    assert.deepEqual([s['listener.envoy_internal_encap.downstream_cx_total'], s['cluster.to_encap.upstream_cx_total'], s['http.end.downstream_rq_total']], [3, 3, 3]);
    await until('all connections are over', async () => { const a = await weir.stats('cx_active'); return a['listener.envoy_internal_encap.downstream_cx_active'] === 0 && a['cluster.to_encap.upstream_cx_active'] === 0; });
  });

  test(`${transport}: HTTP to an internal listener, whose chain it is; an unknown listener is a failed connect`, async (t) => {
    const port = await freePort();
    const weir = await startWeir(BOOT() + statics([
      listener(`name: in, ${at(port)}`, hcm('in', '[{match: {prefix: "/none"}, route: {cluster: none}}, {match: {prefix: "/"}, route: {cluster: i}}]')),
      listener('name: inner, internal_listener: {}', hcm('inner', '[{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: "inner"}}}]', `${fileLog('log', '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%')},`)),
    ], [internalCluster('i', 'inner'), internalCluster('none', 'nobody')]), options);
    t.after(() => weir.stop());
    for (let i = 0; i < 3; i++) assert.deepEqual([(await ask(port, '/')).body, (await weir.stats('upstream_cx_total'))['cluster.i.upstream_cx_total']], ['inner', 1]);
    const none = await ask(port, '/none');
    assert.equal(none.status, 503);
    assert.equal((await weir.stats('cluster.none'))['cluster.none.upstream_cx_connect_fail'], 1);
    await until('it is logged', () => readFileSync(join(weir.dir, 'log'), 'utf8').split('\n').length > 3);
    assert.match(readFileSync(join(weir.dir, 'log'), 'utf8'), /^envoy:\/\/internal_client_address\/ envoy:\/\/inner\/e1\n/);
  });

  test(`${transport}: a slow reader holds the sender back through the pair, both ways, and nothing is lost`, async (t) => {
    const MIB = 1 << 20, total = 48 * MIB, port = await freePort(), piece = Buffer.alloc(64 * 1024, 'x');
    let sent = 0, got = 0, peer: Socket | null = null;
    const pour = (s: Socket): void => { while (sent < total) { sent += piece.length; if (!s.write(piece)) { s.once('drain', () => pour(s)); return; } } };
    const server = createServer({ allowHalfOpen: true }, (s) => { peer = s; s.pause(); s.on('error', () => {}); s.on('data', (d: Buffer) => { got += d.length; }); });
    const upstream = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
    const weir = await startWeir(BOOT(', buffer_size_kb: 64') + statics([listener(`name: in, ${at(port)}, per_connection_buffer_limit_bytes: 65536`, tcp('cluster: i')), listener('name: inner, internal_listener: {}, per_connection_buffer_limit_bytes: 65536', tcp('cluster: b'))], [internalCluster('i', 'inner', 'per_connection_buffer_limit_bytes: 65536'), clusterYaml('b', [upstream], 'per_connection_buffer_limit_bytes: 65536')]), options);
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(async () => { client.destroy(); peer?.destroy(); server.close(); await weir.stop(); });
    client.on('error', () => {});
    client.pause();
    const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${weir.child.pid}/status`, 'utf8'))![1]) / 1024;
    client.write('hello');
    await until('the connection is through', () => peer !== null);
    const base = rss(), still = async (what: string): Promise<void> => { let last = -1; await until(what, async () => { await new Promise((r) => setTimeout(r, 300)); const same = sent === last; last = sent; return same; }); };
    pour(client);
    await still('the sender is held back');
    assert.ok(sent < total, 'not all of it was taken');
    assert.ok(rss() - base < 24, `${rss() - base} MB more`);
    peer!.resume();
    await until('all of it is there', () => got === total + 5);
    sent = 0; got = 0;
    client.on('data', (d: Buffer) => { got += d.length; });
    client.pause();
    pour(peer!);
    await still('the server is held back');
    assert.ok(sent < total);
    client.resume();
    await until('all of it came back', () => got === total);
    client.end();
    await until('the end goes through', () => peer!.readableEnded);
    peer!.end();
    await until('and comes back', () => client.readableEnded);
  });

  test(`${transport}: internal_upstream passes metadata of host and cluster and shared filter state on`, async (t) => {
    const port = await freePort(), b = await httpBackend('b');
    const shared = networkFilter('set_filter_state.v3.Config', 'on_new_connection: [{object_key: who, factory_key: envoy.string, shared_with_upstream: ONCE, format_string: {text_format_source: {inline_string: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}}, {object_key: private, factory_key: envoy.string, format_string: {text_format_source: {inline_string: "p"}}}]');
    const through = `transport_socket: {name: i, typed_config: {"@type": ${TYPE}.transport_sockets.internal_upstream.v3.InternalUpstreamTransport, passthrough_metadata: [{kind: {host: {}}, name: of_host}, {kind: {cluster: {}}, name: of_cluster}, {kind: {host: {}}, name: absent}], ${RAW}}}, metadata: {filter_metadata: {of_cluster: {k: c1}}}`;
    const dst = `transport_socket: {name: i, typed_config: {"@type": ${TYPE}.transport_sockets.internal_upstream.v3.InternalUpstreamTransport, passthrough_metadata: [{kind: {host: {}}, name: envoy.filters.listener.original_dst}], ${RAW}}}`;
    const log = fileLog('log', '%DYNAMIC_METADATA(of_host:k)% %DYNAMIC_METADATA(of_cluster:k)% %FILTER_STATE(who:PLAIN)% %FILTER_STATE(private:PLAIN)%');
    const weir = await startWeir(BOOT() + statics([
      listener(`name: in, ${at(port)}`, `${shared}, ${tcp('cluster: i')}`),
      listener('name: inner, internal_listener: {}', tcp(`cluster: j, ${log}`)),
      // original_dst takes the destination from what came along.
      listener(`name: dst, internal_listener: {}, listener_filters: [{name: o, typed_config: {"@type": ${TYPE}.filters.listener.original_dst.v3.OriginalDst}}]`, tcp('cluster: o')),
    ], [internalCluster('i', 'inner', through, '{of_host: {k: h1}}'), internalCluster('j', 'dst', dst, `{envoy.filters.listener.original_dst: {local: "127.0.0.1:${b.port}"}}`), '  - {name: o, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, connect_timeout: 1s}\n']), options);
    t.after(async () => { await weir.stop(); await b.stop(); });
    assert.equal((await ask(port, '/x')).body, 'b GET /x 0');
    await until('it is logged', () => { try { return readFileSync(join(weir.dir, 'log'), 'utf8') !== ''; } catch { return false; } });
    assert.equal(readFileSync(join(weir.dir, 'log'), 'utf8'), 'h1 c1 127.0.0.1 -\n');
    assert.equal((await weir.stats('internal_upstream'))['cluster.i.internal_upstream.no_metadata'], 1);
  });

  test(`${transport}: a listener that leads to itself starves nobody`, async (t) => {
    const port = await freePort(), fine = await freePort();
    const weir = await startWeir(BOOT() + statics([listener(`name: in, ${at(port)}`, tcp('cluster: i')), listener('name: inner, internal_listener: {}', tcp('cluster: i')), listener(`name: fine, ${at(fine)}`, hcm('fine', '[{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: fine}}}]'))], [internalCluster('i', 'inner', 'circuit_breakers: {thresholds: [{max_connections: 500}]}')]), options);
    t.after(() => weir.stop());
    const s = connect(port, '127.0.0.1');
    s.on('error', () => {});
    s.write('x');
    assert.equal((await ask(fine, '/')).body, 'fine');
    await until('the circuit breaker ends it', async () => (await weir.stats('upstream_cx_overflow'))['cluster.i.upstream_cx_overflow'] === 1);
    s.destroy();
    await until('all are over', async () => (await weir.stats('cx_active'))['cluster.i.upstream_cx_active'] === 0);
  });
}

test('what Envoy refuses of internal listeners is refused in its words', async () => {
  const cases: [string, string, RegExp][] = [
    ['', 'name: l, internal_listener: {}', /error adding listener named 'l': InternalListener bootstrap extension is mandatory/],
    [BOOT(), `name: l, internal_listener: {}, ${at(0)}`, /error adding listener 'l': address should not be used when an internal listener config is provided/],
    [BOOT(), 'name: l, internal_listener: {}, tcp_backlog_size: 5', /error adding listener named 'l': has unsupported tcp listener feature/],
    [BOOT(), 'name: l, internal_listener: {}, socket_options: [{level: 1, name: 2, int_value: 3}]', /error adding listener named 'l': does not support socket option/],
    [BOOT(), 'name: l, address: {envoy_internal_address: {server_listener_name: x}}', /error adding listener named 'l': use internal_listener field instead of address for internal listeners/],
    [BOOT(), 'name: l', /error adding listener named 'l': address is necessary/],
  ];
  for (const [boot, fields, message] of cases) {
    const { ok, text } = validated('--config-yaml', boot + statics([listener(fields, tcp('cluster: c'))], [clusterYaml('c', [1])]));
    assert.ok(!ok, fields);
    assert.match(text, message);
  }
});
