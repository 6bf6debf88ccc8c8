// Malformed HTTP/2 requests through the whole proxy to an HTTP/1 backend that records what it is sent: each ends as Envoy 1.40 ends it (WEIR_CHAOS=envoy runs the same
// table through it), and the backend never sees a request or a header line that the client did not frame.
import assert from 'node:assert/strict';
import test from 'node:test';
import { T, data, frame } from '../engine/codec/h2/wire.ts';
import { recordingBackend } from '../support/backend.ts';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { ENVOY, startEither } from '../support/either.ts';
import { RawH2 } from '../support/h2-wire.ts';
import { freePort, until } from '../support/weir.ts';
import { MALFORMED_H2, type Field, type Malformed2 } from './malformed-h2-table.ts';

/** A string literal of HPACK, without Huffman. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
/** Literal fields without indexing (RFC 7541 6.2.2). */
const block = (fields: readonly Field[]): Buffer => Buffer.concat(fields.flatMap(([n, v]) => [Buffer.from([0]), literal(n), literal(v)]));
const head = (stream: number, fields: readonly Field[], end: boolean): Buffer => frame(T.HEADERS, (end ? 1 : 0) | 4, stream, block(fields));
const frames = (m: Malformed2): Buffer[] => [
  head(1, m.fields, m.body === undefined && m.trailers === undefined),
  ...(m.body === undefined ? [] : [data(1, m.body, m.trailers === undefined)]),
  ...(m.trailers === undefined ? [] : [head(1, m.trailers, true)]),
];
const CANARY: readonly Field[] = [[':method', 'GET'], [':scheme', 'http'], [':path', '/canary'], [':authority', 'x']];
/** What a proxy adds to a request by itself. */
const ADDED = /^(x-forwarded-proto|x-request-id|x-envoy-expected-rq-timeout-ms): |^transfer-encoding: chunked$/;

/** Whole heads and what else came, without the lines that the proxy adds. */
const told = (received: string): string => received.split('\r\n').filter((l) => !ADDED.test(l)).join('|').replace('GET /canary HTTP/1.1|host: x||', '').replace(/x-a: +kept[ \t]*/, 'x-a: kept');
/** With a stream's end the connection goes on. Envoy closes without saying GOAWAY, which it never gets to write; Weir says it. */
const hoped = (end: string): string => (!end.startsWith('GOAWAY') ? `${end}, the next is served` : ENVOY ? 'closed' : end);

/** How stream 1 ended, of what the wire said. */
function ending(lines: readonly string[]): string | null {
  const l = lines.find((x) => /^(RST 1|GOAWAY|HEADERS 1) /.test(x));
  return l === undefined ? null : (/^HEADERS 1.* :status=(\d+)/.exec(l)?.[1] ?? l);
}

for (const mode of ['strict', 'lax'] as const) {
  test(`${MALFORMED_H2.length} malformed HTTP/2 requests, ${mode}: each ends as Envoy ends it, the backend sees none of what they hide`, async (t) => {
    const backend = await recordingBackend(), port = await freePort();
    t.after(() => backend.stop());
    const p = await startEither(t, bootstrapYaml([{ port, hcm: `codec_type: HTTP2\ndelayed_close_timeout: 0.05s\nhttp2_protocol_options: {override_stream_error_on_invalid_http_message: ${mode === 'lax'}}` }], [clusterYaml('a', [backend.port])]));
    const got: string[] = [], wanted: string[] = [];
    for (const m of MALFORMED_H2) {
      backend.clear();
      const c = await RawH2.open(port);
      c.send(...frames(m), head(3, CANARY, true));
      await until(`${m.name}: an end; so far ${c.lines.join()}`, () => c.closed || (ending(c.lines) !== null && (c.lines.some((l) => /^GOAWAY|^HEADERS 3/.test(l)))), 3000).catch(() => {});
      const end = ending(c.lines) ?? (c.closed ? 'closed' : 'nothing');
      const next = c.lines.some((l) => /^HEADERS 3 .*:status=200/.test(l)), seen = told(backend.received());
      got.push(`${m.name}: ${end}${next ? ', the next is served' : ''}, upstream ${JSON.stringify(seen.includes('smuggled') || m.upstream !== undefined ? seen : '')}`);
      wanted.push(`${m.name}: ${hoped(m[mode])}, upstream ${JSON.stringify(m.upstream ?? '')}`);
      c.stop();
    }
    assert.deepEqual(got, wanted);
    await until('nothing is under way', async () => Object.entries(await p.stats('^(http.http|cluster.a).(down|up)stream_rq_active$')).every(([, n]) => n === 0));
  });
}
