// Secrets by name and from files, ticket keys, key log, redirects to TLS, merged validation contexts: through the real process, on every engine.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { bootstrapYaml, certificateFiles, downstreamTls, trusting } from '../support/bootstrap.ts';
import { certificates, type Pair } from '../support/certificates.ts';
import { ENGINES } from '../support/tls-engines.ts';
import { validated } from '../support/validated.ts';
import { replaceFile } from '../support/replace-file.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const certs = certificates();
const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret', SPIFFE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';
const says = '[{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: "ok"}}}]';

/** One request on a connection of its own; rejects where the connection is refused. */
function request(port: number, o: ConnectionOptions = {}): Promise<{ readonly answer: string; readonly shown: string; readonly resumed: boolean; readonly session: Buffer | undefined }> {
  return new Promise((resolve, reject) => {
    let session: Buffer | undefined, all = '';
    const s: TLSSocket = connect({ port, host: '127.0.0.1', servername: 'example.com', rejectUnauthorized: false, ...o }, () => s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    s.on('session', (b: Buffer) => { session = b; });
    s.on('data', (b: Buffer) => { all += b; if (/\r\n\r\nok$/.test(all)) { const shown = String(s.getPeerCertificate().subject?.CN ?? ''), resumed = s.isSessionReused(); setTimeout(() => { s.destroy(); resolve({ answer: all, shown, resumed, session }); }, 20); } });
    s.on('error', reject);
    s.on('close', () => reject(new Error('closed')));
  });
}

for (const engine of ENGINES) {
  const args = [`--tls=${engine}`];

  test(`${engine}: secrets of the bootstrap and of an SDS file; a changed context of authorities holds for the next connection`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-sds-')), file = join(dir, 'sds.yaml');
    const put = (ca: string): void => writeFileSync(file, `resources: [{"@type": ${SECRET}, name: roots, validation_context: {trusted_ca: {filename: ${ca}}}}]`);
    put(certs.ca.certFile);
    const port = await freePort();
    const common = `tls_certificate_sds_secret_configs: [{name: pair}], combined_validation_context: {default_validation_context: {match_typed_subject_alt_names: [{san_type: DNS, matcher: {suffix: ".example.com"}}], trusted_ca: {filename: ${certs.other.certFile}}}, validation_context_sds_secret_config: {name: roots, sds_config: {path_config_source: {path: ${file}}}}}`;
    const yaml = bootstrapYaml([{ port, chain: downstreamTls(common, 'require_client_certificate: true'), routes: says }], []);
    const weir = await startWeir(yaml.replace('static_resources:\n', `node: {id: node, cluster: c}\nstatic_resources:\n  secrets: [{name: pair, tls_certificate: {certificate_chain: {filename: ${certs.second.certFile}}, private_key: {filename: ${certs.second.keyFile}}}}]\n`), { args });
    t.after(async () => { await weir.stop(); rmSync(dir, { recursive: true, force: true }); });
    assert.equal((await request(port, { key: certs.client.key, cert: certs.client.cert })).shown, 'second');
    await assert.rejects(request(port, { key: certs.stranger.key, cert: certs.stranger.cert }));
    put(certs.other.certFile);
    await until('the other authority', () => request(port, { key: certs.stranger.key, cert: certs.stranger.cert }).then(() => true, () => false));
    await assert.rejects(request(port, { key: certs.client.key, cert: certs.client.cert }));
    const stats = await weir.stats('ssl_context_update_by_sds|fail_verify');
    assert.ok(stats[`listener.127.0.0.1_${port}.server_ssl_socket_factory.ssl_context_update_by_sds`]! >= 1);
  });

  test(`${engine}: SVIDs by a SPIFFE bundle map; the map is swapped with its file, and a broken one leaves what was there`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-spiffe-')), file = join(dir, 'bundles.json'), port = await freePort();
    const svid = (name: string, domain: string, ca = certs.ca): Pair => ca.issue(name, `URI:spiffe://${domain}/w`, { extension: 'keyUsage=critical,digitalSignature' }), a = svid('flow-a', 'a.test'), b = svid('flow-b', 'b.test', certs.other);
    const map = (domains: Record<string, Pair>): string => JSON.stringify({ trust_domains: Object.fromEntries(Object.entries(domains).map(([d, p]) => [d, { keys: [{ use: 'x509-svid', kty: 'EC', x5c: [p.cert.replace(/-----[^-]*-----|\n/g, '')] }] }])) });
    writeFileSync(file, map({ 'a.test': certs.ca }));
    const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(`${certificateFiles(certs.server)}, validation_context: {custom_validator_config: {name: envoy.tls.cert_validator.spiffe, typed_config: {"@type": ${SPIFFE}, trust_bundles: {filename: ${file}}}}}`), routes: says }], []), { args });
    t.after(async () => { await weir.stop(); rmSync(dir, { recursive: true, force: true }); });
    const served = (p: Pair | null): Promise<boolean> => request(port, p === null ? {} : { key: p.key, cert: p.cert }).then(() => true, () => false);
    assert.deepEqual([await served(a), await served(b), await served(null)], [true, false, false]);
    replaceFile(file, map({ 'b.test': certs.other }));
    await until('the other trust domain', () => served(b));
    assert.equal(await served(a), false);
    replaceFile(file, '{"trust_domains": {}}');
    await until('the warning', () => Promise.resolve(/No trust domains found in SPIFFE bundle; the one before stays/.test(weir.log)));
    assert.equal(await served(b), true);
  });

  test(`${engine}: tickets under keys of the configuration outlive the process, and its keys are swapped with their file`, async (t) => {
    const port = await freePort(), dir = mkdtempSync(join(tmpdir(), 'weir-tickets-')), file = join(dir, 'sds.yaml');
    const put = (...keys: number[]): void => replaceFile(file, `resources: [{"@type": ${SECRET}, name: keys, session_ticket_keys: {keys: [${keys.map((k) => `{inline_bytes: ${Buffer.alloc(80, k).toString('base64')}}`).join(', ')}]}}]`);
    put(7);
    const yaml = bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server), `session_ticket_keys_sds_secret_config: {name: keys, sds_config: {path_config_source: {path: ${file}}}}`), routes: says }], []).replace('static_resources:', 'node: {id: node, cluster: c}\nstatic_resources:');
    const first = await startWeir(yaml, { args });
    const { session } = await request(port);
    await first.stop();
    const second = await startWeir(yaml, { args });
    t.after(async () => { await second.stop(); rmSync(dir, { recursive: true, force: true }); });
    assert.equal((await request(port, { session })).resumed, true);
    put(9, 7);
    await until('the other keys are in use', async () => (await second.stats('ssl_context_update_by_sds'))[`listener.127.0.0.1_${port}.server_ssl_socket_factory.ssl_context_update_by_sds`] === 1 || (await request(port), false));
    const renewed = await request(port, { session });
    assert.equal(renewed.resumed, true, 'the older key still opens');
    put(9);
    await until('the older key is gone', async () => !(await request(port, { session })).resumed);
    assert.equal((await request(port, { session: renewed.session })).resumed, true, 'the renewed ticket is under the newer key');
  });

  test(`${engine}: without stateless and stateful resumption no session is resumed`, async (t) => {
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server), 'disable_stateless_session_resumption: true, disable_stateful_session_resumption: true'), routes: says }], []), { args });
    t.after(() => weir.stop());
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) { const { session } = await request(port, { maxVersion }); assert.equal((await request(port, { maxVersion, ...(session === undefined ? {} : { session }) })).resumed, false, maxVersion); }
  });

  test(`${engine}: key_log has the secrets of connections from the given addresses`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-keys-')), ports = [await freePort(), await freePort()] as const;
    const log = (name: string, ip: string): string => `key_log: {path: ${join(dir, name)}, remote_address_range: [{address_prefix: ${ip}, prefix_len: 32}]}`;
    const weir = await startWeir(bootstrapYaml([{ port: ports[0], name: 'a', chain: downstreamTls(`${certificateFiles(certs.server)}, ${log('a', '127.0.0.1')}`), routes: says }, { port: ports[1], name: 'b', chain: downstreamTls(`${certificateFiles(certs.server)}, ${log('b', '10.0.0.1')}`), routes: says }], []), { args });
    t.after(async () => { await weir.stop(); rmSync(dir, { recursive: true, force: true }); });
    await request(ports[0]); await request(ports[1]);
    await until('lines', () => existsSync(join(dir, 'a')));
    assert.match(readFileSync(join(dir, 'a'), 'utf8'), /^(CLIENT_HANDSHAKE|SERVER_HANDSHAKE)_TRAFFIC_SECRET [0-9a-f]{64} [0-9a-f]+$/m);
    assert.equal(existsSync(join(dir, 'b')), false);
  });
}

