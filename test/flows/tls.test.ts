// TLS both ways over real sockets, on every engine that is there: sources, bodies, replaced files, sessions.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttps, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { bootstrapYaml, certificateFiles, clusterYaml, downstreamTls, trusting, upstreamTls } from '../support/bootstrap.ts';
import { certificates, type Pair } from '../support/certificates.ts';
import { replaceFile } from '../support/replace-file.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';
import { ENGINES } from '../support/tls-engines.ts';

const certs = certificates();
const MIB = 1 << 20;
const says = (text: string): string => `[{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: "${text}"}}}]`;

function open(port: number, o: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const s = connect({ port, host: '127.0.0.1', ca: certs.ca.cert, servername: 'localhost', ...o }, () => resolve(s));
    s.on('session', (kept: Buffer) => sessions.set(s, kept));
    s.on('error', reject);
  });
}
const sessions = new WeakMap<TLSSocket, Buffer>();
const shown = async (port: number, o: ConnectionOptions = {}): Promise<string> => { const s = await open(port, { rejectUnauthorized: false, ...o }); const cn = s.getPeerCertificate().subject.CN; s.destroy(); return String(cn); };
async function get(s: TLSSocket): Promise<string> {
  s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  return new Promise((resolve, reject) => { let all = ''; s.on('data', (b: Buffer) => { all += b; if (/\r\n\r\n./.test(all)) resolve(all); }); s.on('close', () => reject(new Error('closed'))); s.on('error', reject); });
}
const put = (into: string, p: Pair): void => { writeFileSync(join(into, 'cert.pem'), p.cert); writeFileSync(join(into, 'key.pem'), p.key); };

