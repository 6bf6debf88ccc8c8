import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { GrpcHttp1BridgeFactory } from '../../../../engine/filters/http/grpc-http1-bridge/filter.ts';
import { GrpcReverseBridgeFactory } from '../../../../engine/filters/http/grpc-http1-reverse-bridge/filter.ts';
import { GrpcStatsFactory } from '../../../../engine/filters/http/grpc-stats/filter.ts';
import { Base64Reader, Base64Writer } from '../../../../engine/filters/http/grpc-web/base64.ts';
import { GrpcWebFactory } from '../../../../engine/filters/http/grpc-web/filter.ts';
import { Headers, RequestHeaders, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import type { HttpFilterFactory } from '../../../../engine/http/filter.ts';
import { GrpcFrames } from '../../../../engine/http/grpc-frames.ts';
import { grpcMethod } from '../../../../engine/observe/stats/grpc-stats.ts';
import type { StatStore } from '../../../../engine/observe/stats/stat-block.ts';
import { UpstreamFacts } from '../../../../engine/observe/stream-facts.ts';
import { harness, type Harness } from '../../http/stream-harness.ts';

/** A stat store that knows names. */
function namedStats(): StatStore & { readonly all: () => Record<string, number> } {
  const names: string[] = [], column = new Float64Array(5000);
  const claim = (name: string, n = 1): number => { const at = names.length; for (let i = 0; i < n; i++) names.push(i === 0 ? name : ''); return at; };
  const store: ReturnType<typeof namedStats> = { column, released: false, owned: () => store, claim: (s, p) => claim(p, s.names.length), claimOne: (n) => claim(n), claimHistogram: (n) => claim(n, 12), extend: (n) => claim('', n), all: () => Object.fromEntries(names.flatMap((n, i) => (n === '' || column[i] === 0 ? [] : [[n.replace('cluster.c.', ''), column[i]!]]))) };
  return store;
}

const frame = (text: string, flags = 0): string => String.fromCharCode(flags, 0, 0, text.length >> 8, text.length & 255) + text;
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const call = (h: Harness, headers: Record<string, string>, path = '/p.S/M', end = false): void => { const r = new RequestHeaders(); r.method = 'POST'; r.path = path; r.authority = 'x'; for (const [n, v] of Object.entries(headers)) r.add(n, v); h.stream.onHeaders(r, end); };
const trailers = (t: Record<string, string>): Headers => { const out = new Headers(); for (const [n, v] of Object.entries(t)) out.add(n, v); return out; };
const respond = (h: Harness, headers: Record<string, string>, status = 200, end = false): ResponseHeaders => { const r = new ResponseHeaders(); r.status = status; for (const [n, v] of Object.entries(headers)) r.add(n, v); h.terminal.entry.downstreamWatcher = h.terminal; h.terminal.entry.respondHeaders(r, end); return r; };

/** A harness whose one filter is made by a factory, per stream. */
function withFilter(factory: HttpFilterFactory, headers: Record<string, string>, path?: string, end?: boolean): Harness {
  // The harness takes filters ready made; the factories look at the request, so the filter is made of a stand-in.
  const request = new RequestHeaders();
  for (const [n, v] of Object.entries(headers)) request.add(n, v);
  const h = harness([factory.create({ request } as never)], { limit: 100_000 });
  call(h, headers, path, end);
  return h;
}

test('messages are counted however the bytes are cut', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (lengths, size) => {
    const bytes = Buffer.from(lengths.map((n) => frame('x'.repeat(n))).join(''), 'latin1'), f = new GrpcFrames();
    for (let i = 0; i < bytes.length; i += size) f.inspect(bytes, i, Math.min(bytes.length, i + size));
    assert.deepEqual([f.count, f.between], [lengths.length, true]);
  }));
});

test('a path names a method only with two parts', () => {
  assert.deepEqual(grpcMethod('/pkg.Service/Method?x=1'), { service: 'pkg.Service', method: 'Method' });
  assert.deepEqual([grpcMethod('/x'), grpcMethod('/a/b/c'), grpcMethod('/')], [null, null, null]);
});

test('base64 in padded pieces is read at any cut; what is none is refused', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
    const text = Buffer.from(pieces.map((p) => Buffer.from(p).toString('base64')).join(''), 'latin1'), reader = new Base64Reader(), out: Buffer[] = [];
    for (let i = 0; i < text.length; i += size) out.push(reader.feed(text, i, Math.min(text.length, i + size))!);
    assert.ok(reader.whole);
    assert.deepEqual(Buffer.concat(out), Buffer.concat(pieces));
  }));
  for (const bad of ['????', 'A===', 'AA=A', '=AAA', 'AAA\n']) assert.equal(new Base64Reader().feed(Buffer.from(bad), 0, 4), null, bad);
  const w = new Base64Writer(), b = Buffer.from('abcd');
  assert.equal(w.feed(b, 0, 2, false).toString() + w.feed(b, 2, 4, true).toString(), base64('abcd'));
});

