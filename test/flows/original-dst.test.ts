// Connections that the kernel redirects (iptables REDIRECT) find their way again: original_dst, use_original_dst, ORIGINAL_DST clusters, original_src. The tests run in a
// network namespace of their own; where that cannot be had they say why they do not. On both transports.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { INSIDE, missing, runInside } from '../support/netns.ts';
import { startWeir, TRANSPORTS } from '../support/weir.ts';

const HCM = (name: string, route: string, hcm = ''): string => `filter_chains: [{filters: [{name: h, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: ${name}, ${hcm} route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: "/"}, ${route}}]}]}, http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]`;
const say = (text: string): string => `direct_response: {status: 200, body: {inline_string: "${text}"}}`;
const at = (ip: string, port: number): string => `address: {socket_address: {address: "${ip}", port_value: ${port}}}`;
const LISTENER = 'type.googleapis.com/envoy.extensions.filters.listener';

/** What is redirected: everything to 10.9.9.9 and fd00:9::9, except what Weir itself sends (from 127.0.0.5 or fd00:9::5). */
const SETUP = [
  'ip addr add 10.9.9.9/32 dev lo', 'ip addr add fd00:9::9/128 dev lo nodad', 'ip addr add fd00:9::5/128 dev lo nodad',
  'iptables -t nat -A OUTPUT -p tcp -d 10.9.9.9 ! -s 127.0.0.5 -j REDIRECT --to-ports 15001',
  'ip6tables -t nat -A OUTPUT -p tcp -d fd00:9::9 ! -s fd00:9::5 -j REDIRECT --to-ports 15006',
];

function get(host: string, port: number, headers: Record<string, string> = {}, localAddress?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ host, port, path: '/', headers, agent: false, ...(localAddress === undefined ? {} : { localAddress }) }, (res) => { let body = ''; res.on('data', (b: Buffer) => { body += b; }); res.on('end', () => resolve(`${res.statusCode} ${body}`)); });
    req.setTimeout(5000, () => req.destroy(new Error('no answer')));
    req.on('error', reject);
    req.end();
  });
}

async function backend(host: string, name: string): Promise<{ port: number; stop: () => void }> {
  const server = createServer((req, res) => res.end(`${name} from ${req.socket.remoteAddress?.replace('::ffff:', '')}`));
  const port = await new Promise<number>((r) => server.listen(0, host, () => r((server.address() as AddressInfo).port)));
  return { port, stop: () => { server.closeAllConnections(); server.close(); } };
}

const BIND = 'upstream_bind_config: {source_address: {address: 127.0.0.5, port_value: 0}, extra_source_addresses: [{address: {address: "fd00:9::5", port_value: 0}}]}';
const clusters = `  clusters: [{name: o, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, connect_timeout: 1s, ${BIND}, original_dst_lb_config: {use_http_header: true}}]\n`;
const listeners = (...list: string[]): string => `static_resources:\n  listeners:\n${list.map((l) => `  - {${l}}\n`).join('')}`;