test('TLS 1.0 and CBC suites go to node:tls by themselves, and a warning names it', { skip: !ENGINES.includes('rustls') }, async (t) => {
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(`tls_params: {tls_minimum_protocol_version: TLSv1_0, tls_maximum_protocol_version: TLSv1_2, cipher_suites: [ECDHE-ECDSA-AES128-SHA]}, ${certificateFiles(certs.server)}`), routes: says }], []));
  t.after(() => weir.stop());
  assert.match((await request(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' })).answer, /200 OK/);
  assert.match(weir.log, /TLS by node:tls, as rustls has no TLS 1.0 and 1.1/);
  assert.match((await ask(weir.admin, '/server_info')).body, /"tls": ?"rustls"/);
});

test('what is wrong with a secret is an error of the configuration, at its place', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-bad-'));
  const cases: readonly (readonly [string, RegExp])[] = [
    [downstreamTls(`tls_certificates: [{certificate_chain: {filename: ${certs.server.certFile}}, private_key: {filename: ${certs.second.keyFile}}}]`), /tls_certificates\[0\].*Failed to load private key from .*KEY_VALUES_MISMATCH/],
    [downstreamTls('tls_certificates: [{certificate_chain: {inline_string: "nothing"}, private_key: {inline_string: "x"}}]'), /Failed to load certificate chain from <inline>/],
    [downstreamTls('tls_certificates: [{certificate_chain: {filename: /nowhere.pem}, private_key: {filename: /nowhere.key}}]'), /Invalid path: \/nowhere.pem/],
    [downstreamTls('alpn_protocols: [h2]'), /No TLS certificates found for server context/],
    [downstreamTls(`${certificateFiles(certs.server)}, validation_context: {match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: x}}]}`), /SAN-based verification of peer certificates without trusted CA is insecure and not allowed/],
    [downstreamTls(`${certificateFiles(certs.server)}, tls_params: {cipher_suites: [NONE-SUCH]}`), /Failed to initialize cipher suites NONE-SUCH. The following ciphers were rejected when tried individually: NONE-SUCH/],
    [downstreamTls(`${certificateFiles(certs.server)}, ${trusting(certs.ca, 'verify_certificate_hash: ["zz00000000000000000000000000000000000000000000000000000000000000"]')}`), /Invalid hex-encoded SHA-256/],
    [downstreamTls('tls_certificate_sds_secret_configs: [{name: none}]'), /Unknown static secret: none/],
    [downstreamTls(certificateFiles(certs.server), 'session_ticket_keys: {keys: [{inline_string: short}]}'), /Incorrect TLS session ticket key length. Length 5, expected length 80/],
  ];
  for (const [chain, message] of cases) {
    const file = join(dir, 'envoy.yaml');
    writeFileSync(file, bootstrapYaml([{ port: 1, chain, routes: says }], []));
    const { ok, text } = validated('-c', file);
    assert.ok(!ok);
    assert.match(text, message);
    assert.doesNotMatch(text, /PRIVATE KEY/);
  }
  // All in one report.
  const pair = (p: Pair, more: string): string => `tls_certificates: [{certificate_chain: {filename: ${p.certFile}}, private_key: {filename: ${p.keyFile}}, ${more}}]`, bytes = (b: Buffer): string => `{inline_bytes: ${b.toString('base64')}}`;
  const domain = (name: string, more = `trust_bundle: {filename: ${certs.ca.certFile}}`): string => `{name: ${name}, ${more}}`, keys = (text: string): string => `trust_bundles: {inline_string: '{"trust_domains": {"a": {"keys": [${text}]}}}'}`;
  const spiffe: readonly (readonly [string, RegExp, string?])[] = [
    [`trust_domains: [${domain('a')}, ${domain('a')}]`, /Multiple trust bundles are given for one trust domain for a, workload: /], [`trust_domains: [${domain('b', 'trust_bundle: {inline_string: x}')}]`, /Failed to load trusted CA certificate for b/], ['trust_bundles: {inline_string: x}', /Invalid JSON found in SPIFFE bundle/],
    ['trust_bundles: {inline_string: "{}"}', /No trust domains found in SPIFFE bundle/], [keys(''), /No keys found in SPIFFE bundle for domain 'a'/], [keys('{}'), /missing or invalid 'use' field found in cert for domain 'a'/], [keys('{"use": "x509-svid", "x5c": []}'), /missing or empty 'x5c' field found in keys for domain: 'a'/],
    [keys('{"use": "x509-svid", "x5c": ["zz"]}'), /Failed to create x509 object while loading certs in domain 'a'/], [keys('{"use": "x509-svid", "x5c": ["AAAA"]}'), /Invalid x509 object in certs for domain 'a'/], [`trust_domains: [${domain('a', 'workload_trust_domain: w')}]`, /workload_trust_domain.*not supported/],
    [`trust_domains: [${domain('a')}]`, /Failed to get certificate validator factory for other/, 'other'],
  ];
  const together: readonly (readonly [string, RegExp])[] = [
    [downstreamTls(pair(certs.server, `ocsp_staple: ${bytes(certs.ca.respond(60, certs.second))}`)), /OCSP response does not match its TLS certificate/],
    [downstreamTls(pair(certs.server, 'ocsp_staple: {inline_string: x}')), /OCSP staple cannot be provided via inline_string/],
    [downstreamTls(`tls_certificates: [{pkcs12: ${bytes(certs.ca.store(certs.server, 'secret'))}, password: {inline_string: other}}]`), /Failed to load pkcs12 from <inline>/],
    [downstreamTls(`tls_certificates: [{pkcs12: ${bytes(certs.ca.store(certs.server, 'secret', '-nokeys'))}, password: {inline_string: secret}}]`), /Failed to load certificate from <inline>/],
    [downstreamTls(pair(certs.server, `pkcs12: ${bytes(certs.ca.store(certs.server, 'secret'))}`)), /Certificate configuration can't have both pkcs12 and private_key/],
    [downstreamTls(`${certificateFiles(certs.server)}, tls_params: {compliance_policies: [CNSA2_202603]}`), /compliance_policies.*not supported.*FIPS_202205/],
    [downstreamTls(`${certificateFiles(certs.server)}, tls_params: {compliance_policies: [FIPS_202205]}`), /FIPS conformance policy applied on a non-FIPS build/],
    [downstreamTls(certificateFiles(certs.server), 'ocsp_staple_policy: MUST_STAPLE'), /Required OCSP response is missing from TLS context/],
    ...spiffe.map(([config, message, name = 'envoy.tls.cert_validator.spiffe']): readonly [string, RegExp] => [downstreamTls(`${certificateFiles(certs.server)}, validation_context: {custom_validator_config: {name: ${name}, typed_config: {"@type": ${SPIFFE}, ${config}}}}`), message]),
  ];
  const all = join(dir, 'all.yaml');
  writeFileSync(all, bootstrapYaml(together.map(([chain], i) => ({ port: i + 1, name: `l${i}`, chain, routes: says })), []));
  const { ok, text } = validated('-c', all);
  assert.ok(!ok);
  for (const [, message] of together) assert.match(text, message);
  rmSync(dir, { recursive: true, force: true });
});

test('a worker that dies with TLS connections open is replaced, and its successor serves TLS', { skip: !ENGINES.includes('rustls') }, async (t) => {
  const port = await freePort(), root = new URL('../..', import.meta.url).pathname;
  const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server)), routes: says }], []), { command: [join(root, 'node_modules/node/bin/node'), '--disable-warning=ExperimentalWarning', join(root, 'test/support/crashing-main.ts')] });
  t.after(() => weir.stop());
  for (let i = 0; i < 3; i++) {
    await request(port);
    const open = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    open.on('error', () => {});
    await new Promise((r) => open.once('secureConnect', r));
    writeFileSync(join(weir.dir, 'crash-0'), '');
    await new Promise((r) => open.once('close', r));
    await until('served again', () => request(port).then(() => true, () => false));
  }
  assert.equal(weir.child.exitCode, null);
  assert.equal((await weir.stats('server.worker_restarts'))['server.worker_restarts'], 3);
});

test('a listener kept after a refused reload has its secrets in a worker that starts later', async (t) => {
  const port = await freePort(), root = new URL('../..', import.meta.url).pathname;
  const yaml = (pair: typeof certs.server, more = ''): string => bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(pair), more), routes: says }], []);
  const weir = await startWeir(yaml(certs.second), { args: ['--watch'], command: [join(root, 'node_modules/node/bin/node'), '--disable-warning=ExperimentalWarning', join(root, 'test/support/crashing-main.ts')] });
  t.after(() => weir.stop());
  assert.equal((await request(port)).shown, 'second');
  writeFileSync(weir.file, yaml(certs.server, 'nosuch: 1').replace(/^/, `admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${weir.admin}}}}\n`));
  await until('refused', async () => (await weir.stats('config_reload_rejected'))['server.config_reload_rejected'] === 1);
  writeFileSync(join(weir.dir, 'crash-0'), '');
  await until('the worker is another', async () => (await weir.stats('worker_restarts'))['server.worker_restarts'] === 1);
  assert.equal(await until('served again', () => request(port).then((r) => r.shown, () => '')), 'second');
});
