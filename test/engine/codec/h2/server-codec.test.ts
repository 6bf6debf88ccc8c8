import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Headers, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { ServerPeer } from './server-peer.ts';
import { PREFACE, T, ask, data, frame, goaway, ping, rst, settings, u32, window } from './wire.ts';

const bytes = (n: number): Buffer => Buffer.alloc(n, 120);
const OK_HEAD = (id: number): string => `HEADERS ${id} end :status=200`;

test('preface, settings, and a request in as many pieces as there are bytes', () => {
  for (let size = 1; size < 80; size++) {
    const p = new ServerPeer({}, false);
    p.cut(size, PREFACE, settings([4, 70_000]), p.heads.headers(1, ask('/a?b', [['x-one', ' 1 '], ['cookie', 'a=1'], ['x-two', '2'], ['cookie', 'b=2']]), true), p.heads.split(3, ask('/b', [['x', 'y'.repeat(50)]], 'POST'), false, 7), data(3, 'hel', false, 3), data(3, 'lo'), p.heads.headers(3, [['x-t', '1']], true));
    assert.deepEqual(p.events, ['1 GET /a?b h.example', '1 end', '1 complete', '3 POST /b h.example', '3 trailers x-t 1', '3 end', '3 complete'], `pieces of ${size}`);
    assert.deepEqual(p.requests[0]!.flat, ['x-one', '1', 'cookie', 'a=1; b=2', 'x-two', '2']);
    assert.equal(p.body, 'hello');
    assert.deepEqual(p.out(), ['WINDOW 0 25100289', OK_HEAD(1), OK_HEAD(3)]);
    assert.deepEqual([p.stats.get('streams_active'), p.codec.activeStreams], [0, 0]);
  }
});

test('padding counts for both windows and is given back with the data', () => {
  const p = new ServerPeer({ initialStreamWindowSize: 65_535, initialConnectionWindowSize: 65_535 });
  p.feed(p.heads.headers(1, ask('/', [], 'POST')));
  for (let i = 0; i < 128; i++) p.feed(data(1, 'x', false, 254));
  assert.deepEqual(p.out(), ['WINDOW 0 32768', 'WINDOW 1 32768']);
  assert.equal(p.closed, null);
});

test('responses end in each way: body, trailers, no body; streams interleave in one write', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(...[1, 3, 5].map((id) => p.heads.headers(id, ask(`/${id}`), true)));
  p.writes = 0;
  const [a, b, c] = p.streams, h = new ResponseHeaders(), t = new Headers(), hint = new ResponseHeaders();
  h.status = 200; t.add('grpc-status', '0'); hint.status = 103; hint.add('link', '<a>');
  h.add('connection', 'close'); h.add('keep-alive', 'x'); h.add('transfer-encoding', 'chunked');
  c!.informational(hint);
  a!.headers(h, false); b!.headers(h, false);
  a!.data(bytes(3), 0, 3, false); b!.trailers(t); a!.data(bytes(3), 0, 3, true);
  p.respond(c!);
  assert.deepEqual(p.out(), ['HEADERS 5 :status=103 link=<a>', 'HEADERS 1 :status=200', 'HEADERS 3 :status=200', 'DATA 1 xxx', 'HEADERS 3 end grpc-status=0', 'DATA 1 end xxx', OK_HEAD(5)]);
  assert.equal(p.writes, 1);
  assert.deepEqual(p.events.slice(-3), ['3 complete', '1 complete', '5 complete']);
});

test('an answer before the request is whole: END_STREAM, RST NO_ERROR, and the rest of the body is owed to the connection only', () => {
  const p = new ServerPeer({ initialStreamWindowSize: 65_535, initialConnectionWindowSize: 65_535 });
  p.answer = false;
  p.feed(p.heads.headers(1, ask('/', [], 'POST')), data(1, 'x'));
  p.respond(p.streams[0]!);
  assert.deepEqual([p.out(), p.events.at(-1)], [[OK_HEAD(1), 'RST 1 0'], '1 complete']);
  for (let i = 0; i < 3; i++) p.feed(data(1, 'y'.repeat(16_000), i === 2));
  assert.deepEqual(p.out(), ['WINDOW 0 48001']);
  assert.equal(p.body, 'x');
  assert.equal(p.closed, null);
});

