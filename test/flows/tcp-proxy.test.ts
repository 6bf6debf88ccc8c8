// tcp_proxy over real sockets, on both transports: order and half-close, a slow reader in bounded memory, connect attempts with back-off, early data, access logs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml, fileLog, networkFilter, staticYaml, tcpListenerYaml } from '../support/bootstrap.ts';
import { freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

const MIB = 1 << 20;
const rssMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

async function tcpBackend(onSocket: (s: Socket) => void): Promise<{ port: number; stop: () => Promise<void> }> {
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (s) => { open.add(s); s.on('close', () => open.delete(s)); s.on('error', () => {}); onSocket(s); });
  const port = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  return { port, stop: () => new Promise((r) => { for (const s of open) s.destroy(); server.close(() => r()); }) };
}

/** Everything that comes until the other side ends; the socket keeps its own side open until told. */
function collect(s: Socket): { text: () => string; ended: Promise<void>; closed: Promise<void> } {
  let text = '';
  s.on('data', (b: Buffer) => { text += b.toString('latin1'); });
  s.on('error', () => {});
  return { text: () => text, ended: new Promise((r) => s.on('end', () => r())), closed: new Promise((r) => s.on('close', () => r())) };
}

const proxy = (fields: string): string => networkFilter('tcp_proxy.v3.TcpProxy', `stat_prefix: t, ${fields}`);

for (const transport of TRANSPORTS) {
  const args = [`--transport=${transport}`];

  test(`${transport}: the end of each direction is passed on alone, with all bytes before it`, async (t) => {
    const backend = await tcpBackend((s) => { let got = ''; s.on('data', (b) => { got += b.toString('latin1'); }); s.on('end', () => s.end(`${got.length} bytes, then the end`)); });
    const port = await freePort();
    const weir = await startWeir(staticYaml([tcpListenerYaml('l', port, [proxy('cluster: a')])], [clusterYaml('a', [backend.port])]), { args });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const c = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const seen = collect(c);
    c.end(Buffer.alloc(3 * MIB, 'x'));
    await seen.ended;
    assert.equal(seen.text(), `${3 * MIB} bytes, then the end`);
    await seen.closed;
    await until('the connections are counted out', async () => { const s = await weir.stats('tcp|cluster.a.upstream_cx_(active|destroy)|rq_active'); return s['cluster.a.upstream_cx_active'] === 0 && s['cluster.a.upstream_rq_active'] === 0 && s['cluster.a.upstream_cx_destroy'] === 1; });
  });

  test(`${transport}: a slow reader holds the sender back, in bounded memory, both ways`, async (t) => {
    let taken = 0, upstream: Socket | null = null;
    const backend = await tcpBackend((s) => { upstream = s; s.pause(); s.on('data', (b) => { taken += b.length; }); });
    const port = await freePort();
    const weir = await startWeir(staticYaml([tcpListenerYaml('l', port, [proxy('cluster: a')], 'per_connection_buffer_limit_bytes: 65536')], [clusterYaml('a', [backend.port], 'per_connection_buffer_limit_bytes: 65536')]), { args });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const c = connect({ port, host: '127.0.0.1' });
    t.after(() => c.destroy());
    let got = 0;
    c.pause(); c.on('data', (b) => { got += b.length; }); c.on('error', () => {});
    await until('connected', () => upstream !== null);
    const base = rssMb(weir.child.pid!);
    const piece = Buffer.alloc(MIB, 'x');
    for (let i = 0; i < 64; i++) { c.write(piece); upstream!.write(piece); }
    await until('both directions are paused', async () => { const s = await weir.stats('flow_control'); return s['tcp.t.downstream_flow_control_paused_reading_total']! > 0 && s['cluster.a.upstream_flow_control_paused_reading_total']! > 0; });
    assert.ok(rssMb(weir.child.pid!) - base < 48, 'what waits stays with the senders');
    upstream!.resume(); c.resume();
    await until('everything arrived', () => taken === 64 * MIB && got === 64 * MIB, 30_000);
  });

  test(`${transport}: early data waits for the upstream and reaches it first; without a cluster the client's connection ends`, async (t) => {
    let first = '';
    const backend = await tcpBackend((s) => s.on('data', (b) => { first += b.toString('latin1'); s.write(`got ${first}`); }));
    const ports = [await freePort(), await freePort()] as const;
    const weir = await startWeir(staticYaml([
      tcpListenerYaml('early', ports[0], [proxy('cluster: a, upstream_connect_mode: ON_DOWNSTREAM_DATA, max_early_data_bytes: 4')]),
      tcpListenerYaml('none', ports[1], [proxy('cluster: not_there')]),
    ], [clusterYaml('a', [backend.port])]), { args });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const c = connect({ port: ports[0], host: '127.0.0.1' });
    t.after(() => c.destroy());
    const seen = collect(c);
    await until('accepted', async () => (await weir.stats('tcp.t.downstream_cx_total'))['tcp.t.downstream_cx_total'] === 1);
    assert.equal((await weir.stats('cluster.a.upstream_cx_total'))['cluster.a.upstream_cx_total'], 0, 'no upstream before the first byte');
    c.write('hello world');
    await until('answered', () => seen.text() === 'got hello world');
    assert.equal((await weir.stats('early'))['tcp.t.early_data_received_count_total'], 1);
    const lost = connect({ port: ports[1], host: '127.0.0.1' });
    await collect(lost).closed;
    assert.equal((await weir.stats('no_route'))['tcp.t.downstream_cx_no_route'], 1);
  });
}

