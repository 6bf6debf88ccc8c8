// Handshakes in memory, every engine as server against every engine as client: what is negotiated, whose certificate is shown, who is refused and why.
import assert from 'node:assert/strict';
import test from 'node:test';
import { authority, certificates, type Pair } from '../../../support/certificates.ts';
import { Certificate, certificatesOf } from '../../../../engine/net/tls/certificate.ts';
import type { StapleOutcome } from '../../../../engine/net/tls/ocsp.ts';
import { FIPS_CIPHERS, FIPS_CURVES } from '../../../../engine/net/tls/cipher-table.ts';
import type { SanMatcherPlan, SanType, StaplePolicy, TlsParamsPlan, TlsVersion, ValidationPlan } from '../../../../engine/plan/tls-plan.ts';
import { contexts, engines, PARAMS, pump, secrets, SERVER, type Recorder, type Side } from '../../../support/tls-pair.ts';

const certs = certificates();
const CA = { ca: certs.ca.cert };
const mustStaple = certs.ca.issue('must', 'DNS:must.example.com', { extension: 'tlsfeature=status_request' });
const server7d = certs.ca.respond(7 * 1440, certs.server), serverEndless = certs.ca.respond(0, certs.server), mustHour = certs.ca.respond(60, mustStaple), rsa7d = certs.ca.respond(7 * 1440, certs.rsa);
/** SVIDs of two trust domains, and what is none. */
const SVID = { extension: 'keyUsage=critical,digitalSignature' } as const;
const svid = (name: string, san: string, ca = certs.ca, options: object = {}): Pair => ca.issue(name, san, { ...SVID, ...options });
const svids = {
  a: svid('svid-a', 'URI:spiffe://a.test/w'), b: svid('svid-b', 'URI:spiffe://b.test/w', certs.other), evil: svid('svid-evil', 'URI:spiffe://a.test/w', certs.other), unknown: svid('svid-unknown', 'URI:spiffe://c.test/w'), nobody: svid('svid-nobody', 'DNS:a.test'),
  pathless: svid('svid-pathless', 'URI:spiffe://a.test'), second: svid('svid-second', 'URI:http://a.test/,URI:spiffe://a.test/w'), silent: certs.ca.issue('svid-silent', 'URI:spiffe://a.test/w'), old: svid('svid-old', 'URI:spiffe://a.test/w', certs.ca, { days: 0 }), oldEvil: svid('svid-old-evil', 'URI:spiffe://a.test/w', certs.other, { days: 0 }),
  authority: certs.ca.issue('svid-authority', 'URI:spiffe://a.test/w', { extension: 'basicConstraints=critical,CA:TRUE' }), unfit: certs.ca.issue('svid-unfit', 'URI:spiffe://a.test/w', { extension: 'keyUsage=keyAgreement' }),
};
const sanClient = certs.ca.issue('san-client', 'email:a@example.com,IP:10.1.2.3,IP:2001:db8::1,DNS:*.wild.example.com,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:u@corp');
const middle = authority('middle', 'ca'), chained = ((): Pair => { const p = middle.issue('chained', 'DNS:chained.test'); return { ...p, cert: `${p.cert}${middle.cert}` }; })();

/** A connection, and what its server has said until the handshake was over. */
async function firstFlight(p: ReturnType<typeof contexts>): Promise<{ readonly server: Recorder; readonly client: Recorder; readonly flight: Buffer }> {
  const x = await p.open();
  return { ...x, flight: Buffer.concat(x.server.said) };
}
/** Handshake messages of TLS 1.2 in records, until they are encrypted. */
function messages(records: Buffer): Buffer[] {
  const clear: Buffer[] = [], out: Buffer[] = [];
  for (let at = 0; at + 5 <= records.length && records[at] === 22; at += 5 + records.readUInt16BE(at + 3)) clear.push(records.subarray(at + 5, at + 5 + records.readUInt16BE(at + 3)));
  const all = Buffer.concat(clear);
  for (let at = 0; at + 4 <= all.length; at += 4 + all.readUIntBE(at + 1, 3)) out.push(all.subarray(at, at + 4 + all.readUIntBE(at + 1, 3)));
  return out;
}
const both = engines.flatMap((s) => engines.map((c) => [s, c] as const));
const close = (...list: Recorder[]): void => { for (const r of list) r.session.close(); };
const cn = (r: Recorder): string => r.facts?.peerSubject.replace(/^CN=|,.*$/g, '') ?? '';