test('a blocked response is woken by its own window, the connection\'s, and SETTINGS; streams take turns', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(settings([4, 20_000]), ...[1, 3].map((id) => p.heads.headers(id, ask(), true)));
  p.out();
  for (const s of p.streams) { p.respond(s, 'r'.repeat(90_000)); }
  assert.deepEqual(p.out(), ['HEADERS 1 :status=200', 'DATA 1 16384', 'DATA 1 3616', 'HEADERS 3 :status=200', 'DATA 3 16384', 'DATA 3 3616']);
  assert.deepEqual(p.events.slice(-2), ['1 blocked', '3 blocked']);
  p.feed(settings([4, 60_000]));
  assert.deepEqual(p.out(), ['DATA 1 16384', 'DATA 3 9151'], 'the connection window of 65535 is used up');
  p.feed(window(0, 60_000), window(1, 100_000), window(3, 100_000));
  assert.deepEqual(p.out(), ['DATA 1 16384', 'DATA 3 16384', 'DATA 1 7232', 'DATA 3 14465', 'DATA 1 5535']);
  p.feed(window(0, 1_000_000));
  assert.equal(p.out().filter((l) => / end /.test(l)).length, 2);
  assert.deepEqual(p.events.filter((e) => /complete|drained/.test(e)).sort(), ['1 complete', '1 drained', '3 complete', '3 drained']);
});

test('a window that shrinks below zero stays shut until it is open again', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(p.heads.headers(1, ask(), true));
  const h = Object.assign(new ResponseHeaders(), { status: 200 });
  p.streams[0]!.headers(h, false);
  p.streams[0]!.data(bytes(50_000), 0, 50_000, false);
  p.feed(settings([4, 10_000]));
  p.out();
  p.streams[0]!.data(bytes(10), 0, 10, true);
  assert.deepEqual(p.out(), []);
  p.feed(window(1, 40_000));
  assert.deepEqual(p.out(), [], 'exactly zero is not ready');
  p.feed(window(1, 9));
  assert.deepEqual(p.out(), ['DATA 1 xxxxxxxxx']);
  p.feed(window(1, 1));
  assert.deepEqual(p.out(), ['DATA 1 end x']);
});

test('a reset while DATA is buffered drops it, frees the stream, and is told once', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(settings([4, 10]), p.heads.headers(1, ask(), true), p.heads.headers(3, ask(), true));
  p.respond(p.streams[0]!, 'x'.repeat(50)); p.respond(p.streams[1]!, 'y'.repeat(50));
  p.out();
  p.streams[0]!.reset('local');
  p.feed(rst(3, 8));
  p.streams[1]!.reset('local');
  p.feed(window(0, 100), window(1, 100), window(3, 100));
  assert.deepEqual(p.out(), ['RST 1 2']);
  assert.deepEqual(p.events.slice(4), ['3 reset remote']);
  assert.equal(p.codec.activeStreams, 0);
});

test('streams beyond the limit are refused; the next one after an end is served', () => {
  const p = new ServerPeer({ maxConcurrentStreams: 2 });
  p.answer = false;
  p.feed(...[1, 3, 5].map((id) => p.heads.headers(id, ask(`/${id}`, [['x-same', 'v']]), true)));
  assert.deepEqual(p.out(), ['RST 5 7']);
  p.respond(p.streams[0]!);
  p.feed(p.heads.headers(7, ask('/7', [['x-same', 'v']]), true));
  assert.equal(p.requests[2]!.get('x-same'), 'v', 'the table went on through the refused head');
});

test('a graceful end: all are served after the notice, none after the second GOAWAY, the connection ends with the last', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(p.heads.headers(1, ask(), true));
  p.codec.announceShutdown();
  p.feed(p.heads.headers(3, ask(), true));
  p.codec.shutdown();
  p.feed(p.heads.headers(5, ask('/late', [['x-same', 'v']]), false), data(5, 'late', true));
  assert.deepEqual(p.out(), [`GOAWAY ${0x7fffffff} 0`, 'GOAWAY 3 0']);
  assert.equal(p.closed, null);
  for (const s of p.streams) p.respond(s);
  assert.deepEqual([p.streams.length, p.closed], [2, 'flush']);
  assert.deepEqual(p.out(), [OK_HEAD(1), OK_HEAD(3)]);
});