for (const engine of ENGINES) {
  const args = [`--tls=${engine}`];

  test(`${engine}: 3 MiB bodies go both ways through TLS on both sides unchanged, on kept connections`, async (t) => {
    const seen: string[] = [];
    const backend = createHttps({ key: certs.server.key, cert: certs.server.cert, ca: certs.ca.cert, requestCert: true, rejectUnauthorized: true }, (req, res) => {
      seen.push((req.socket as TLSSocket).getPeerCertificate().subject.CN as string);
      const all: Buffer[] = [];
      req.on('data', (b: Buffer) => all.push(b));
      req.on('end', () => { const body = Buffer.concat(all); res.writeHead(200, { 'content-length': body.length }); res.end(body); });
    });
    await new Promise<void>((r) => backend.listen(0, '127.0.0.1', r));
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server)) }], [clusterYaml('a', [(backend.address() as AddressInfo).port], upstreamTls(`${certificateFiles(certs.client)}, ${trusting(certs.ca)}`, 'sni: example.com'))]), { args });
    t.after(async () => { await weir.stop(); backend.closeAllConnections(); backend.close(); });
    const body = Buffer.alloc(3 * MIB).map((_b, i) => (i * 7 + (i >> 8)) & 255);
    const { Agent } = await import('node:https');
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: certs.ca.cert, servername: 'localhost' });
    for (let i = 0; i < 3; i++) {
      const got = await new Promise<Buffer>((resolve, reject) => {
        const req = request({ port, host: '127.0.0.1', method: 'POST', path: '/', agent, headers: { 'content-length': body.length } }, (res: IncomingMessage) => { const all: Buffer[] = []; res.on('data', (b: Buffer) => all.push(b)); res.on('end', () => resolve(Buffer.concat(all))); res.on('error', reject); });
        req.on('error', reject);
        req.end(body);
      });
      assert.equal(createHash('sha1').update(got).digest('hex'), createHash('sha1').update(body).digest('hex'));
    }
    agent.destroy();
    assert.deepEqual(seen, ['client', 'client', 'client']);
    const stats = await weir.stats('ssl.handshake');
    assert.equal(stats['cluster.a.ssl.handshake'], 1);
    assert.equal(stats[`listener.127.0.0.1_${port}.ssl.handshake`], 1);
  });

  test(`${engine}: certificate and key from inline text, a file, the environment, and a PKCS #12 file that is replaced`, async (t) => {
    const ports = [await freePort(), await freePort(), await freePort()] as const, file = join(certs.ca.certFile, `../store-${engine}`);
    writeFileSync(file, certs.ca.store(certs.wildcard, 'secret'));
    const inline = `tls_certificates: [{certificate_chain: {inline_string: ${JSON.stringify(certs.second.cert)}}, private_key: {inline_bytes: ${Buffer.from(certs.second.key).toString('base64')}}}]`;
    const environment = `tls_certificates: [{certificate_chain: {filename: ${certs.server.certFile}}, private_key: {environment_variable: WEIR_TEST_KEY}}]`;
    const weir = await startWeir(bootstrapYaml([{ port: ports[0], name: 'i', chain: downstreamTls(inline), routes: says('i') }, { port: ports[1], name: 'e', chain: downstreamTls(environment), routes: says('e') }, { port: ports[2], name: 'p', chain: downstreamTls(`tls_certificates: [{pkcs12: {filename: ${file}}, password: {inline_string: secret}}]`), routes: says('p') }], []), { args, env: { WEIR_TEST_KEY: certs.server.key } });
    t.after(() => weir.stop());
    assert.equal(await shown(ports[0]), 'second');
    assert.equal(await shown(ports[1]), 'server');
    assert.equal(await shown(ports[2]), 'wildcard');
    replaceFile(file, certs.ca.store(certs.second, 'secret'));
    await until('the other store', async () => (await shown(ports[2])) === 'second');
  });

  test(`${engine}: files replaced in place, by rename and by symbolic link are shown to new connections; old ones live on; a key that does not fit keeps the old pair`, async (t) => {
    const port = await freePort();
    const files = join(certs.ca.certFile, `../files-${engine}`);
    rmSync(files, { recursive: true, force: true });
    mkdirSync(join(files, 'v1'), { recursive: true });
    put(join(files, 'v1'), certs.server);
    symlinkSync('v1', join(files, 'now'));
    const at = (n: string): string => join(files, 'now', n);
    const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(`tls_certificates: [{certificate_chain: {filename: ${at('cert.pem')}}, private_key: {filename: ${at('key.pem')}}}]`), routes: says('ok') }], []), { args });
    t.after(() => weir.stop());
    const old = await open(port);
    assert.equal(await shown(port), 'server');
    writeFileSync(at('cert.pem'), certs.second.cert);
    await until('the misfit is noticed', () => weir.log.includes('KEY_VALUES_MISMATCH'));
    assert.equal(await shown(port), 'server');
    writeFileSync(at('key.pem'), certs.second.key);
    await until('the second pair, written in place', async () => (await shown(port)) === 'second');
    for (const n of ['key', 'cert'] as const) { writeFileSync(join(files, `${n}.new`), certs.wildcard[n]); renameSync(join(files, `${n}.new`), at(`${n}.pem`)); }
    await until('the third pair, renamed over', async () => (await shown(port)) === 'wildcard');
    mkdirSync(join(files, 'v2'));
    put(join(files, 'v2'), certs.rsa);
    symlinkSync('v2', join(files, 'next'));
    renameSync(join(files, 'next'), join(files, 'now'));
    await until('the fourth pair, by symbolic link', async () => (await shown(port)) === 'rsa');
    assert.match(await get(old), /200 OK/);
    old.destroy();
    assert.doesNotMatch(weir.log, /PRIVATE KEY/);
  });

  test(`${engine}: a session is resumed on any worker, and never where a client certificate is demanded`, async (t) => {
    const free = await freePort(), strict = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port: free, name: 'free', chain: downstreamTls(certificateFiles(certs.server)), routes: says('ok') }, { port: strict, name: 'strict', chain: downstreamTls(`${certificateFiles(certs.server)}, ${trusting(certs.ca)}`, 'require_client_certificate: true'), routes: says('ok') }], []), { args, concurrency: 2 });
    t.after(() => weir.stop());
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await open(free, { maxVersion });
      await get(first);
      const session = await until('a session', () => sessions.get(first));
      first.destroy();
      let resumed = 0;
      for (let i = 0; i < 12; i++) { const s = await open(free, { maxVersion, session }); await get(s); if (s.isSessionReused()) resumed++; s.destroy(); }
      assert.equal(resumed, 12, maxVersion);
      await assert.rejects((async () => { const s = await open(strict, { maxVersion, session }); s.on('error', () => {}); await get(s); s.destroy(); })(), `${maxVersion}: without a certificate`);
      const good = await open(strict, { maxVersion, session, key: certs.client.key, cert: certs.client.cert });
      assert.match(await get(good), /200 OK/);
      assert.equal(good.isSessionReused(), false);
      good.destroy();
    }
  });

  test(`${engine}: OCSP staples go to clients that ask, are counted, and stand in /certs; a client gets nothing of a certificate whose staple is too old`, async (t) => {
    const ports = [await freePort(), await freePort()] as const, day = certs.ca.respond(1440, certs.server), endless = certs.ca.respond(0, certs.second);
    const chain = (p: Pair, staple: Buffer): string => downstreamTls(`tls_certificates: [{certificate_chain: {filename: ${p.certFile}}, private_key: {filename: ${p.keyFile}}, ocsp_staple: {inline_bytes: ${staple.toString('base64')}}}]`, 'ocsp_staple_policy: STRICT_STAPLING');
    const weir = await startWeir(bootstrapYaml([{ port: ports[0], name: 'good', chain: chain(certs.server, day), routes: says('ok') }, { port: ports[1], name: 'old', chain: chain(certs.second, endless), routes: says('ok') }], []), { args });
    t.after(() => weir.stop());
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const s = connect({ port: ports[0], host: '127.0.0.1', ca: certs.ca.cert, servername: 'localhost', requestOCSP: true, maxVersion }), got = await new Promise<Buffer>((r) => s.once('OCSPResponse', r));
      assert.deepEqual(got, day, maxVersion);
      s.destroy();
      await assert.rejects(open(ports[1], { requestOCSP: true, maxVersion, rejectUnauthorized: false }), { code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' });
      assert.equal(await shown(ports[1], { maxVersion }), 'second');
    }
    const counted = await weir.stats('ocsp_staple');
    assert.deepEqual(ports.map((p) => ['requests', 'responses', 'omitted', 'failed'].map((k) => counted[`listener.127.0.0.1_${p}.ssl.ocsp_staple_${k}`])), [[2, 2, 0, 0], [2, 0, 0, 2]]);
    const details = (JSON.parse((await ask(weir.admin, '/certs')).body) as { certificates: { cert_chain: { ocsp_details: { valid_from: string; expiration: string } }[] }[] }).certificates[0]!.cert_chain[0]!.ocsp_details;
    assert.equal(Date.parse(details.expiration) - Date.parse(details.valid_from), 86_400_000);
  });

  test(`${engine}: keys are nowhere in what is shown or logged: of certificates, of tickets, of a store with its password`, async (t) => {
    const ports = [await freePort(), await freePort()] as const, tickets = randomBytes(80).toString('base64'), password = randomBytes(12).toString('hex'), store = certs.ca.store(certs.second, password).toString('base64');
    const weir = await startWeir(bootstrapYaml([
      { port: ports[0], name: 'a', chain: downstreamTls(`tls_certificates: [{certificate_chain: {inline_string: ${JSON.stringify(certs.server.cert)}}, private_key: {inline_string: ${JSON.stringify(certs.server.key)}}}]`, `session_ticket_keys: {keys: [{inline_bytes: ${tickets}}]}`), routes: says('ok') },
      { port: ports[1], name: 'b', chain: downstreamTls(`tls_certificates: [{pkcs12: {inline_bytes: ${store}}, password: {inline_string: ${password}}}]`), routes: says('ok') },
    ], []), { args, logLevel: 'trace' });
    t.after(() => weir.stop());
    for (const port of ports) { const s = await open(port, { rejectUnauthorized: false }); await get(s); s.destroy(); }
    const lines = certs.server.key.split('\n').filter((l) => l.length > 20 && !l.startsWith('-')), secrets = [...lines, ...[certs.server, certs.second].map((p) => (createPrivateKey(p.key).export({ format: 'jwk' }) as { d: string }).d), tickets.slice(0, 60), password, store.slice(0, 60)];
    const pages = [...await Promise.all(['/config_dump', '/config_dump?include_eds', '/listeners?format=json', '/certs', '/server_info', '/stats'].map(async (path) => [path, (await ask(weir.admin, path)).body] as const)), ['log', weir.log] as const];
    for (const [where, text] of pages) for (const secret of secrets) assert.ok(!text.includes(secret), where);
  });
}
