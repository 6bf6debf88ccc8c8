// udp_proxy over real sockets: a client keeps its host, answers find their client, sessions end when idle, datagrams go nowhere without a route, limits hold.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import test from 'node:test';
import { clusterYaml } from '../support/bootstrap.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

function bound(onMessage: (s: Socket, text: string, port: number) => void): Promise<Socket & { portNumber: number }> {
  return new Promise((resolve) => { const s = createSocket('udp4') as Socket & { portNumber: number }; s.on('message', (b, from) => onMessage(s, b.toString('latin1'), from.port)); s.bind(0, '127.0.0.1', () => { s.portNumber = s.address().port; resolve(s); }); });
}
const echo = (name: string): ReturnType<typeof bound> => bound((s, text, port) => s.send(`${name}:${text}`, port, '127.0.0.1'));

function listener(port: number, fields: string): string {
  return `  - name: u${port}
    address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: ${port}}}
    listener_filters: [{name: u, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: u, ${fields}}}]
`;
}
const to = (cluster: string): string => `{action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: ${cluster}}}}`;

test('clients keep to a host and get their own answers; sessions end when idle; no route, and no room, is counted', async (t) => {
  const a = await echo('a'), b = await echo('b'), ports = [await freePort(), await freePort(), await freePort()] as const;
  const none = 'matcher: {matcher_tree: {input: {name: i, typed_config: {"@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput}}, exact_match_map: {map: {"192.0.2.1": ';
  const weir = await startWeir(`static_resources:\n  listeners:\n${listener(ports[0], `idle_timeout: 0.5s, matcher: {on_no_match: ${to('both')}}`)}${listener(ports[1], `${none}${to('both')}}}}}`)}${listener(ports[2], `matcher: {on_no_match: ${to('small')}}`)}  clusters:\n${clusterYaml('both', [a.portNumber, b.portNumber])}${clusterYaml('small', [a.portNumber], 'circuit_breakers: {thresholds: [{max_connections: 1}]}')}`);
  const got = new Map<Socket, string[]>();
  const clients = await Promise.all(Array.from({ length: 4 }, () => bound((s, text) => got.get(s)!.push(text))));
  for (const c of clients) got.set(c, []);
  t.after(async () => { await weir.stop(); for (const s of [a, b, ...clients]) s.close(); });
  for (let round = 0; round < 3; round++) {
    clients.forEach((c, i) => c.send(`${i}.${round}`, ports[0], '127.0.0.1'));
    await until('all answered', () => clients.every((c) => got.get(c)!.length === round + 1));
  }
  const hosts = clients.map((c, i) => { const [first] = got.get(c)!; const name = first![0]!; assert.deepEqual(got.get(c), [0, 1, 2].map((r) => `${name}:${i}.${r}`)); return name; });
  assert.deepEqual(new Set(hosts), new Set(['a', 'b']), 'both hosts are used');
  await until('sessions end', async () => { const s = await weir.stats('udp.u'); return s['udp.u.downstream_sess_active'] === 0 && s['udp.u.idle_timeout'] === 4; });
  clients[0]!.send('x', ports[1], '127.0.0.1');
  await until('no route', async () => (await weir.stats('no_route'))['udp.u.downstream_sess_no_route'] === 1);
  clients[0]!.send('first', ports[2], '127.0.0.1');
  await until('answered', () => got.get(clients[0]!)!.includes('a:first'));
  clients[1]!.send('second', ports[2], '127.0.0.1');
  await until('no room', async () => (await weir.stats('cx_overflow'))['cluster.small.upstream_cx_overflow'] === 1);
  assert.ok(!got.get(clients[1]!)!.includes('a:second'));
});
