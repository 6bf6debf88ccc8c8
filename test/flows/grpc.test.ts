// A real gRPC client and server (grpc-js) through the proxy: every kind of call, deadlines, cancelling, large messages, many streams on one connection, an upstream that
// says goodbye. On both transports, with the upstream's protocol told, taken from the downstream, and by default.
import assert from 'node:assert/strict';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { echoOnce, grpcBackend, GrpcClient } from '../support/grpc-backend.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

const upstream = (options: string): string => `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, ${options}}}`;
const MIXES = { explicit: 'explicit_http_config: {http2_protocol_options: {}}', downstream: 'use_downstream_protocol_config: {http2_protocol_options: {}}' };
const ROUTES = '[{match: {prefix: "/dead"}, route: {cluster: dead}}, {match: {prefix: "/test.Echo/"}, route: {cluster: a, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0s}}}]';

async function proxy(t: test.TestContext, options: { mix?: string; transport?: string } = {}): Promise<{ backend: Awaited<ReturnType<typeof grpcBackend>>; client: GrpcClient; port: number; admin: number }> {
  const backend = await grpcBackend(), port = await freePort(), dead = await freePort();
  const limits = 'circuit_breakers: {thresholds: [{max_requests: 5000, max_pending_requests: 5000}]}';
  const weir = await startWeir(bootstrapYaml([{ port, routes: ROUTES, hcm: 'http2_protocol_options: {max_concurrent_streams: 2000}' }], [clusterYaml('a', [backend.port], `${limits}, ${upstream(options.mix ?? MIXES.explicit)}`), clusterYaml('dead', [dead], upstream(MIXES.explicit))]), { args: options.transport === undefined ? [] : [`--transport=${options.transport}`] });
  const client = new GrpcClient(port);
  t.after(async () => { client.close(); await weir.stop(); backend.stop(); });
  return { backend, client, port, admin: weir.admin };
}

for (const [name, options] of [['told', { mix: MIXES.explicit }], ['as the downstream', { mix: MIXES.downstream }], ['told, over node:net', { mix: MIXES.explicit, transport: 'node' }]] as const) {
  test(`every kind of call, upstream protocol ${name}: messages, metadata, trailers, statuses`, async (t) => {
    const { client, backend } = await proxy(t, options);
    const one = await client.unary('hello', {}, { 'x-meta': 'm' });
    assert.deepEqual([one.code, one.body.toString(), one.head?.get('x-got'), one.trailers?.get('x-trailer')], [0, 'hello', ['m'], ['t']]);
    const failed = await client.unary('fail 7');
    assert.deepEqual([failed.code, failed.details], [7, 'failed as told: 7 %']);
    assert.deepEqual((await client.down(500)).length, 500);
    assert.equal(await client.up([Buffer.alloc(100_000), Buffer.alloc(5), Buffer.alloc(70_000)]), '170005');
    const both = client.both();
    for (const text of ['a', 'b'.repeat(100_000), 'c']) assert.equal(await echoOnce(both, text), text);
    both.end();
    const late = await client.unary('slow 3000', { deadline: Date.now() + 150 });
    assert.equal(late.code, 4);
    const cancelled = client.unary('slow 3000');
    setTimeout(() => cancelled.call.cancel(), 60);
    assert.equal((await cancelled).code, 1);
    await until('the upstream knows of both', () => backend.cancelled() >= 2);
    assert.equal((await client.unary('x', {}, {}, '/dead/x')).code, 14);
    const none = await client.unary('x', {}, {}, '/nowhere/x');
    assert.equal(none.code, 12);
  });
}

test('a message of 64 MB there and back', async (t) => {
  const { client } = await proxy(t);
  const message = Buffer.alloc(64 << 20, 'abcdefg');
  const r = await client.unary(message);
  assert.equal(r.code, 0, r.details);
  assert.ok(r.body.equals(message));
});

test('a thousand streams at once on one connection, each with messages in both directions', async (t) => {
  const { client, admin } = await proxy(t);
  const calls = Array.from({ length: 1000 }, () => client.both());
  for (let round = 0; round < 2; round++) {
    const got = await Promise.all(calls.map((c, i) => echoOnce(c, `${round}-${i}`)));
    got.forEach((g, i) => assert.equal(g, `${round}-${i}`));
  }
  const stats = await (await fetch(`http://127.0.0.1:${admin}/stats?filter=downstream_(cx|rq)_active$`)).text();
  assert.match(stats, /http\.http\.downstream_cx_active: 1\n/);
  assert.match(stats, /http\.http\.downstream_rq_active: 1000\n/);
  const ends = calls.map((c) => new Promise((r) => { c.on('end', r); }));
  for (const c of calls) c.end();
  await Promise.all(ends);
});

test('an upstream that says goodbye: calls under way end well, new ones go to a new connection', async (t) => {
  const { client, backend } = await proxy(t);
  const both = client.both();
  assert.equal(await echoOnce(both, 'before'), 'before');
  const drained = backend.drain();
  assert.equal(await echoOnce(both, 'after'), 'after');
  const next = await grpcBackend(await until('the port is free', async () => { try { const b = await grpcBackend(backend.port); b.stop(); return backend.port; } catch { return 0; } }));
  t.after(() => next.stop());
  const r = await client.unary('again');
  assert.deepEqual([r.code, r.body.toString()], [0, 'again']);
  const end = new Promise((done) => { both.on('end', done); });
  both.end();
  await end;
  await drained;
});