test('grpc_stats counts status and messages for the cluster that served the call', () => {
  const store = namedStats();
  const factory = new GrpcStatsFactory('g', { emitFilterState: true, methods: ['p.S/M'], upstreamTime: true, replaceDots: true }, store);
  const one = (path: string, status: string | null, only = false): Harness => {
    const h = withFilter(factory, { 'content-type': 'application/grpc+proto' }, path);
    h.body(frame('a') + frame('b'), true);
    h.stream.facts.upstream = Object.assign(new UpstreamFacts(), { cluster: 'c' });
    if (only) { respond(h, { 'grpc-status': status! }, 200, true); return h; }
    respond(h, {});
    h.terminal.body(frame('c').slice(0, 3), false);
    h.terminal.body(frame('c').slice(3), status === null);
    if (status !== null) h.terminal.entry.respondTrailers(trailers({ 'grpc-status': status }));
    return h;
  };
  assert.deepEqual(one('/p.S/M', '0').stream.facts.filterState?.get('envoy.filters.http.grpc_stats'), { requestMessageCount: '2', responseMessageCount: '1' });
  one('/p.S/M', '5', true); one('/p.S/Other', '0'); one('/p.S/M', null); one('/nothing', '0');
  assert.deepEqual(store.all(), {
    'grpc.p_S.M.0': 1, 'grpc.p_S.M.5': 1, 'grpc.p_S.M.success': 1, 'grpc.p_S.M.failure': 1, 'grpc.p_S.M.total': 2, 'grpc.p_S.M.request_message_count': 6, 'grpc.p_S.M.response_message_count': 2,
    'grpc.0': 1, 'grpc.success': 1, 'grpc.total': 1, 'grpc.request_message_count': 2, 'grpc.response_message_count': 1,
  });
});

