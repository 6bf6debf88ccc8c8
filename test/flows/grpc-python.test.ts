// Runs alone: 64 MiB messages and a thousand streams take the whole machine.
// A real gRPC client and server of another family than grpc-js: Python's grpcio (the C core), through the proxy, in the clear and with every TLS engine on both sides.
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import test from 'node:test';
import { bootstrapYaml, certificateFiles, clusterYaml, downstreamTls, trusting, upstreamTls } from '../support/bootstrap.ts';
import { certificates } from '../support/certificates.ts';
import { GrpcPython, pythonWithGrpc } from '../support/grpc-python.ts';
import { ENGINES } from '../support/tls-engines.ts';
import { freePort, startWeir, until, type RunningWeir } from '../support/weir.ts';

const { python, missing } = pythonWithGrpc();
const skip = missing === '' ? false : `Python's grpcio is not to be had: ${missing}`;
if (skip !== false) console.log(`skipped: ${skip}`);

const certs = certificates();
const HTTP2 = 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}';
const LIMITS = 'circuit_breakers: {thresholds: [{max_requests: 5000, max_pending_requests: 5000}]}';
const ROUTES = '[{match: {prefix: "/dead"}, route: {cluster: dead}}, {match: {prefix: "/test.Echo/"}, route: {cluster: a, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0s}}}]';
const WAYS = [{ name: 'h2c', engine: '' }, ...ENGINES.map((engine) => ({ name: `TLS on both sides by ${engine}`, engine }))];

interface Seen { readonly cancelled: number; readonly active: number }
interface Path { readonly client: GrpcPython; readonly seen: () => Promise<Seen>; readonly weir: RunningWeir; readonly port: number }

/** client → Weir → server, each by a process of its own. */
async function path(t: test.TestContext, engine: string): Promise<Path> {
  const server = new GrpcPython(python, ['server', ...(engine === '' ? [] : [certs.server.certFile, certs.server.keyFile])]);
  t.after(() => server.stop());
  const backend = await server.line() as number, port = await freePort(), dead = await freePort();
  const tls = engine === '' ? '' : `, ${upstreamTls(trusting(certs.ca), 'sni: localhost')}`;
  const listener = { port, routes: ROUTES, hcm: 'http2_protocol_options: {max_concurrent_streams: 2000}', chain: engine === '' ? '' : downstreamTls(`alpn_protocols: [h2], ${certificateFiles(certs.server)}`) };
  const weir = await startWeir(bootstrapYaml([listener], [clusterYaml('a', [backend], `${LIMITS}, ${HTTP2}${tls}`), clusterYaml('dead', [dead], HTTP2)]), { args: engine === '' ? [] : [`--tls=${engine}`] });
  t.after(() => weir.stop());
  const client = new GrpcPython(python, ['client', String(port), ...(engine === '' ? [] : [certs.ca.certFile])]);
  t.after(() => client.stop());
  return { client, weir, port, seen: async () => await server.ask('seen') as Seen };
}

/** The fields of the answer's first HEADERS to a unary call, by a bare HTTP/2 client, and whether the stream ended with them. */
function firstHeaders(port: number, engine: string, message: string): Promise<{ status: unknown; grpc: unknown; message: unknown; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const session = connect(`${engine === '' ? 'http' : 'https'}://localhost:${port}`, { ca: certs.ca.cert, host: '127.0.0.1' } as object);
    session.on('error', reject);
    const call = session.request({ ':method': 'POST', ':path': '/test.Echo/Unary', 'content-type': 'application/grpc', te: 'trailers' });
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.write(message, 5);
    call.on('error', reject);
    call.on('response', (h, flags) => { resolve({ status: h[':status'], grpc: h['grpc-status'], message: h['grpc-message'], ended: (flags & 1) === 1 }); session.destroy(); });
    call.end(frame);
  });
}

for (const { name, engine } of WAYS) {
  test(`grpcio, ${name}: every kind of call, statuses without a body, deadline, cancelling, 64 MiB each way`, { skip }, async (t) => {
    const { client, seen, port } = await path(t, engine);
    assert.deepEqual(await client.ask('unary'), [0, 'hello', 'm', '00ff2c', 't']);
    assert.equal(await client.ask('down'), true);
    assert.equal(await client.ask('up'), '170005');
    assert.deepEqual(await client.ask('both'), [true, 0]);

    assert.deepEqual(await client.ask('fail'), [7, 'failed as told: 7 % ü']);
    assert.deepEqual(await firstHeaders(port, engine, 'fail 7'), { status: 200, grpc: '7', message: 'failed as told: 7 %25 %C3%BC', ended: true });
    assert.equal((await client.ask('unknown') as unknown[])[0], 12);
    const [code, details] = await client.ask('dead') as [number, string];
    assert.equal(code, 14);
    assert.match(details, /^upstream connect error or disconnect\/reset before headers/);

    assert.equal(await client.ask('deadline'), 4);
    await until('the server knows of the deadline', async () => { const s = await seen(); return s.active === 0 && s.cancelled === 1; });
    assert.equal(await client.ask('wait'), true);
    await until('the call is at the server', async () => (await seen()).active === 1);
    assert.equal(await client.ask('cancel'), 1);
    await until('the server knows of the cancelling', async () => { const s = await seen(); return s.active === 0 && s.cancelled === 2; });

    assert.equal(await client.ask('big'), true);
  });

  test(`grpcio, ${name}: a thousand streams at once on one connection`, { skip }, async (t) => {
    const { client, seen, weir } = await path(t, engine);
    assert.equal(await client.ask('many'), 1000);
    assert.equal(await client.ask('again'), 1000);
    assert.equal((await seen()).active, 1000);
    const held = await weir.stats('(http.http.downstream|cluster.a.upstream)_(cx|rq)_active$');
    assert.deepEqual([held['http.http.downstream_cx_active'], held['http.http.downstream_rq_active'], held['cluster.a.upstream_cx_active'], held['cluster.a.upstream_rq_active']], [1, 1000, 1, 1000]);
    assert.equal(await client.ask('end'), 1000);
    await until('no stream is left', async () => (await weir.stats('rq_active$'))['http.http.downstream_rq_active'] === 0 && (await seen()).active === 0);
  });
}
