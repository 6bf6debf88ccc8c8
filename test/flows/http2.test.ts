// HTTP/2 on real sockets: attacks that end the attacker's connection and no more, readers that do not read, goodbyes, and tunnels across versions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, request } from 'node:http';
import http2 from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';
import test from 'node:test';
import { ask as lines, data, frame, rst, T, window } from '../engine/codec/h2/wire.ts';
import { httpBackend } from '../support/backend.ts';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { RawH2 } from '../support/h2-wire.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const H2_UPSTREAM = 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {allow_connect: true}}}}';
const rssMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
const stat = async (admin: number, name: string): Promise<number> => Number(/: (\d+)/.exec((await ask(admin, `/stats?filter=^${name}$`)).body)?.[1] ?? 0);
const pause = (ms: number): Promise<void> => new Promise((r) => { setTimeout(r, ms); });

test('rapid reset: the connection ends after some hundred streams, others are served, and the backend sees few at a time', async (t) => {
  let now = 0, most = 0;
  const backend = await httpBackend('a', (req, res) => { most = Math.max(most, ++now); res.on('close', () => { now--; }); if (req.url === '/fast') res.end('ok'); });
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const c = await RawH2.open(port);
  let sent = 0;
  for (; sent < 20_000 && !c.closed; sent++) {
    const id = 1 + 2 * sent;
    if (!c.send(c.heads.headers(id, lines('/slow'), true), rst(id, 8))) await c.drained();
    if (sent % 100 === 99) await pause(1);
  }
  await until('the connection is closed', () => c.closed);
  assert.ok(sent < 20_000);
  assert.equal(await stat(weir.admin, 'http.http.downstream_rq_too_many_premature_resets'), 1);
  assert.ok(await stat(weir.admin, 'http.http.downstream_rq_total') < 1500);
  assert.ok(most <= 1024, `${most} at a time`);
  assert.equal((await ask(port, '/fast')).body, 'ok');
  await until('nothing is left over', async () => await stat(weir.admin, 'http.http.downstream_rq_active') === 0 && await stat(weir.admin, 'http2.streams_active') === 0);
});

test('floods: CONTINUATION, empty DATA, PING and SETTINGS without end: the connection is closed and memory does not grow', async (t) => {
  const backend = await httpBackend(), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'codec_type: HTTP2' }], [clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const before = rssMb(weir.child.pid!);
  const floods: Record<string, (c: RawH2) => [Buffer, Buffer]> = {
    continuation: (c) => [frame(T.HEADERS, 0, 1, c.heads.block(lines('/'))), frame(T.CONTINUATION, 0, 1, Buffer.alloc(8000, 0x82))],
    'empty data': (c) => [c.heads.headers(1, lines('/', [], 'POST')), data(1, '')],
    ping: () => [Buffer.alloc(0), Buffer.concat(Array.from({ length: 500 }, () => frame(T.PING, 0, 0, '12345678')))],
    settings: () => [Buffer.alloc(0), Buffer.concat(Array.from({ length: 500 }, () => frame(T.SETTINGS, 0, 0)))],
  };
  for (const [what, make] of Object.entries(floods)) {
    const c = await RawH2.open(port), [first, again] = make(c);
    c.socket.pause(); // an attacker that does not read
    c.send(first);
    for (let i = 0; i < 20_000 && !c.closed; i++) if (!c.send(again)) { c.socket.resume(); await c.drained(); }
    c.socket.resume();
    await until(`${what}: closed`, () => c.closed);
  }
  assert.ok(rssMb(weir.child.pid!) - before < 60, `from ${before} to ${rssMb(weir.child.pid!)} MB`);
});

test('readers that open no window: what is kept for each stream is bounded, and the rest is served', async (t) => {
  let sent = 0;
  const piece = Buffer.alloc(65_536, 'x');
  const server = createHttpServer((_req, res) => { const more = (): void => { while (!res.destroyed) { sent += piece.length; if (!res.write(piece)) { res.once('drain', more); return; } } }; more(); });
  const backendPort = await new Promise<number>((r) => { server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)); });
  const quick = await httpBackend('b'), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: "/quick"}, route: {cluster: b}}, {match: {prefix: "/"}, route: {cluster: a}}]' }], [clusterYaml('a', [backendPort], 'per_connection_buffer_limit_bytes: 32768'), clusterYaml('b', [quick.port])]));
  t.after(async () => { server.closeAllConnections(); server.close(); await weir.stop(); await quick.stop(); });
  const before = rssMb(weir.child.pid!);
  const c = await RawH2.open(port, [4, 0]);
  c.send(...Array.from({ length: 100 }, (_, i) => c.heads.headers(1 + 2 * i, lines('/endless'), true)));
  await until('all have their heads', () => c.lines.filter((l) => l.startsWith('HEADERS')).length === 100);
  await pause(500);
  const stuck = sent;
  await pause(500);
  // Kernel buffers of a hundred upstream sockets are in it too.
  assert.ok(sent - stuck < 10 * piece.length, 'the senders stand still');
  assert.ok(rssMb(weir.child.pid!) - before < 120, `from ${before} to ${rssMb(weir.child.pid!)} MB for 100 streams`);
  assert.equal((await ask(port, '/quick')).status, 200);
  c.send(window(1, 50_000));
  await until('the one that opens gets its bytes', () => c.lines.filter((l) => l.startsWith('DATA 1 ')).length >= 3);
  assert.equal(c.lines.filter((l) => /^DATA (?!1 )/.test(l)).length, 0);
  c.stop();
  await until('everything is given back', async () => await stat(weir.admin, 'cluster.a.upstream_cx_active') === 0);
});