test('DATA of streams that a GOAWAY has left out counts for the connection\'s window, and is given back', () => {
  const p = new ServerPeer({ initialConnectionWindowSize: 65_535 });
  p.answer = false;
  p.feed(p.heads.headers(1, ask(), true));
  p.codec.shutdown();
  p.feed(p.heads.headers(3, ask('/late', [], 'POST')));
  p.out();
  for (let i = 0; i < 8; i++) p.feed(data(3, 'x'.repeat(15_000), false, 255));
  const given = p.out().filter((l) => l.startsWith('WINDOW 0')).reduce((n, l) => n + Number(l.split(' ')[2]), 0);
  assert.ok(given >= 90_000, `${given} of ${8 * 15_256}, padding included`);
  assert.deepEqual([p.closed, p.streams.length], [null, 1]);
});

test('trailers with what belongs to a connection, with pseudo headers or without an end are none', () => {
  for (const lines of [[['connection', 'close']], [['transfer-encoding', 'chunked']], [['te', 'gzip']], [['upgrade', 'x']], [[':path', '/']], [[':status', '200']], [['X-A', '1']]] as [string, string][][]) {
    const p = new ServerPeer({ streamErrorOnInvalidHttpMessage: true });
    p.feed(p.heads.headers(1, ask('/', [], 'POST')), data(1, 'x'), p.heads.headers(1, lines, true), p.heads.headers(3, ask(), true));
    assert.deepEqual(p.out(), ['RST 1 1', OK_HEAD(3)], lines.join());
  }
  const open = new ServerPeer({ streamErrorOnInvalidHttpMessage: true });
  open.feed(open.heads.headers(1, ask('/', [], 'POST')), open.heads.headers(1, [['x', '1']], false));
  assert.deepEqual(open.out(), ['RST 1 1']);
});

test('extended CONNECT is an upgrade to the other rooms; its 101 is a 200 here; data flows both ways', () => {
  const p = new ServerPeer({ allowConnect: true });
  p.answer = false;
  p.feed(p.heads.headers(1, [[':method', 'CONNECT'], [':protocol', 'WebSocket'], [':scheme', 'http'], [':path', '/ws'], [':authority', 'h']]), data(1, 'hi'));
  const r = p.requests[0]!;
  assert.deepEqual([r.method, r.protocol, r.get('upgrade'), r.get('connection'), p.body], ['GET', 'websocket', 'websocket', 'upgrade', 'hi']);
  const h = Object.assign(new ResponseHeaders(), { status: 101 });
  h.add('upgrade', 'websocket'); h.add('connection', 'upgrade');
  p.streams[0]!.headers(h, false);
  p.streams[0]!.data(Buffer.from('yo'), 0, 2, false);
  assert.deepEqual(p.out(), ['HEADERS 1 :status=200', 'DATA 1 yo']);
  const plain = new ServerPeer();
  plain.feed(plain.heads.headers(1, [[':method', 'CONNECT'], [':authority', 'h:443']]));
  assert.deepEqual(plain.events, ['1 CONNECT  h:443']);
});