test('grpc_web: binary and text; trailers are the last frame of the body, each message a piece of base64', () => {
  for (const text of [false, true]) {
    const type = text ? 'application/grpc-web-text' : 'application/grpc-web', encode = text ? base64 : (s: string): string => s, store = namedStats();
    const h = withFilter(new GrpcWebFactory('g', store), { 'content-type': type, accept: type, 'content-length': '99' });
    const body = encode(frame('hello'));
    h.body(body.slice(0, 5), false); h.body(body.slice(5), true);
    assert.deepEqual(h.terminal.got.list.join('|'), `POST /p.S/M|${frame('hello')} end`);
    assert.deepEqual(['content-type', 'te', 'grpc-accept-encoding', 'content-length'].map((n) => h.stream.request.get(n)), ['application/grpc', 'trailers', 'identity', undefined]);
    h.stream.facts.upstream = Object.assign(new UpstreamFacts(), { cluster: 'c' });
    const r = respond(h, { 'content-type': 'application/grpc', 'content-length': '3' });
    const m = frame('abcd') + frame('e');
    h.terminal.body(m.slice(0, 7), false); h.terminal.body(m.slice(7), false);
    const t = trailers({ 'grpc-status': '0', 'grpc-message': 'ok' });
    h.terminal.entry.respondTrailers(t);
    const last = frame('grpc-status:0\r\ngrpc-message:ok\r\n', 0x80);
    assert.deepEqual(h.codec.sent.list, ['200', text ? base64(frame('abcd')) + base64(frame('e')) + base64(last) : m + last, 'trailers ']);
    assert.deepEqual([r.get('content-type'), r.get('content-length'), t.size], [text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto', undefined, 0]);
    assert.deepEqual(store.all(), { 'grpc-web.p.S.M.0': 1, 'grpc-web.p.S.M.success': 1, 'grpc-web.p.S.M.total': 1 });
  }
});

test('grpc_web: an answer that is no gRPC becomes one; text that is no base64 is 400 in that form', () => {
  const h = withFilter(new GrpcWebFactory('g', namedStats()), { 'content-type': 'application/grpc-web' });
  h.body('', true);
  const r = respond(h, { 'content-type': 'text/html' }, 404);
  h.terminal.body('not %', false); h.terminal.body('found', true);
  assert.deepEqual([h.codec.sent.list, r.get('grpc-status'), r.get('grpc-message'), r.get('content-length')], [['404 end'], '12', 'not %25found', '0']);
  for (const [body, last] of [['!!!!', false], ['AAA', true]] as const) {
    const b = withFilter(new GrpcWebFactory('g', namedStats()), { 'content-type': 'application/grpc-web-text' });
    b.body(body, last);
    assert.equal(b.codec.sent.list[0], '400 end');
    assert.equal(b.stream.response!.get('grpc-message'), 'Bad gRPC-web request, invalid base64 data.');
  }
  const other = withFilter(new GrpcWebFactory('g', namedStats()), { 'content-type': 'application/json' });
  assert.equal(other.stream.request.get('te'), undefined);
});

test('grpc_http1_bridge: the status goes into the head, a failed call is 503', () => {
  for (const [status, code] of [['0', 200], ['5', 503]] as const) {
    const h = withFilter(new GrpcHttp1BridgeFactory('b', { upgradeProtobuf: false, ignoreQuery: false }), { 'content-type': 'application/grpc' });
    h.body(frame('x'), true);
    const r = respond(h, { 'content-type': 'application/grpc' });
    h.terminal.body(frame('abc'), false);
    assert.deepEqual(h.codec.sent.list, [], 'nothing goes out before the status is known');
    h.terminal.entry.respondTrailers(trailers({ 'grpc-status': status, 'grpc-message': 'm' }));
    assert.deepEqual(h.codec.sent.list.slice(0, 2), [String(code), frame('abc')]);
    assert.deepEqual([r.get('grpc-status'), r.get('grpc-message'), r.get('content-length')], [status, 'm', '8']);
  }
});

test('grpc_http1_bridge: plain protobuf is framed on the way in and unframed on the way out', () => {
  const h = withFilter(new GrpcHttp1BridgeFactory('b', { upgradeProtobuf: true, ignoreQuery: true }), { 'content-type': 'application/x-protobuf', 'content-length': '5' }, '/p.S/M?x=1');
  h.body('he', false); h.body('llo', true);
  assert.deepEqual(h.terminal.got.list, ['POST /p.S/M', `${frame('hello')} end`]);
  assert.equal(h.stream.request.get('content-length'), undefined);
  const r = respond(h, { 'content-type': 'application/grpc' });
  h.terminal.body(frame('answer'), false);
  h.terminal.entry.respondTrailers(trailers({ 'grpc-status': '0' }));
  assert.deepEqual(h.codec.sent.list.slice(0, 2), ['200', 'answer']);
  assert.equal(r.get('content-length'), '6');
});

test('grpc_http1_reverse_bridge: bare messages to and from the upstream, its status in trailers', () => {
  for (const size of [1, 3, 100]) {
    const h = withFilter(new GrpcReverseBridgeFactory('r', 0, { contentType: 'application/x-p', withhold: true, sizeHeader: '' }), { 'content-type': 'application/grpc+proto', 'content-length': '10' });
    const body = frame('hello');
    for (let i = 0; i < body.length; i += size) h.body(body.slice(i, i + size), i + size >= body.length);
    assert.deepEqual(h.terminal.got.list, ['POST /p.S/M', 'hello end']);
    assert.deepEqual(['content-type', 'accept', 'content-length'].map((n) => h.stream.request.get(n)), ['application/x-p', 'application/x-p', '5']);
    const r = respond(h, { 'content-type': 'application/x-p', 'content-length': '6' }, 404);
    h.terminal.body('ans', false); h.terminal.body('wer', true);
    assert.deepEqual(h.codec.sent.list, ['200', frame('answer'), 'trailers grpc-status=12']);
    assert.deepEqual([r.get('content-type'), r.get('content-length')], ['application/grpc+proto', '11']);
  }
});

test('grpc_http1_reverse_bridge: a told size is passed on as it comes, another one cuts the answer; wrong types and small requests are answered', () => {
  const made = (): Harness => { const h = withFilter(new GrpcReverseBridgeFactory('r', 0, { contentType: 'application/x-p', withhold: true, sizeHeader: 'x-size' }), { 'content-type': 'application/grpc' }); h.body(frame('q'), true); return h; };
  const good = made();
  respond(good, { 'content-type': 'application/x-p', 'x-size': '4' });
  good.terminal.body('ab', false);
  assert.deepEqual(good.codec.sent.list, ['200', frame('abcd').slice(0, 7)]);
  good.terminal.body('cd', true);
  assert.deepEqual(good.codec.sent.list, ['200', frame('abcd'), 'trailers grpc-status=0']);
  for (const last of ['c', 'cde']) {
    const bad = made();
    respond(bad, { 'content-type': 'application/x-p', 'x-size': '4' });
    bad.terminal.body('ab', false); bad.terminal.body(last, true);
    assert.equal(bad.codec.sent.list.at(-1), 'reset local');
    assert.equal(bad.stream.facts.statusDetails, 'grpc_bridge_content_length_wrong');
  }
  const none = made();
  respond(none, { 'content-type': 'application/x-p' });
  assert.deepEqual([none.codec.sent.list, none.stream.response!.get('grpc-status'), none.stream.facts.statusDetails], [['200 end'], '13', 'grpc_bridge_content_length_missing']);
  const wrong = made();
  respond(wrong, { 'content-type': 'text/html' }, 503);
  assert.equal(wrong.stream.response!.get('grpc-message'), 'envoy reverse bridge: upstream responded with unsupported content-type text/html, status code 503');
  const small = withFilter(new GrpcReverseBridgeFactory('r', 0, { contentType: 'application/x-p', withhold: true, sizeHeader: '' }), { 'content-type': 'application/grpc' });
  small.body('abc', true);
  assert.equal(small.codec.sent.list[0], '200 end');
});