test('drain: a first GOAWAY refuses nothing, requests on their way are served, the connection ends after the second', async (t) => {
  const backend = await httpBackend('a', (_req, res) => { setTimeout(() => res.end('ok'), 150); }), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'drain_timeout: 0.3s' }], [clusterYaml('a', [backend.port])]), { args: ['--drain-time-s', '5', '--drain-strategy', 'immediate'] });
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const c = await RawH2.open(port);
  c.send(c.heads.headers(1, lines('/1'), true));
  await until('an answer', () => c.lines.some((l) => l.startsWith('DATA 1 end')));
  await ask(weir.admin, '/drain_listeners?graceful', { method: 'POST' });
  c.send(c.heads.headers(3, lines('/3'), true));
  await until('the notice', () => c.lines.includes('GOAWAY 2147483647 0'));
  await until('the second one', () => c.lines.includes('GOAWAY 3 0'));
  assert.ok(c.lines.some((l) => l.startsWith('DATA 3 end')));
  await until('closed', () => c.closed);
});

/** An HTTP/2 upstream that takes extended CONNECT and echoes what comes through it. */
async function tunnelBackend(): Promise<{ port: number; seen: http2.IncomingHttpHeaders[]; stop: () => void }> {
  const seen: http2.IncomingHttpHeaders[] = [], sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('session', (s) => { sessions.add(s); s.on('error', () => {}); });
  server.on('stream', (s, h) => { seen.push({ ...h }); s.on('error', () => {}); s.respond({ ':status': 200 }); s.on('data', (b: Buffer) => { s.write(b); }); s.on('end', () => s.end()); });
  const port = await new Promise<number>((r) => { server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)); });
  return { port, seen, stop: () => { for (const s of sessions) s.destroy(); server.close(); } };
}

test('a WebSocket of an HTTP/1 client goes to an HTTP/2 upstream as extended CONNECT, and so does one of an HTTP/2 client', async (t) => {
  const backend = await tunnelBackend(), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'upgrade_configs: [{upgrade_type: websocket}]\nhttp2_protocol_options: {allow_connect: true}' }], [clusterYaml('a', [backend.port], H2_UPSTREAM)]));
  t.after(async () => { await weir.stop(); backend.stop(); });
  const got = await new Promise<string>((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path: '/ws', headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' } });
    req.on('upgrade', (res, socket) => { assert.deepEqual([res.statusCode, res.headers.upgrade, res.headers.connection], [101, 'websocket', 'upgrade']); socket.write('hi'); socket.once('data', (b: Buffer) => { resolve(b.toString()); socket.destroy(); }); });
    req.on('response', (res) => reject(new Error(`status ${res.statusCode}`)));
    req.on('error', reject);
    req.end();
  });
  assert.equal(got, 'hi');
  assert.deepEqual([backend.seen[0]![':method'], backend.seen[0]![':protocol'], backend.seen[0]![':path'], backend.seen[0]!['sec-websocket-version']], ['CONNECT', 'websocket', '/ws', '13']);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  await new Promise((r) => { session.once('remoteSettings', r); });
  const s = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws2', ':scheme': 'http', ':authority': 'x' }, { endStream: false });
  const status = await new Promise((r) => { s.once('response', (h) => r(h[':status'])); });
  assert.equal(status, 200);
  s.write('yo');
  assert.equal(await new Promise((r) => { s.once('data', (b: Buffer) => r(b.toString())); }), 'yo');
  assert.equal(backend.seen[1]![':protocol'], 'websocket');
  s.close();
});

test('CONNECT of an HTTP/2 client is passed on to an HTTP/1 and to an HTTP/2 upstream', async (t) => {
  const server = createServer((s) => { let head = ''; s.on('error', () => {}); s.on('data', (b: Buffer) => { if (head.endsWith('\r\n\r\n')) { s.write(b); return; } head += b.toString('latin1'); if (head.endsWith('\r\n\r\n')) { assert.match(head, /^CONNECT target:80 HTTP\/1.1\r\n/); s.write('HTTP/1.1 200 OK\r\n\r\n'); } }); });
  const first = await new Promise<number>((r) => { server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)); });
  const second = await tunnelBackend(), ports = [await freePort(), await freePort()];
  const routes = (c: string): string => `[{match: {connect_matcher: {}}, route: {cluster: ${c}, upgrade_configs: [{upgrade_type: CONNECT}]}}]`;
  const weir = await startWeir(bootstrapYaml(['a', 'b'].map((c, i) => ({ port: ports[i]!, name: c, routes: routes(c), hcm: 'http2_protocol_options: {allow_connect: true}' })), [clusterYaml('a', [first]), clusterYaml('b', [second.port], H2_UPSTREAM)]));
  t.after(async () => { await weir.stop(); second.stop(); server.close(); });
  for (const port of ports) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    t.after(() => session.destroy());
    const s = session.request({ ':method': 'CONNECT', ':authority': 'target:80' }, { endStream: false });
    assert.equal(await new Promise((r) => { s.once('response', (h) => r(h[':status'])); }), 200);
    s.write('ping');
    assert.equal(await new Promise((r) => { s.once('data', (b: Buffer) => r(b.toString())); }), 'ping');
    s.close();
  }
  assert.deepEqual([second.seen[0]![':method'], second.seen[0]![':authority'], second.seen[0]![':path']], ['CONNECT', 'target:80', undefined]);
});