test('heads that are none end the stream or the connection, as configured', () => {
  const pseudo = ask();
  const bad: Record<string, [string, string][]> = {
    'upper case': [...pseudo, ['X-A', '1']], 'connection header': [...pseudo, ['connection', 'close']], 'transfer-encoding': [...pseudo, ['transfer-encoding', 'chunked']], 'te gzip': [...pseudo, ['te', 'gzip']],
    'unknown pseudo': [...pseudo, [':x', '1']], 'status in a request': [...pseudo, [':status', '200']], 'pseudo after regular': [['x', '1'], ...pseudo], 'no path': pseudo.filter((l) => l[0] !== ':path'), 'no scheme': pseudo.filter((l) => l[0] !== ':scheme'),
    'no method': pseudo.filter((l) => l[0] !== ':method'), 'two paths': [...pseudo, [':path', '/']], 'empty path': ask(''), 'relative path': ask('x'), 'a space in the path': ask('/a b'), 'a bad method': ask('/', [], 'GE T'), 'a line feed': [...pseudo, ['x', 'a\nb']],
    'a NUL': [...pseudo, ['x', '\0']], 'a colon in a name': [...pseudo, ['x:y', 'b']], 'an empty name': [...pseudo, ['', 'b']], 'lengths that differ': [...pseudo, ['content-length', '1'], ['content-length', '2']], 'a length that is none': [...pseudo, ['content-length', '+1']],
    'protocol without the setting': [...ask('/', [], 'CONNECT'), [':protocol', 'websocket']], 'CONNECT with a path': ask('/', [], 'CONNECT'), 'an authority with a slash': [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a/b']],
    'two hosts': [...pseudo, ['host', 'a'], ['host', 'b']], 'a scheme with a blank': [[':method', 'GET'], [':scheme', 'ht tp'], [':path', '/'], [':authority', 'a']],
  };
  for (const [what, lines] of Object.entries(bad)) {
    const p = new ServerPeer({ streamErrorOnInvalidHttpMessage: true });
    p.feed(p.heads.headers(1, lines, true), p.heads.headers(3, ask(), true));
    assert.deepEqual([p.out(), p.closed, p.requests.length], [['RST 1 1', OK_HEAD(3)], null, 1], what);
    assert.match(p.events[0]!, /^1 reset protocol-error http2\./, what);
    const q = new ServerPeer();
    q.feed(q.heads.headers(1, lines, true), q.heads.headers(3, ask(), true));
    assert.deepEqual([q.out(), q.requests.length], [['GOAWAY 1 1'], 0], what);
    assert.equal(q.closed, 'flush codec_error:The_user_callback_function_failed', what);
    assert.match(q.events[0]!, /^1 reset protocol-error http2\./, what);
  }
});

test('content-length and what comes must agree, with trailers too', () => {
  const of = (...frames: Buffer[]): string[] => { const p = new ServerPeer({ streamErrorOnInvalidHttpMessage: true }); p.feed(p.heads.headers(1, ask('/', [['content-length', '4']], 'POST')), ...frames); assert.equal(p.stats.get('rx_messaging_error'), undefined); return p.out(); };
  assert.deepEqual(of(data(1, 'abcd', true)), [OK_HEAD(1)]);
  assert.deepEqual(of(data(1, 'abcde')), ['RST 1 1']);
  assert.deepEqual(of(data(1, 'abc', true)), ['RST 1 1']);
  assert.deepEqual(of(data(1, 'ab'), data(1, 'c', true, 4)), ['RST 1 1']);
  const none = new ServerPeer();
  none.feed(none.heads.headers(1, ask('/', [['content-length', '5']]), true), none.heads.headers(3, ask(), true));
  assert.deepEqual([none.out(), none.events[0]], [['GOAWAY 1 1'], '1 reset protocol-error http2.violation.of.messaging.rule'], 'a head that ends and promises a body is itself malformed');
  const twice = new ServerPeer();
  twice.feed(twice.heads.headers(1, ask('/', [['content-length', '4'], ['content-length', '4']], 'POST')), data(1, 'abcd', true));
  assert.deepEqual(twice.out(), ['GOAWAY 1 1'], 'even when both agree');
});

test('headers too large or too many reset the stream with INTERNAL_ERROR; the table goes on', () => {
  const p = new ServerPeer({ maxHeadersKb: 1, maxHeadersCount: 10 });
  p.feed(p.heads.headers(1, ask('/', [['x-a', '1'], ['x-big', 'v'.repeat(1100)], ['x-b', '2']]), true), p.heads.headers(3, ask('/', Array.from({ length: 12 }, (_, i) => [`y-${i}`, '1'] as [string, string])), true), p.heads.headers(5, ask('/ok', [['x-b', '2'], ['y-11', '1']]), true));
  assert.deepEqual(p.out(), ['RST 1 2', 'RST 3 2', OK_HEAD(5)]);
  assert.deepEqual(p.requests[0]!.flat, ['x-b', '2', 'y-11', '1']);
});

test('underscores in names: passed, dropped, refused', () => {
  const of = (action: 'allow' | 'drop' | 'reject'): [number | undefined, string[]] => { const p = new ServerPeer({ headersWithUnderscores: action, streamErrorOnInvalidHttpMessage: true }); p.feed(p.heads.headers(1, ask('/', [['a_b', '1'], ['c', '2']]), true)); return [p.requests[0]?.size, p.out()]; };
  assert.deepEqual([of('allow'), of('drop'), of('reject')], [[2, [OK_HEAD(1)]], [1, [OK_HEAD(1)]], [undefined, ['RST 1 2']]]);
});

test('frames that break the rules end the connection with the right code', () => {
  const code = (...frames: ((p: ServerPeer) => Buffer)[]): string => { const p = new ServerPeer(); p.answer = false; p.feed(p.heads.headers(1, ask(), false)); p.out(); p.feed(...frames.map((f) => f(p))); return p.out().at(-1) ?? 'nothing'; };
  const raw = (b: Buffer) => (): Buffer => b;
  assert.equal(code(raw(data(0, 'x'))), 'GOAWAY 1 1');
  assert.equal(code(raw(data(5, 'x'))), 'GOAWAY 1 1');
  assert.equal(code((p) => p.heads.headers(2, ask())), 'GOAWAY 1 1');
  assert.equal(code((p) => p.heads.headers(5, ask()), (p) => p.heads.headers(3, ask())), 'GOAWAY 5 1');
  assert.equal(code(raw(rst(9, 0))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.RST, 0, 1, '123'))), 'GOAWAY 1 6');
  assert.equal(code(raw(window(0, 0))), 'GOAWAY 1 1');
  assert.equal(code(raw(window(1, 0))), 'GOAWAY 1 1');
  assert.equal(code(raw(window(0, 0x7fffffff))), 'GOAWAY 1 3');
  assert.equal(code(raw(window(1, 0x7fffffff))), 'RST 1 3');
  assert.equal(code(raw(settings(...Array.from({ length: 32 }, () => [4, 70_000] as [number, number])))), 'nothing');
  assert.equal(code(raw(settings(...Array.from({ length: 33 }, () => [4, 70_000] as [number, number])))), 'GOAWAY 1 11');
  assert.equal(code(raw(settings([4, 0x80000000]))), 'GOAWAY 1 3');
  assert.equal(code(raw(settings([2, 2]))), 'GOAWAY 1 1');
  assert.equal(code(raw(settings([5, 100]))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.SETTINGS, 1, 0, '123456'))), 'GOAWAY 1 6');
  assert.equal(code(raw(frame(T.SETTINGS, 0, 0, '12345'))), 'GOAWAY 1 6');
  assert.equal(code(raw(frame(T.PING, 0, 1, '12345678'))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.PUSH, 4, 1, u32(2)))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.CONTINUATION, 4, 1))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.HEADERS, 0, 3, '\x82')), raw(ping())), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.HEADERS, 4, 3, '\xff\xff\xff\xff\xff\xff'))), 'GOAWAY 1 9');
  assert.equal(code(raw(frame(T.HEADERS, 4 | 8, 3, '\x20\x82'))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.HEADERS, 4 | 32, 3, Buffer.concat([u32(3), Buffer.from([1, 0x82])])))), 'GOAWAY 1 1');
  assert.equal(code(raw(frame(T.PRIORITY, 0, 3, '1234'))), 'GOAWAY 1 6');
  assert.equal(code(raw(frame(T.DATA, 0, 1, Buffer.alloc(16_385)))), 'GOAWAY 1 6');
  assert.equal(code(raw(frame(42, 255, 1, 'whatever'))), 'nothing');
  assert.equal(code(raw(goaway(0))), 'nothing');
  assert.equal(code((p) => p.heads.headers(1, [['x', '1']], false)), 'GOAWAY 1 1');
  const first = new ServerPeer({}, false).feed(PREFACE, ping());
  assert.equal(first.out().at(-1), 'GOAWAY 0 1');
  assert.equal(new ServerPeer({}, false).feed(Buffer.from('GET / HTTP/1.1\r\n\r\n')).out().at(-1), 'GOAWAY 0 1');
});

