// What becomes of a broken HTTP/2 request, on the wire and in the access log: what Envoy 1.40 does with the same bytes, where it answers at all.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ask as lines, data, rst, window } from '../engine/codec/h2/wire.ts';
import { httpBackend } from '../support/backend.ts';
import { bootstrapYaml, clusterYaml, fileLog } from '../support/bootstrap.ts';
import { RawH2 } from '../support/h2-wire.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

type Line = readonly [string, string];
const pseudo = (more: Record<string, string>): Line[] => Object.entries({ ':method': 'GET', ':scheme': 'http', ':path': '/', ...more });
/** What is sent; what comes back with stream errors allowed and without ('' : the connection ends); the log line. */
const FAULTS: Record<string, { send: (c: RawH2) => Buffer[]; lax: string; strict: string; log: string }> = {
  'a path without slash': { send: (c) => [c.heads.headers(1, lines('nope'), true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 - - 0 DPE http2.violation.of.messaging.rule' },
  'no authority': { send: (c) => [c.heads.headers(1, pseudo({}), true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 - - 0 DPE http2.violation.of.messaging.rule' },
  'an empty authority': { send: (c) => [c.heads.headers(1, pseudo({ ':authority': '' }), true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 - - 0 DPE http2.invalid.header.field' },
  'te: gzip': { send: (c) => [c.heads.headers(1, lines('/', [['te', 'gzip']]), true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 - - 0 DPE http2.invalid.header.field' },
  'a connection header': { send: (c) => [c.heads.headers(1, lines('/', [['connection', 'close']]), true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 - - 0 DPE http2.invalid.header.field' },
  'an underscore': { send: (c) => [c.heads.headers(1, lines('/', [['a_b', 'c']]), true)], lax: 'RST 1 2', strict: 'RST 1 2', log: 'HTTP/2 - - 0 DR http2.unexpected_underscore' },
  'headers too large': { send: (c) => [c.heads.headers(1, lines('/', [['x-a', 'v'.repeat(9000)]]), true)], lax: 'RST 1 2', strict: 'RST 1 2', log: 'HTTP/2 - - 0 DR http2.header_list_size_too_large' },
  'too many headers': { send: (c) => [c.heads.headers(1, lines('/', Array.from({ length: 30 }, (_, i) => [`x-${i}`, 'v'] as const)), true)], lax: 'RST 1 2', strict: 'RST 1 2', log: 'HTTP/2 - - 0 DR http2.too_many_headers' },
  'more than content-length says': { send: (c) => [c.heads.headers(1, lines('/len', [['content-length', '3']], 'POST')), data(1, 'abcde', true)], lax: 'RST 1 1', strict: 'RST 1 1', log: 'HTTP/2 POST /len 0 DPE http2.remote_reset' },
  'a pseudo header in trailers': { send: (c) => [c.heads.headers(1, lines('/tp', [], 'POST')), c.heads.headers(1, [[':path', '/x']], true)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 POST /tp 0 DPE http2.invalid.header.field' },
  'trailers that do not end': { send: (c) => [c.heads.headers(1, lines('/te', [], 'POST')), c.heads.headers(1, [['x', 'y']], false)], lax: 'RST 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 POST /te 0 DPE http2.violation.of.messaging.rule' },
  'a reset by the client': { send: (c) => [c.heads.headers(1, lines('/wait'), true), rst(1, 8)], lax: '', strict: '', log: 'HTTP/2 GET /wait 0 DR http2.remote_reset' },
  'DATA after the end': { send: (c) => [c.heads.headers(1, lines('/wait'), true), data(1, 'x')], lax: 'GOAWAY 1 5', strict: 'GOAWAY 1 5', log: 'HTTP/2 GET /wait 0 DPE http2.unknown.nghttp2.error' },
  'a window of nothing': { send: (c) => [c.heads.headers(1, lines('/wait'), true), window(1, 0)], lax: 'GOAWAY 1 1', strict: 'GOAWAY 1 1', log: 'HTTP/2 GET /wait 0 DPE http2.unknown.nghttp2.error' },
};

test(`${Object.keys(FAULTS).length} kinds of broken requests end as Envoy ends them, and are logged so`, async (t) => {
  const backend = await httpBackend('a', (req, res) => { if (req.url !== '/wait') res.end('ok'); }), ports = { lax: await freePort(), strict: await freePort() };
  const hcm = (lax: boolean): string => `codec_type: HTTP2
    max_request_headers_kb: 8
    common_http_protocol_options: {max_headers_count: 20, headers_with_underscores_action: REJECT_REQUEST}
    http2_protocol_options: {override_stream_error_on_invalid_http_message: ${lax}}
    ${fileLog(lax ? 'lax.log' : 'strict.log', '%PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%')}`;
  const weir = await startWeir(bootstrapYaml([{ port: ports.lax, name: 'lax', hcm: hcm(true) }, { port: ports.strict, name: 'strict', hcm: hcm(false) }], [clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  for (const mode of ['lax', 'strict'] as const) {
    let logged = 0;
    const log = (): string[] => { try { return readFileSync(join(weir.dir, `${mode}.log`), 'utf8').split('\n').filter((l) => l !== ''); } catch { return []; } };
    for (const [what, f] of Object.entries(FAULTS)) {
      const c = await RawH2.open(ports[mode]);
      c.send(...f.send(c));
      await until(`${mode}, ${what}: the log`, () => log().length > logged);
      assert.equal(log()[logged], f.log, `${mode}, ${what}`);
      logged++;
      if (f[mode] !== '') await until(`${mode}, ${what}: ${c.lines.join()}`, () => c.lines.includes(f[mode]));
      c.stop();
    }
  }
});