if (!INSIDE) {
  const why = missing();
  test('redirected connections, in a network namespace', { skip: why !== '' && why }, () => assert.equal(runInside(new URL(import.meta.url).pathname, SETUP), ''));
} else for (const transport of TRANSPORTS) {
  const options = { args: [`--transport=${transport}`], concurrency: 2 };

  test(`${transport}: an ORIGINAL_DST cluster connects to where the client meant to go, or where its header says`, async (t) => {
    const there = await backend('10.9.9.9', 'there'), six = await backend('fd00:9::9', 'six'), other = await backend('127.0.0.1', 'other');
    const filter = `listener_filters: [{name: o, typed_config: {"@type": ${LISTENER}.original_dst.v3.OriginalDst}}]`;
    const weir = await startWeir(listeners(`name: four, ${at('0.0.0.0', 15001)}, ${filter}, ${HCM('four', 'route: {cluster: o}')}`, `name: six, ${at('::', 15006)}, ${filter}, ${HCM('six', 'route: {cluster: o}')}`) + clusters, options);
    t.after(async () => { await weir.stop(); there.stop(); six.stop(); other.stop(); });
    assert.equal(await get('10.9.9.9', there.port), '200 there from 127.0.0.5');
    assert.equal(await get('fd00:9::9', six.port), '200 six from fd00:9::5');
    assert.equal(await get('10.9.9.9', there.port, { 'x-envoy-original-dst-host': `127.0.0.1:${other.port}` }), '200 other from 127.0.0.5');
  });

  test(`${transport}: use_original_dst hands a connection over to the listener of its destination, else keeps it`, async (t) => {
    const weir = await startWeir(listeners(
      `name: entry, ${at('0.0.0.0', 15001)}, use_original_dst: true, ${HCM('entry', say('entry'))}`,
      `name: exact, ${at('10.9.9.9', 8081)}, bind_to_port: false, traffic_direction: OUTBOUND, listener_filters: [{name: h, typed_config: {"@type": ${LISTENER}.http_inspector.v3.HttpInspector}}], ${HCM('exact', say('exact'))}`,
      `name: any, ${at('0.0.0.0', 8082)}, bind_to_port: false, ${HCM('any', say('any'))}`,
      `name: stranger, ${at('10.9.9.8', 8083)}, bind_to_port: false, ${HCM('stranger', say('stranger'))}`,
    ), options);
    t.after(() => weir.stop());
    assert.equal(await get('10.9.9.9', 8081), '200 exact');
    assert.equal(await get('10.9.9.9', 8082), '200 any');
    assert.equal(await get('10.9.9.9', 8083), '200 entry');
    assert.equal(await get('127.0.0.1', 15001), '200 entry');
    const s = await weir.stats('downstream_cx_total');
    assert.deepEqual([s['http.exact.downstream_cx_total'], s['http.any.downstream_cx_total'], s['http.entry.downstream_cx_total'], s['listener.0.0.0.0_15001.downstream_cx_total']], [1, 1, 2, 2]);
    const active = await weir.stats('listener.0.0.0.0_15001.*_cx_active');
    for (const [n, v] of Object.entries(active)) assert.equal(v, 0, n);
  });

  test(`${transport}: original_src connects from the client's address, and clients do not share connections`, { skip: transport === 'node' && 'node:net sets no socket options: the next test' }, async (t) => {
    const b = await backend('127.0.0.1', 'b');
    const weir = await startWeir(`${listeners(`name: l, ${at('0.0.0.0', 15001)}, listener_filters: [{name: s, typed_config: {"@type": ${LISTENER}.original_src.v3.OriginalSrc, mark: 123}}], ${HCM('l', 'route: {cluster: b}')}`)}  clusters: [{name: b, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: b, endpoints: [{lb_endpoints: [{endpoint: {${at('127.0.0.1', b.port)}}}]}]}}]\n`, { ...options, concurrency: 1 });
    t.after(async () => { await weir.stop(); b.stop(); });
    for (const from of ['127.0.0.7', '127.0.0.8', '127.0.0.7']) assert.equal(await get('127.0.0.1', 15001, {}, from), `200 b from ${from}`);
    assert.equal((await weir.stats('upstream_cx_total'))['cluster.b.upstream_cx_total'], 2);
  });

  if (transport === 'node') test('node: original_src fails the request, as the address cannot be kept', async (t) => {
    const weir = await startWeir(`${listeners(`name: l, ${at('0.0.0.0', 15001)}, listener_filters: [{name: s, typed_config: {"@type": ${LISTENER}.original_src.v3.OriginalSrc}}], ${HCM('l', 'route: {cluster: b}')}`)}  clusters: [{name: b, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: b, endpoints: [{lb_endpoints: [{endpoint: {${at('127.0.0.1', 1)}}}]}]}}]\n`, options);
    t.after(() => weir.stop());
    assert.match(await get('127.0.0.1', 15001), /^503 .*remote connection failure/);
  });
}
