// One probe at a time against real sockets: what is asked, and what each answer comes to.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import { createServer as createNet, type AddressInfo, type Server } from 'node:net';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import { BlockSearch } from '../../../../engine/control/health/block-search.ts';
import { decodeStatus, encodeCheck, GrpcProbe } from '../../../../engine/control/health/grpc-probe.ts';
import { HttpProbe } from '../../../../engine/control/health/http-probe.ts';
import { makeProbeCodec } from '../../../../engine/control/health/probe-codecs.ts';
import type { Probe, ProbeConnector, ProbeResult } from '../../../../engine/control/health/probe.ts';
import { TcpProbe } from '../../../../engine/control/health/tcp-probe.ts';
import { SystemClock } from '../../../../engine/loop/clock.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import { NodeTransport } from '../../../../engine/net/transport/node.ts';
import type { HttpCheckPlan } from '../../../../engine/plan/health-plan.ts';
import { HTTP1_DEFAULTS } from '../../../../engine/plan/http1-options-plan.ts';

const HTTP: HttpCheckPlan = { kind: 'http', host: '', path: '/hc', method: 'GET', http2: false, send: null, receive: [], responseBufferBytes: 1024, headers: { add: [], remove: [] }, expected: [{ from: 200, to: 201 }], retriable: [{ from: 503, to: 504 }], serviceName: null };
const bytes = (t: string): Uint8Array => new Uint8Array(Buffer.from(t));