test('failed attempts are repeated with back-off; access logs are written at start, when connected and at the end', async (t) => {
  const dead = await freePort(), ports = [await freePort(), await freePort()] as const;
  const backend = await tcpBackend((s) => s.on('data', (b) => s.end(b)));
  const log = fileLog('access.log', '%ACCESS_LOG_TYPE% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %RESPONSE_FLAGS%');
  const weir = await startWeir(staticYaml([
    tcpListenerYaml('dead', ports[0], [proxy(`cluster: dead, max_connect_attempts: 3, backoff_options: {base_interval: 0.02s}, ${log}`)]),
    tcpListenerYaml('a', ports[1], [proxy(`cluster: a, ${log}, access_log_options: {flush_access_log_on_start: true, flush_access_log_on_connected: true}`)]),
  ], [clusterYaml('dead', [dead]), clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const lines = (): string[] => { try { return readFileSync(join(weir.dir, 'access.log'), 'utf8').split('\n').filter((x) => x !== ''); } catch { return []; } };
  await collect(connect({ port: ports[0], host: '127.0.0.1' })).closed;
  await until('logged', () => lines().length === 1);
  assert.deepEqual(lines(), ['TcpConnectionEnd 0 0 3 UF,URX']);
  const c = connect({ port: ports[1], host: '127.0.0.1' });
  const seen = collect(c);
  c.write('hi');
  await seen.closed;
  await until('logged', () => lines().length === 4);
  assert.deepEqual(lines().slice(1), ['TcpConnectionStart 0 0 0 -', 'TcpUpstreamConnected 0 0 1 -', 'TcpConnectionEnd 2 2 1 -']);
});

test('filter state chooses the cluster of a connection, by what is known of it', async (t) => {
  const say = (name: string): ReturnType<typeof tcpBackend> => tcpBackend((s) => s.on('data', () => s.end(name)));
  const local = await say('local'), other = await say('other'), port = await freePort();
  const state = networkFilter('set_filter_state.v3.Config', 'on_new_connection: [{object_key: envoy.tcp_proxy.cluster, format_string: {text_format_source: {inline_string: "from_%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}}]');
  const weir = await startWeir(staticYaml([tcpListenerYaml('l', port, [state, proxy('cluster: other')])], [clusterYaml('from_127.0.0.1', [local.port]), clusterYaml('other', [other.port])]));
  t.after(async () => { await weir.stop(); await local.stop(); await other.stop(); });
  const c = connect({ port, host: '127.0.0.1' }), seen = collect(c);
  c.write('x');
  await seen.closed;
  assert.equal(seen.text(), 'local');
});

test('an upstream told by PROXY protocol gets one client on each connection, HTTP too', async (t) => {
  const heads: string[] = [];
  const backend = await tcpBackend((s) => { let first = true; s.on('data', (b) => { const text = b.toString('latin1'); if (first) { heads.push(text.split('\r\n')[0]!); first = false; } if (text.includes('\r\n\r\n')) s.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'); }); });
  const port = await freePort();
  const socket = 'transport_socket: {name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport, config: {version: V1}, transport_socket: {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}}';
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [backend.port], socket)]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const clients = await Promise.all([0, 1].map(() => new Promise<Socket>((r) => { const c = connect({ port, host: '127.0.0.1' }, () => r(c)); })));
  for (let round = 0; round < 2; round++) for (const c of clients) { const answer = new Promise((r) => c.once('data', r)); c.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'); await answer; }
  assert.deepEqual(heads, clients.map((c) => `PROXY TCP4 127.0.0.1 127.0.0.1 ${c.localPort} ${port}`));
  for (const c of clients) c.destroy();
});

test('access logs tell by their flags of a connection that lived too long and of a cluster that is not there', async (t) => {
  const backend = await tcpBackend(() => {}), ports = [await freePort(), await freePort()] as const;
  const log = fileLog('access.log', '%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%');
  const weir = await startWeir(staticYaml([tcpListenerYaml('age', ports[0], [proxy(`cluster: a, max_downstream_connection_duration: 0.1s, ${log}`)]), tcpListenerYaml('none', ports[1], [proxy(`cluster: not_there, ${log}`)])], [clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const lines = (): string[] => { try { return readFileSync(join(weir.dir, 'access.log'), 'utf8').split('\n').filter((x) => x !== ''); } catch { return []; } };
  for (const port of ports) { const before = lines().length; await collect(connect({ port, host: '127.0.0.1' })).closed; await until('logged', () => lines().length === before + 1); }
  assert.deepEqual(lines(), ['DT -', 'NC -']);
});