for (const [serverEngine, clientEngine] of both) {
  const name = (what: string): string => `${serverEngine.name} server, ${clientEngine.name} client: ${what}`;
  const pair = (server: Side, client: Side = {}): ReturnType<typeof contexts> => contexts(serverEngine, clientEngine, server, client);

  test(name('a handshake completes in pieces of any size, bytes go both ways, each direction ends by close_notify'), async () => {
    for (const piece of [1, 7, 1 << 20]) {
      const { server, client } = await pair({ pairs: [certs.server] }, { validation: CA }).open({}, piece);
      assert.equal(client.fault, null);
      assert.equal(cn(client), 'server');
      client.session.send(Buffer.from('..ping..'), 2, 6);
      server.session.send(Buffer.alloc(200_000, 'x'), 0, 200_000);
      await pump(server, client, piece === 1 ? 50 : piece);
      assert.equal(server.text, 'ping');
      assert.equal(client.text.length, 200_000);
      client.session.closeNotify();
      await pump(server, client);
      assert.equal(server.closed, true);
      server.session.receiveEnd(); client.session.receiveEnd();
      await pump(server, client);
      assert.equal(server.ended, 'clean');
      assert.equal(client.ended, 'cut', 'the server has not said that it ends');
      close(server, client);
    }
  });

  test(name('what is written before the handshake is over comes after it, in order'), async () => {
    const { open } = pair({ pairs: [certs.server] });
    const opened = open();
    const { server, client } = await opened;
    close(server, client);
    const s2 = await (async () => { const x = await open(); x.client.session.send(Buffer.from('b'), 0, 1); await pump(x.server, x.client); return x; })();
    assert.equal(s2.server.text, 'b');
    close(s2.server, s2.client);
  });

  test(name('versions, suites, curves and ALPN'), async () => {
    for (const v of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
      const { server, client } = await pair({ pairs: [certs.server], plan: { params: { ...PARAMS, minVersion: v, maxVersion: v }, alpn: ['h2', 'http/1.1'] } }, { plan: { alpn: ['http/1.1', 'h2'] } }).open();
      assert.equal(server.facts?.version, v);
      assert.equal(client.facts?.version, v);
      if (serverEngine.name === 'rustls') assert.equal(server.facts?.curve, v === 'TLSv1.3' ? 'X25519MLKEM768' : 'X25519');
      assert.equal(server.facts?.alpn, 'h2');
      assert.equal(server.facts?.sni, 'example.com');
      assert.equal(client.facts?.cipher, server.facts?.cipher);
      close(server, client);
    }
    const suite = 'ECDHE-ECDSA-AES256-GCM-SHA384';
    const chosen = await pair({ pairs: [certs.server], plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2', ciphers: [suite], curves: ['P-256'] } } }).open();
    assert.equal(chosen.server.facts?.cipher, suite);
    close(chosen.server, chosen.client);
    const none = await pair({ pairs: [certs.server], plan: { params: { ...PARAMS, minVersion: 'TLSv1.3' } } }, { plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2' } } }).open();
    assert.match(none.server.fault!.reason, /268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL/);
    assert.match(none.client.fault!.reason, /268436526:SSL routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION/);
    const suites = await pair({ pairs: [certs.server], plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2', ciphers: ['ECDHE-ECDSA-AES128-GCM-SHA256'] } } }, { plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2', ciphers: [suite] } } }).open();
    assert.match(suites.server.fault!.reason, /268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER/);
    close(none.server, none.client, suites.server, suites.client);
  });

  test(name('FIPS_202205: AES-GCM and the curves of NIST, whatever the client would rather have'), async () => {
    const fips = { params: { ...PARAMS, ciphers: FIPS_CIPHERS, curves: FIPS_CURVES, fips: true } }, of = (over: Partial<TlsParamsPlan>): ReturnType<ReturnType<typeof contexts>['open']> => pair({ pairs: [certs.server], plan: fips }, { plan: { params: { ...PARAMS, ...over } } }).open();
    for (const v of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
      const { server, client } = await of({ maxVersion: v, curves: ['X25519', 'P-256'] });
      assert.match(client.facts?.cipher ?? server.fault!.reason, /AES/);
      if (clientEngine.name === 'rustls') assert.equal(client.facts!.curve, 'P-256');
      const none = await of({ maxVersion: v, curves: ['X25519'] });
      assert.match(none.client.fault!.reason, /SSLV3_ALERT_HANDSHAKE_FAILURE/, v);
      close(server, client, none.server, none.client);
    }
    const chacha = await of({ maxVersion: 'TLSv1.2', ciphers: ['ECDHE-ECDSA-CHACHA20-POLY1305'] });
    assert.match(chacha.server.fault!.reason, /NO_SHARED_CIPHER/);
    close(chacha.server, chacha.client);
  });

  test(name('certificates by server name: exact, wildcard, none; ECDSA before RSA for a client that can'), async () => {
    const { open } = pair({ pairs: [certs.server, certs.second, certs.wildcard, certs.rsa] });
    for (const [asked, shown] of [['example.com', 'server'], ['second.example.com', 'second'], ['SECOND.example.com', 'second'], ['a.wild.example.com', 'wildcard'], ['a.b.wild.example.com', 'server'], ['unknown.test', 'server'], ['', 'server']] as const) {
      const { server, client } = await open({ serverName: asked });
      assert.equal(cn(client), shown, asked);
      assert.match(server.facts!.localSubject, new RegExp(`^CN=${shown},`));
      close(server, client);
    }
    const old = { params: { ...PARAMS, maxVersion: 'TLSv1.2', ciphers: ['ECDHE-RSA-AES128-GCM-SHA256'] } } as const;
    const rsa = await pair({ pairs: [certs.server, certs.rsa] }, { plan: old }).open();
    assert.equal(cn(rsa.client), 'rsa');
    close(rsa.server, rsa.client);
  });

  test(name('which certificate: by what the client offers and the server has, with staples and without'), async () => {
    const EC = 'ECDHE-ECDSA-AES128-GCM-SHA256', RSA = 'ECDHE-RSA-AES128-GCM-SHA256', stapled = [{ ...certs.server, staple: server7d }, { ...certs.rsa, staple: rsa7d }];
    const cases: readonly (readonly [string, Partial<TlsParamsPlan>, Partial<TlsParamsPlan>, string])[] = [
      ['any', {}, {}, 'server'], ['TLS 1.2', {}, { maxVersion: 'TLSv1.2' }, 'server'], ['TLS 1.2, suites for RSA', {}, { maxVersion: 'TLSv1.2', ciphers: [RSA] }, 'rsa'], ['TLS 1.2, suites for ECDSA', {}, { maxVersion: 'TLSv1.2', ciphers: [EC] }, 'server'],
      ['suites for RSA before TLS 1.3, which the server has not', { maxVersion: 'TLSv1.2' }, { ciphers: [RSA] }, 'rsa'], ['suites for RSA before TLS 1.3, which it has', {}, { ciphers: [RSA] }, 'server'],
      ['the server has suites for RSA only', { maxVersion: 'TLSv1.2', ciphers: [RSA] }, { maxVersion: 'TLSv1.2' }, 'rsa'], ['no suite of both', { maxVersion: 'TLSv1.2', ciphers: [RSA] }, { maxVersion: 'TLSv1.2', ciphers: [EC] }, ''],
    ];
    for (const [what, server, client, shown] of cases) {
      for (const pairs of [[certs.server, certs.rsa], [certs.rsa, certs.server], stapled]) {
        const x = await pair({ pairs, plan: { params: { ...PARAMS, ...server } } }, { plan: { params: { ...PARAMS, ...client } } }).open();
        if (shown === '') assert.match(x.server.fault!.reason, /NO_SHARED_CIPHER/, what); else assert.equal(cn(x.client), shown, `${what}: ${x.server.fault?.reason}`);
        close(x.server, x.client);
      }
    }
    const names = [certs.server, certs.rsa, certs.second, certs.ca.issue('second-rsa', 'DNS:second.example.com', { rsa: true })];
    const named = await pair({ pairs: names }, { plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2', ciphers: [RSA] } } }).open({ serverName: 'second.example.com' });
    assert.equal(cn(named.client), 'second-rsa');
    close(named.server, named.client);
  });

  test(name('require_sni refuses an unknown name and none'), async () => {
    const { open } = pair({ pairs: [certs.server], plan: { requireSni: true } });
    for (const [serverName, good] of [['example.com', true], ['unknown.test', false], ['', false]] as const) {
      const { server, client } = await open({ serverName });
      if (good) assert.equal(server.fault, null); else { assert.match(server.fault!.reason, /CLIENTHELLO_TLSEXT/, serverName); assert.match(client.fault!.reason, /UNRECOGNIZED_NAME/, serverName); }
      close(server, client);
    }
  });

  test(name('SPIFFE: by the authorities of the trust domain that the certificate names; the reasons are those of Envoy'), async () => {
    const spiffe = [{ domain: 'a.test', ca: certs.ca.cert, crl: '' }, { domain: 'b.test', ca: certs.other.cert, crl: '' }], uri = (text: string): SanMatcherPlan => ({ type: 'URI', kind: 'exact', text, ignoreCase: false, oid: '' });
    const dns: SanMatcherPlan = { type: 'DNS', kind: 'exact', text: 'elsewhere', ignoreCase: false, oid: '' }, issuer = /depth 0: unable to get local issuer certificate/, store = /verify cert failed: no trust bundle store/, precheck = /verify cert failed: cert precheck/;
    const cases: readonly (readonly [keyof typeof svids | 'none', Partial<ValidationPlan>, RegExp | null])[] = [
      ['a', {}, null], ['b', {}, null], ['none', {}, /PEER_DID_NOT_RETURN_A_CERTIFICATE/], ['evil', {}, issuer], ['unknown', {}, store], ['nobody', {}, store], ['pathless', {}, store], ['second', {}, store], ['silent', {}, precheck], ['authority', {}, precheck],
      ['old', {}, /certificate has expired/], ['old', { allowExpired: true }, null], ['oldEvil', { allowExpired: true }, issuer], ['a', { sans: [uri('spiffe://b.test/w')] }, /verify cert failed: SAN match/], ['b', { sans: [uri('spiffe://b.test/w')] }, null],
      ['a', { sans: [dns], hashes: ['00'], acceptUntrusted: true }, null], ['evil', { acceptUntrusted: true }, issuer],
    ];
    for (const [who, more, reason] of cases) {
      const { server, client } = await pair({ pairs: [certs.server], validation: { spiffe, ...more } }, { pairs: who === 'none' ? [] : [svids[who]] }).open();
      if (reason === null) assert.equal(server.fault?.reason, undefined, who); else assert.match(server.fault?.reason ?? '', reason, who);
      if (reason !== null) assert.equal(server.fault!.stat, who === 'none' ? 'fail_verify_no_cert' : /SAN/.test(reason.source) ? 'fail_verify_san' : 'fail_verify_error', who);
      close(server, client);
    }
    for (const [who, good] of [['a', true], ['b', false]] as const) {
      const { server, client } = await pair({ pairs: [svids[who]] }, { validation: { spiffe: spiffe.slice(0, 1) } }).open();
      assert.equal(client.fault === null, good, `upstream ${who}`);
      close(server, client);
    }
  });

  test(name('names and pins demand a certificate, whatever is required; key usage counts; what has expired must still be of the authority'), async () => {
    const named: SanMatcherPlan = { type: 'URI', kind: 'prefix', text: 'spiffe://', ignoreCase: false, oid: '' };
    const cases: readonly (readonly [string, Partial<ValidationPlan>, Pair | null, RegExp | null])[] = [
      ['by name', { ...CA, sans: [named] }, null, /PEER_DID_NOT_RETURN_A_CERTIFICATE/], ['by pin', { hashes: ['00'] }, null, /PEER_DID_NOT_RETURN_A_CERTIFICATE/], ['optional', CA, null, null],
      ['another usage', CA, svids.unfit, /268435758:SSL routines:OPENSSL_internal:KEY_USAGE_BIT_INCORRECT/], ['another usage, untrusted', { ...CA, acceptUntrusted: true }, svids.unfit, /KEY_USAGE_BIT_INCORRECT/],
      ['old', { ...CA, allowExpired: true }, svids.old, null], ['old, of a stranger', { ...CA, allowExpired: true }, svids.oldEvil, /unable to get local issuer certificate/],
    ];
    for (const [what, validation, who, reason] of cases) {
      const { server, client } = await pair({ pairs: [certs.server], validation }, { pairs: who === null ? [] : [who] }).open();
      if (reason === null) assert.equal(server.fault?.reason, undefined, what); else assert.match(server.fault?.reason ?? 'served', reason, what);
      close(server, client);
    }
  });

  test(name('client certificates: optional, demanded, untrusted, by name, by pin; the reasons are those of Envoy'), async () => {
    const leaf = certificatesOf(certs.client.cert)[0]!;
    const san = (type: SanType, text: string, kind: SanMatcherPlan['kind'] = 'exact'): SanMatcherPlan => ({ type, kind, text, ignoreCase: false, oid: '' });
    const cases: readonly (readonly [string, Partial<import('../../../../engine/plan/tls-plan.ts').ValidationPlan> | null, boolean, 'none' | 'client' | 'stranger', RegExp | null])[] = [
      ['optional, none', CA, false, 'none', null], ['optional, good', CA, false, 'client', null], ['optional, bad', CA, false, 'stranger', /268435581.*CERTIFICATE_VERIFY_FAILED:verify cert failed: X509_verify_cert: certificate verification error at depth 0: unable to get local issuer certificate/],
      ['demanded, none', CA, true, 'none', /268435648:.*PEER_DID_NOT_RETURN_A_CERTIFICATE:peer did not provide required client certificate/], ['demanded without roots', null, true, 'stranger', null],
      ['by URI', { ...CA, sans: [san('URI', 'spiffe://example.com/client')] }, true, 'client', null], ['by DNS suffix', { ...CA, sans: [san('DNS', '.example.com', 'suffix')] }, true, 'client', null],
      ['by regex', { ...CA, sans: [san('URI', 'spiffe://[a-z.]+/client', 'regex')] }, true, 'client', null],
      ['not by name', { ...CA, sans: [san('DNS', 'x.y')] }, true, 'client', /verify cert failed: SAN matcher, certificate SANs are \[spiffe:\/\/example.com\/client, client.example.com\]/],
      ['by hash', { hashes: [leaf.sha256] }, true, 'client', null], ['not by hash', { hashes: ['0'.repeat(64)] }, true, 'client', /verify cert failed: cert hash and spki/], ['by key', { ...CA, spki: [leaf.spki] }, true, 'client', null],
      ['untrusted accepted', { ...CA, acceptUntrusted: true }, true, 'stranger', null],
    ];
    for (const [what, validation, requireClientCertificate, who, reason] of cases) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
        const { server, client } = await pair({ pairs: [certs.server], validation, plan: { requireClientCertificate, params: { ...PARAMS, maxVersion } } }, { pairs: who === 'none' ? [] : [certs[who]] }).open();
        if (reason === null) {
          assert.equal(server.fault, null, `${what} ${maxVersion}: ${server.fault?.reason}`);
          assert.equal(server.facts?.peerCertificatePresented, who !== 'none', what);
          if (who === 'client') { assert.equal(server.facts?.peerSubject, 'CN=client,O=Example'); assert.deepEqual(server.facts?.peerUriSans, ['spiffe://example.com/client']); assert.equal(server.facts?.peerFingerprint256, leaf.sha256); }
        } else { assert.match(server.fault?.reason ?? 'none', reason, `${what} ${maxVersion}`); assert.equal(server.facts, null, what); }
        close(server, client);
      }
    }
  });

  test(name('a revoked certificate is refused, and an expired one unless that is allowed'), async () => {
    const revoked = certs.ca.issue(`revoked-${serverEngine.name}-${clientEngine.name}`, 'DNS:gone.example.com'), crl = certs.ca.revoke(revoked), expired = certs.ca.issue(`expired-${serverEngine.name}-${clientEngine.name}`, 'DNS:old.example.com', { days: 0 });
    for (const [validation, who, good] of [[{ ...CA, crl }, revoked, false], [{ ...CA, crl }, certs.client, true], [CA, expired, false], [{ ...CA, allowExpired: true }, expired, true]] as const) {
      const { server, client } = await pair({ pairs: [certs.server], validation, plan: { requireClientCertificate: true } }, { pairs: [who] }).open();
      assert.equal(server.fault === null, good, server.fault?.reason);
      if (!good) assert.match(server.fault!.reason, /certificate revoked|certificate has expired/);
      close(server, client);
    }
  });

  test(name('OCSP staples: shown while they are good, and what each policy makes of one that is not there or too old'), async () => {
    // A client of node:tls asks for none.
    const asks = clientEngine.name === 'rustls', now = new Date().getTime(), later = (): number => now + 3 * 3_600_000;
    const good = { ...certs.server, staple: server7d }, endless = { ...certs.server, staple: serverEndless }, must = { ...mustStaple, staple: mustHour };
    const cases: readonly (readonly [string, Pair[], StaplePolicy, () => number, StapleOutcome, string, string?])[] = [
      ['lenient, good', [good], 'LENIENT_STAPLING', () => now, 'staple', 'server'], ['lenient, none', [certs.server], 'LENIENT_STAPLING', () => now, 'none', 'server'],
      ['lenient, old', [must, good], 'LENIENT_STAPLING', later, 'staple', 'server'], ['lenient, without an end', [endless], 'LENIENT_STAPLING', () => now, 'none', 'server'],
      ['strict, good', [good], 'STRICT_STAPLING', () => now, 'staple', 'server'], ['strict, none', [certs.server], 'STRICT_STAPLING', () => now, 'none', 'server'], ['strict, without an end', [endless], 'STRICT_STAPLING', () => now, 'fail', 'server'],
      ['must, good', [good], 'MUST_STAPLE', () => now, 'staple', 'server'], ['must, without an end', [endless], 'MUST_STAPLE', () => now, 'fail', 'server'],
      ['a certificate that demands it, old', [must], 'LENIENT_STAPLING', later, 'fail', 'must', 'must.example.com'], ['the other key type has none that is too old', [endless, { ...certs.rsa, staple: rsa7d }], 'STRICT_STAPLING', () => now, 'staple', asks ? 'rsa' : 'server'],
      ['the name is one of a certificate that may not be shown, and the first one has none', [certs.second, endless], 'STRICT_STAPLING', () => now, 'none', asks ? 'second' : 'server'],
    ];
    for (const [what, pairs, staplePolicy, nowMs, outcome, shown, serverName = 'example.com'] of cases) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
        const { server, client } = await pair({ pairs, nowMs, plan: { staplePolicy, params: { ...PARAMS, maxVersion } } }).open({ serverName });
        assert.equal(server.staple, asks ? outcome : '', what);
        if (asks && outcome === 'fail') {
          assert.match(server.fault!.reason, /268435589:SSL routines:OPENSSL_internal:CONNECTION_REJECTED/, what);
          assert.match(client.fault!.reason, /268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE/, what);
        } else { assert.equal(cn(client), shown, `${what} ${maxVersion}: ${server.fault?.reason}`); assert.match(server.facts!.localSubject, new RegExp(`^CN=${shown},`), what); }
        close(server, client);
      }
    }
  });

  test(name('SAN matchers of all types'), async () => {
    const oid = '1.3.6.1.4.1.311.20.2.3', who = sanClient, san = (type: SanType, kind: SanMatcherPlan['kind'], text: string, more: Partial<SanMatcherPlan> = {}): SanMatcherPlan => ({ type, kind, text, ignoreCase: false, oid: '', ...more });
    const cases: readonly (readonly [SanMatcherPlan, boolean])[] = [
      [san('EMAIL', 'exact', 'a@example.com'), true], [san('EMAIL', 'suffix', '@other.com'), false], [san('IP_ADDRESS', 'exact', '10.1.2.3'), true], [san('IP_ADDRESS', 'exact', '2001:db8::1'), true], [san('IP_ADDRESS', 'prefix', '10.2.'), false],
      [san('DNS', 'exact', 'a.wild.example.com'), true], [san('DNS', 'exact', 'a.b.wild.example.com'), false], [san('DNS', 'exact', '*.wild.example.com'), true], [san('DNS', 'contains', 'WILD', { ignoreCase: true }), true], [san('URI', 'exact', 'a@example.com'), false],
      [san('OTHER_NAME', 'exact', 'u@corp', { oid }), true], [san('OTHER_NAME', 'exact', 'u@corp', { oid: '1.2.3' }), false], [san('OTHER_NAME', 'regex', '[a-z]@c.*', { oid }), true],
    ];
    for (const [m, good] of cases) {
      const { server, client } = await pair({ pairs: [certs.server], validation: { ...CA, sans: [{ ...m, text: m.ignoreCase ? m.text.toLowerCase() : m.text }] } }, { pairs: [who] }).open();
      assert.equal(server.fault === null, good, `${m.type} ${m.kind} ${m.text}: ${server.fault?.reason}`);
      if (!good) assert.match(server.fault!.reason, /SAN matcher, certificate SANs are \[a@example.com, 10.1.2.3, 2001:db8::1, \*.wild.example.com, u@corp\]/);
      close(server, client);
    }
  });

  test(name('chains: how long, which lists of revoked ones are looked at, and the names of authorities that a client is told'), async () => {
    const cases: readonly (readonly [string, Partial<ValidationPlan>, Pair, RegExp | null])[] = [
      ['any length', CA, chained, null], ['one between', { ...CA, maxDepth: 1 }, chained, null], ['none between', { ...CA, maxDepth: 0 }, chained, /unable to get local issuer certificate/], ['none between, and none is', { ...CA, maxDepth: 0 }, certs.client, null],
      ['lists of all', { ...CA, crl: certs.ca.revoke() }, chained, /unable to get certificate CRL/], ['the list of the leaf\'s authority', { ...CA, crl: middle.revoke(), onlyLeafCrl: true }, chained, null],
    ];
    for (const [what, validation, who, reason] of cases) {
      if (validation.onlyLeafCrl === true && serverEngine.name === 'node') continue;
      const { server, client } = await pair({ pairs: [certs.server], validation }, { pairs: [who] }).open();
      if (reason === null) assert.equal(server.fault?.reason, undefined, what); else assert.match(server.fault?.reason ?? 'served', reason, what);
      close(server, client);
    }
    const name_ = Buffer.from('ca');
    for (const suppressCaList of [false, true]) {
      const validation = { ...CA, suppressCaList };
      if (serverEngine.cannot({ side: 'server', plan: SERVER, secrets: secrets([certs.server], validation), nowMs: () => 0, onKeyLines() {} }) !== '') continue;
      const { server, client, flight } = await firstFlight(pair({ pairs: [certs.server], validation, plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2' } } }, { plan: { params: { ...PARAMS, maxVersion: 'TLSv1.2' } } }));
      // CertificateRequest (RFC 5246 7.4.4): the list of names comes last.
      const request = messages(flight).find((m) => m[0] === 13)!;
      assert.equal(request.includes(name_), !suppressCaList);
      close(server, client);
    }
  });

  test(name('sessions: by ticket, by id, or not at all; their lifetime; whose order of suites counts; a certificate for a name that none has'), async () => {
    const tls12 = { params: { ...PARAMS, maxVersion: 'TLSv1.2' as const } };
    for (const [statelessResumption, statefulResumption, ticket, resumed] of [[true, true, true, true], [true, false, true, true], [false, true, false, true], [false, false, false, false]] as const) {
      const p = pair({ pairs: [certs.server], plan: { ...tls12, statelessResumption, statefulResumption, sessionTimeoutS: 777 } }, { plan: tls12 }), what = `${statelessResumption} ${statefulResumption}`;
      const first = await firstFlight(p), second = await p.open(), sent = messages(first.flight).find((m) => m[0] === 4);
      assert.equal(sent?.readUInt32BE(4), ticket ? 777 : undefined, what);
      assert.equal(second.server.facts?.resumed, resumed, what);
      close(first.server, first.client, second.server, second.client);
    }
    const none = pair({ pairs: [certs.server] }, { plan: { maxSessionKeys: 0 } });
    for (let i = 0; i < 2; i++) { const x = await none.open(); assert.equal(x.server.facts!.resumed, false); close(x.server, x.client); }
    const strong = 'ECDHE-ECDSA-AES256-GCM-SHA384', weak = 'ECDHE-ECDSA-AES128-GCM-SHA256';
    for (const preferClientCiphers of [true, false]) {
      const x = await pair({ pairs: [certs.server], plan: { preferClientCiphers, params: { ...tls12.params, ciphers: [strong, weak] } } }, { plan: { params: { ...tls12.params, ciphers: [weak, strong] } } }).open();
      assert.equal(x.server.facts!.cipher, preferClientCiphers ? weak : strong);
      close(x.server, x.client);
    }
    for (const fullScan of [true, false]) {
      const x = await pair({ pairs: [certs.rsa, certs.second], plan: { fullScan } }).open({ serverName: 'unknown.test' });
      assert.equal(cn(x.client), fullScan ? 'second' : 'rsa');
      close(x.server, x.client);
    }
  });

  test(name('an upstream is refused by its authority and by its name'), async () => {
    const wrong = await pair({ pairs: [certs.stranger] }, { validation: CA }).open();
    assert.equal(wrong.client.fault?.stat, 'fail_verify_error');
    const named = await pair({ pairs: [certs.server] }, { validation: CA }).open({ sans: ['other.example'] });
    assert.equal(named.client.fault?.stat, 'fail_verify_san');
    const good = await pair({ pairs: [certs.server] }, { validation: CA }).open({ sans: ['example.com'] });
    assert.equal(good.client.fault, null);
    const elsewhere: SanMatcherPlan = { type: 'DNS', kind: 'exact', text: 'elsewhere', ignoreCase: false, oid: '' };
    for (const [serverName, sans, accepted] of [['example.com', [elsewhere], true], ['second.example.com', [], false], ['', [elsewhere], false], ['', [], true]] as const) {
      const { server, client } = await pair({ pairs: [certs.server] }, { validation: { ...CA, sans }, plan: { autoSniSanValidation: true } }).open({ serverName });
      if (accepted) assert.equal(client.fault?.reason, undefined, serverName); else assert.match(client.fault!.reason, /SAN matcher, certificate SANs are/, serverName);
      close(server, client);
    }
    close(wrong.server, wrong.client, named.server, named.client, good.server, good.client);
  });

  test(name('sessions are resumed within their group only'), async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
      const params = { ...PARAMS, maxVersion };
      const shared = pair({ pairs: [certs.server], plan: { params } }, { plan: { params } });
      const once = async (p: typeof shared): Promise<boolean> => { const x = await p.open(); x.server.session.send(Buffer.from('t'), 0, 1); await pump(x.server, x.client); const r = x.server.facts!.resumed; close(x.server, x.client); return r; };
      assert.equal(await once(shared), false);
      assert.equal(await once(shared), true, maxVersion);
    }
  });

  test(name('ticket keys: the first seals, all open, and a ticket under an older one is renewed'), async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as TlsVersion[]) {
      const params = { ...PARAMS, maxVersion }, side = (...tickets: string[]): Side => ({ pairs: [certs.server], tickets, plan: { params, statefulResumption: false } });
      const p = pair(side('a'), { plan: { params } });
      const resumed = async (...tickets: string[]): Promise<boolean> => { p.serve(side(...tickets)); const x = await p.open(); x.server.session.send(Buffer.from('t'), 0, 1); await pump(x.server, x.client); const r = x.server.facts!.resumed; close(x.server, x.client); return r; };
      const seen = [await resumed('a'), await resumed('b', 'a'), await resumed('c', 'b'), await resumed('d'), await resumed('e', 'd'), await resumed('d')];
      assert.deepEqual(seen, [false, true, true, false, true, false], maxVersion);
    }
  });
}

test('a certificate is known by its names in RFC 2253, its serial and its pins', () => {
  const c = new Certificate(certificatesOf(certs.client.cert)[0]!.raw);
  assert.equal(c.subject, 'CN=client,O=Example');
  assert.equal(c.issuer, 'CN=ca');
  assert.match(c.serial, /^[0-9a-f]+$/);
  assert.deepEqual(c.alternatives.map((a) => `${a.type}:${a.value}`), ['URI:spiffe://example.com/client', 'DNS:client.example.com']);
  assert.equal(certificatesOf(certs.server.cert)[0]!.sans('IP_ADDRESS')[0], '127.0.0.1');
});