test('after END_STREAM: DATA and HEADERS are STREAM_CLOSED; after our reset they are let pass', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(p.heads.headers(1, ask()));
  p.streams[0]!.reset('local');
  assert.deepEqual(p.out(), ['RST 1 2']);
  p.feed(data(1, 'x'), p.heads.headers(1, [['x', 'y']], true), window(1, 1), rst(1, 8));
  assert.deepEqual([p.out(), p.closed], [[], null], 'we reset it: late frames are let pass');
  const over = (f: (q: ServerPeer) => Buffer, answered: boolean): string[] => { const q = new ServerPeer(); q.answer = answered; q.feed(q.heads.headers(3, ask(), true)); q.out(); q.feed(f(q)); return q.out(); };
  for (const answered of [true, false]) {
    assert.deepEqual(over(() => data(3, 'x'), answered), ['GOAWAY 3 5']);
    assert.deepEqual(over((q) => q.heads.headers(3, ask(), true), answered), ['GOAWAY 3 5']);
  }
});

test('more than the announced windows is a flow control error, of the stream or of the connection', () => {
  const p = new ServerPeer({ initialStreamWindowSize: 65_535, initialConnectionWindowSize: 200_000 });
  p.answer = false;
  p.feed(p.heads.headers(1, ask('/', [], 'POST')), p.heads.headers(3, ask('/', [], 'POST')));
  for (const s of p.streams) s.pause('upstream-full');
  for (let i = 0; i < 4; i++) p.feed(data(1, 'x'.repeat(16_383)));
  p.feed(data(1, 'xxxx'));
  assert.deepEqual(p.out().filter((l) => l.startsWith('RST')), ['RST 1 3']);
  for (let i = 0; i < 8; i++) p.feed(data(3, 'x'.repeat(16_384)));
  assert.deepEqual(p.out().filter((l) => l.startsWith('RST')), ['RST 3 3']);
});