function listen(t: TestContext, server: Server | Http2Server): Promise<number> {
  t.after(() => { server.close(); if ('closeAllConnections' in server) (server as { closeAllConnections(): void }).closeAllConnections(); });
  return new Promise((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
}
const target = (port: number) => ({ address: ipAddress('127.0.0.1', port), hostname: '', clusterName: 'the-cluster' });
const transport = new NodeTransport({ onTurnStart() {}, onTurnEnd() {} });
const connector: ProbeConnector = { secured: false, connect: (remote, sink) => transport.connect({ remote, bind: null, freebind: false, options: [], noDelay: true, keepalive: null }, sink) };
const env = (http2: boolean) => ({ connector, makeCodec: (host: never, output: never) => makeProbeCodec(http2, { http1: HTTP1_DEFAULTS }, setImmediate, host, output), reuse: true, operators: { hostname: '', environment: () => undefined }, clock: new SystemClock() });
const once = (probe: Probe): Promise<ProbeResult> => new Promise((r) => probe.start(r));

async function http(t: TestContext, plan: Partial<HttpCheckPlan>, answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<HttpProbe> {
  const probe = new HttpProbe({ ...HTTP, ...plan }, target(await listen(t, createServer(answer))), env(false));
  t.after(() => probe.close());
  return probe;
}

test('an HTTP check asks as Envoy asks, and keeps its connection', async (t) => {
  const seen: unknown[] = [], ports = new Set<number | undefined>();
  const probe = await http(t, {}, (req, res) => { seen.push([req.method, req.url, req.headers]); ports.add(req.socket.remotePort); res.end(); });
  assert.deepEqual([await once(probe), await once(probe)], [{ ok: true, degraded: false }, { ok: true, degraded: false }]);
  assert.deepEqual(seen[0], ['GET', '/hc', { host: 'the-cluster', 'user-agent': 'Envoy/HC' }]);
  assert.equal(ports.size, 1);
});

test('statuses: expected passes, retriable counts, another is out at once; x-envoy-degraded is seen', async (t) => {
  const answers = [200, 503, 500, 200];
  const probe = await http(t, {}, (_req, res) => { res.statusCode = answers.shift()!; if (answers.length === 0) res.setHeader('x-envoy-degraded', '1'); res.end(); });
  assert.deepEqual([await once(probe), await once(probe), await once(probe), await once(probe)],
    [{ ok: true, degraded: false }, { ok: false, type: 'ACTIVE', retriable: true, status: 503 }, { ok: false, type: 'ACTIVE', retriable: false, status: 500 }, { ok: true, degraded: true }]);
});

test('the body must have the blocks in their order, and a wrong service name is a wrong cluster', async (t) => {
  const body = await http(t, { receive: [bytes('one'), bytes('two')] }, (req, res) => res.end(req.url === '/hc' ? 'one and two' : ''));
  assert.deepEqual(await once(body), { ok: true, degraded: false });
  const wrong = await http(t, { receive: [bytes('two'), bytes('one')] }, (_req, res) => res.end('one and two'));
  assert.deepEqual(await once(wrong), { ok: false, type: 'ACTIVE', retriable: false, status: 200 });
  const name = await http(t, { serviceName: { kind: 'prefix', text: 'mine', ignoreCase: false } }, (_req, res) => { res.setHeader('x-envoy-upstream-healthchecked-cluster', 'theirs'); res.end(); });
  assert.deepEqual(await once(name), { ok: false, type: 'ACTIVE', retriable: false, wrongCluster: true, status: 200 });
});

test('a payload is sent, and a connection that the host closes is opened anew', async (t) => {
  let got = '';
  const probe = await http(t, { method: 'POST', send: bytes('PING') }, (req, res) => { req.on('data', (b: Buffer) => { got += b; }); req.on('end', () => { res.setHeader('connection', 'close'); res.end(); }); });
  assert.deepEqual([(await once(probe)).ok, (await once(probe)).ok, got], [true, true, 'PINGPING']);
});

test('no answer but garbage, an end or a refusal is a network failure', async (t) => {
  const port = await listen(t, createNet((s) => { s.on('error', () => {}); s.once('data', () => s.end('garbage\r\n\r\n')); }));
  assert.deepEqual(await once(new HttpProbe(HTTP, target(port), env(false))), { ok: false, type: 'NETWORK', retriable: false });
  const closed = await listen(t, createNet((s) => { s.on('error', () => {}); s.destroy(); }));
  assert.deepEqual(await once(new HttpProbe(HTTP, target(closed), env(false))), { ok: false, type: 'NETWORK', retriable: false });
  const gone = createNet();
  const dead = await new Promise<number>((r) => gone.listen(0, '127.0.0.1', () => { const { port: p } = gone.address() as AddressInfo; gone.close(() => r(p)); }));
  for (const probe of [new HttpProbe(HTTP, target(dead), env(false)), new TcpProbe({ kind: 'tcp', send: null, receive: [] }, target(dead), connector, true)]) assert.deepEqual(await once(probe), { ok: false, type: 'NETWORK', retriable: false });
});

test('a TCP check connects, or sends and finds what it expects, over the same connection', async (t) => {
  const seen: string[] = [];
  let connections = 0;
  const port = await listen(t, createNet((s) => { connections++; s.on('error', () => {}); s.on('data', (b) => { seen.push(b.toString()); s.write('PO'); setImmediate(() => s.write('NG!')); }); }));
  assert.deepEqual(await once(new TcpProbe({ kind: 'tcp', send: null, receive: [] }, target(port), connector, true)), { ok: true, degraded: false });
  const probe = new TcpProbe({ kind: 'tcp', send: bytes('PING'), receive: [bytes('PONG')] }, target(port), connector, true);
  t.after(() => probe.close());
  assert.deepEqual([(await once(probe)).ok, (await once(probe)).ok, seen, connections], [true, true, ['PING', 'PING'], 2]);
});

test('a gRPC check is served by SERVING alone', async (t) => {
  const seen: unknown[] = [];
  const server = createHttp2();
  server.on('stream', (s, h) => {
    let body = Buffer.alloc(0);
    s.on('error', () => {});
    s.on('data', (b: Buffer) => { body = Buffer.concat([body, b]); });
    s.on('end', () => {
      const service = body.subarray(7).toString();
      seen.push([h[':path'], h[':authority'], h['content-type'], h['te'], h['grpc-timeout'], service]);
      if (service === 'trailers-only') { s.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true }); return; }
      s.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      s.on('wantTrailers', () => s.sendTrailers({ 'grpc-status': '0' }));
      s.end(Buffer.from([0, 0, 0, 0, 2, 8, service === 'up' ? 1 : 2]));
    });
  });
  const port = await listen(t, server);
  const ask = async (serviceName: string): Promise<ProbeResult[]> => { const p = new GrpcProbe({ kind: 'grpc', serviceName, authority: '', metadata: { add: [], remove: [] } }, 500, target(port), env(true)); const out = [await once(p), await once(p)]; p.close(); return out; };
  const good = { ok: true, degraded: false }, bad = { ok: false, type: 'ACTIVE', retriable: false };
  assert.deepEqual([await ask('up'), await ask('down'), await ask('trailers-only')], [[good, good], [bad, bad], [bad, bad]]);
  assert.deepEqual(seen[0], ['/grpc.health.v1.Health/Check', 'the-cluster', 'application/grpc', 'trailers', '500m', 'up']);
});

test('any bytes in place of a gRPC answer are a status or none, without an exception', () => {
  assert.deepEqual([...encodeCheck('')], [0, 0, 0, 0, 0]);
  assert.equal(decodeStatus(Buffer.from([0, 0, 0, 0, 2, 8, 1])), 1);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (b) => Number.isInteger(decodeStatus(b))));
});

test('blocks are found however the bytes are cut, and not beyond the limit', () => {
  const whole = Buffer.from('xxONEyyTWOzz');
  for (let cut = 0; cut <= whole.length; cut++) { const s = new BlockSearch([bytes('ONE'), bytes('TWO')], 0); s.add(whole, 0, cut); s.add(whole, cut, whole.length); assert.ok(s.found); }
  const short = new BlockSearch([bytes('TWO')], 5);
  short.add(whole, 0, whole.length);
  assert.equal(short.found, false);
});