test('a HPACK table that changes its size in the middle, from both sides', () => {
  const p = new ServerPeer({ hpackTableSize: 256 });
  p.feed(p.heads.headers(1, ask('/', [['x-a', 'b']]), true));
  p.feed(settings([1, 0]), p.heads.headers(3, ask('/', [['x-a', 'b']]), true), settings([1, 4096], [1, 100]), p.heads.headers(5, ask('/', [['x-a', 'b']]), true));
  assert.deepEqual(p.requests.map((r) => r.get('x-a')), ['b', 'b', 'b']);
  assert.deepEqual(p.out(), [OK_HEAD(1), OK_HEAD(3), OK_HEAD(5)]);
});

test('a client that half-closes, a socket that is gone: each stream is told once', () => {
  for (const end of ['receiveEnd', 'close'] as const) {
    const p = new ServerPeer();
    p.answer = false;
    p.feed(p.heads.headers(1, ask(), true), p.heads.headers(3, ask('/', [], 'POST')));
    p.codec[end](); p.codec.close();
    p.streams[0]!.reset('local'); p.respond(p.streams[1]!);
    assert.deepEqual(p.events.filter((e) => e.includes('reset')), ['1 reset connection-end', '3 reset connection-end']);
    assert.deepEqual(p.out(), []);
  }
});

test('random frames in any order and cut never throw; every stream ends once; all windows are bounded', () => {
  const any = fc.tuple(fc.integer({ min: 0, max: 11 }), fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 2, 3, 5, 7, 9), fc.uint8Array({ maxLength: 60 })).map(([t, f, s, b]) => frame(t, f, s, b));
  const good = fc.tuple(fc.constantFrom('head', 'whole', 'data', 'end', 'rst', 'window', 'zero', 'ping', 'settings'), fc.integer({ min: 0, max: 5 }));
  fc.assert(fc.property(fc.array(fc.oneof(any, good), { maxLength: 25 }), fc.integer({ min: 1, max: 50 }), fc.boolean(), (list, size, lenient) => {
    const p = new ServerPeer({ streamErrorOnInvalidHttpMessage: lenient, initialStreamWindowSize: 65_535, initialConnectionWindowSize: 65_535 });
    for (const item of list) {
      if (p.closed !== null) break;
      if (!Array.isArray(item)) { p.cut(size, item); continue; }
      const [what, n] = item, id = 1 + 2 * n;
      p.cut(size, what === 'head' ? p.heads.headers(id, ask('/', [['x', 'y']], 'POST')) : what === 'whole' ? p.heads.headers(id, ask(), true) : what === 'data' ? data(id, 'abc') : what === 'end' ? data(id, '', true) : what === 'rst' ? rst(id, 8) : what === 'window' ? window(id, 5) : what === 'zero' ? window(id, 0) : what === 'ping' ? ping() : settings([4, n * 10]));
    }
    p.codec.close();
    p.streams.forEach((_, i) => { const n = 2 * i + 1; assert.equal(p.events.filter((e) => e === `${n} complete` || e.startsWith(`${n} reset`)).length, 1, p.events.join()); });
    assert.equal(p.stats.get('streams_active') ?? 0, 0);
  }), { numRuns: 2000 });
});
