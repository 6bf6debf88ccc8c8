// Known attacks on HTTP/2, at the codec: what ends the connection, when, and what is held until then.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ClientPeer } from './client-peer.ts';
import { ServerPeer } from './server-peer.ts';
import { T, ask, data, frame, goaway, ping, rst, settings, window } from './wire.ts';

const GIVEN_UP = 'flush codec_error:The_user_callback_function_failed';
const OK: [string, string][] = [[':status', '200']];

test('floods end the connection: empty frames, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, resets made by the peer', () => {
  const flood = (n: number, f: (p: ServerPeer, i: number) => Buffer, options = {}): string => {
    const p = new ServerPeer({ maxOutboundControlFrames: 100, maxInboundPriorityFramesPerStream: 10, ...options });
    p.answer = false;
    p.feed(p.heads.headers(1, ask('/', [], 'POST')));
    p.cut(1 << 20, Buffer.concat(Array.from({ length: n }, (_, i) => f(p, i))));
    return `${p.closed} ${p.out().at(-1)}`;
  };
  const many = (what: string, code = 11): string => `flush codec_error:Too_many_${what} GOAWAY 1 ${code}`, EMPTY = many('consecutive_frames_with_an_empty_payload');
  assert.equal(flood(3, () => data(1, '')), EMPTY);
  assert.equal(flood(3, () => data(1, '', false, 255)), EMPTY, 'padding is no content');
  assert.equal(flood(300, (_, i) => data(1, i % 2 === 0 ? '' : 'x', false, 9)), 'null undefined', 'but content in between is');
  assert.equal(flood(1, () => data(1, '')), 'null undefined');
  assert.equal(flood(3, (_, i) => (i === 0 ? frame(T.HEADERS, 0, 3, '\x82') : frame(T.CONTINUATION, 0, 3))), EMPTY);
  assert.equal(flood(200, () => ping()), many('control_frames_in_the_outbound_queue.'));
  assert.equal(flood(200, () => settings()), many('control_frames_in_the_outbound_queue.'));
  assert.equal(flood(30, (_, i) => frame(T.PRIORITY, 0, 1001 + 2 * i, Buffer.alloc(5))), many('PRIORITY_frames'));
  assert.equal(flood(10, () => window(1, 1)), many('WINDOW_UPDATE_frames'));
  assert.equal(flood(1000, (_, i) => (i === 0 ? frame(T.HEADERS, 0, 3, '\x82') : frame(T.CONTINUATION, 0, 3, '\x82'))), `${GIVEN_UP} GOAWAY 1 11`);
  assert.equal(flood(20, (_, i) => (i === 0 ? frame(T.HEADERS, 0, 3, '\x82') : frame(T.CONTINUATION, 0, 3, Buffer.alloc(16_000, 0x82)))), `${GIVEN_UP} GOAWAY 1 11`);
  assert.equal(flood(5000, () => goaway(0)), 'null undefined', 'costs nothing, and nothing is kept of it');
  assert.equal(flood(5000, () => frame(0x77, 0, 1, 'x')), 'null undefined');
  // MadeYouReset: each stream is opened well and broken by a frame that makes us reset it.
  const made = new ServerPeer({ maxOutboundControlFrames: 10_000 });
  made.answer = false;
  for (let i = 0; i < 1000 && made.closed === null; i++) made.feed(made.heads.headers(1 + 2 * i, ask('/', [['content-length', '1']], 'POST')), data(1 + 2 * i, 'xx'));
  assert.equal(made.closed, GIVEN_UP);
  assert.ok(made.streams.length < 300);
});

test('rapid reset: a burst of RST_STREAM, then so many a second; those for streams that ended long ago count too', () => {
  const p = new ServerPeer({ streamResetBurst: 5, streamResetRate: 2 });
  p.answer = false;
  p.nowMs = 10_000;
  let n = 0;
  const resets = (count: number): string | null => { for (let i = 0; i < count; i++, n++) p.feed(p.heads.headers(1 + 2 * n, ask(), true), rst(1 + 2 * n, 8)); return p.closed; };
  assert.equal(resets(5), null);
  p.nowMs = 10_999;
  p.nowMs = 11_000;
  assert.equal(resets(2), null, 'a second later: two more');
  p.nowMs = 20_000;
  assert.equal(resets(5), null, 'never more than the burst');
  p.feed(rst(1, 8));
  assert.deepEqual([p.closed, p.out()], [GIVEN_UP, ['GOAWAY 23 2']]);
  const none = new ServerPeer({ streamResetBurst: 0, streamResetRate: 0 });
  none.feed(none.heads.headers(1, ask('/', [], 'POST')), rst(1, 8));
  assert.deepEqual(none.out(), ['GOAWAY 1 2']);
});

test('a name or a value longer than max_header_field_size_kb ends the connection before anything is made of it', () => {
  const closed = (bytes: number, options = {}): string | null => {
    const p = new ServerPeer({ maxHeadersKb: 256, ...options });
    p.feed(p.heads.split(1, ask('/', [['x-a', '~'.repeat(bytes)]]), true, 16_000));
    return p.closed;
  };
  assert.deepEqual([closed(65_536), closed(65_537)], [null, GIVEN_UP]);
  assert.deepEqual([closed(98_304, { maxHeaderFieldBytes: 98_304 }), closed(98_305, { maxHeaderFieldBytes: 98_304 })], [null, GIVEN_UP]);
});

test('frames that would make us reset a stream end the connection: the stream is named, the others are not blamed', () => {
  const told = (...frames: Buffer[]): string[] => {
    const p = new ServerPeer();
    p.answer = false;
    p.feed(p.heads.headers(1, ask(), true), p.heads.headers(3, ask('/', [], 'POST')));
    p.events.length = 0;
    p.feed(...frames);
    assert.equal(p.closed, GIVEN_UP);
    assert.equal(p.stats.get('goaway_sent'), undefined, 'as Envoy counts');
    return p.events;
  };
  const OTHER = 'reset protocol-error codec_error:The_user_callback_function_failed', ONE = 'reset protocol-error http2.unknown.nghttp2.error';
  assert.deepEqual(told(window(3, 0)), [`3 ${ONE}`, `1 ${OTHER}`]);
  assert.deepEqual(told(data(1, 'x')), [`1 ${ONE}`, `3 ${OTHER}`]);
  assert.deepEqual(told(rst(9, 8)), [`1 ${OTHER}`, `3 ${OTHER}`]);
});

test('a HPACK bomb: kilobytes that name one long line over and over cost no more than the limit of a head', () => {
  const p = new ServerPeer();
  p.answer = false;
  for (let i = 0; i < 20; i++) {
    const at = Date.now();
    p.feed(frame(T.HEADERS, 5, 1 + 2 * i, Buffer.concat([p.heads.block(ask()), p.heads.block([['x-bomb', 'a'.repeat(1900)]]), Buffer.alloc(14_000, 0xbe)])));
    assert.ok(Date.now() - at < 1000);
  }
  assert.deepEqual([p.out().filter((l) => / 2$/.test(l)).length, p.requests.length, p.stats.get('header_list_size_too_large')], [20, 0, 20]);
});

test('cookie crumbs count one by one: 96 beside the four pseudo headers, and no more', () => {
  const out = (n: number): string[] => { const p = new ServerPeer(); p.feed(p.heads.headers(1, ask('/', Array.from({ length: n }, () => ['cookie', 'a=b'] as const)), true)); return p.out(); };
  assert.deepEqual([out(96), out(97)], [['HEADERS 1 end :status=200'], ['RST 1 2']]);
});

test('large trailers end their stream as large heads do', () => {
  const p = new ServerPeer();
  p.answer = false;
  p.feed(p.heads.headers(1, ask('/', [], 'POST')), p.heads.split(1, [['x-a', '~'.repeat(40_000)], ['x-b', '~'.repeat(40_000)]], true, 16_000));
  p.feed(p.heads.headers(3, ask('/', [], 'POST')), p.heads.headers(3, Array.from({ length: 101 }, (_, i) => [`x-${i}`, 'v'] as const), true));
  assert.deepEqual([p.out(), p.events.filter((e) => e.includes('reset'))], [['RST 1 2', 'RST 3 2'], ['1 reset protocol-error http2.header_list_size_too_large', '3 reset protocol-error http2.too_many_headers']]);
});

test('a host that attacks: floods end its connection, a head too large looks like its reset, GOAWAYs are told once', () => {
  const host = (n: number, f: (p: ClientPeer, i: number) => Buffer): string => {
    const p = new ClientPeer({ maxOutboundControlFrames: 100, maxInboundPriorityFramesPerStream: 10 });
    p.ask();
    p.feed(p.heads.headers(1, OK));
    p.out();
    p.cut(1 << 20, Buffer.concat(Array.from({ length: n }, (_, i) => f(p, i))));
    return `${p.closed} ${p.out().at(-1)}`;
  };
  assert.match(host(3, () => data(1, '', false, 255)), /empty_frames_flood GOAWAY 0 11/);
  assert.match(host(200, () => ping()), /control_frames.* GOAWAY 0 11/);
  assert.match(host(200, () => settings()), /control_frames.* GOAWAY 0 11/);
  assert.match(host(50, (_, i) => frame(T.PRIORITY, 0, 1001 + 2 * i, Buffer.alloc(5))), /PRIORITY_frames GOAWAY 0 11/);
  assert.match(host(50, () => window(0, 1)), /WINDOW_UPDATE_frames GOAWAY 0 11/);
  assert.match(host(1, () => window(1, 0)), /unknown.nghttp2.error GOAWAY 0 1/);
  assert.match(host(1, () => frame(T.PUSH, 4, 1, Buffer.from([0, 0, 0, 2]))), /unknown.nghttp2.error GOAWAY 0 1/);
  assert.match(host(1, () => settings(...Array.from({ length: 33 }, () => [4, 70_000] as [number, number]))), /GOAWAY 0 11/);
  const p = new ClientPeer();
  p.ask(); p.ask(); p.ask();
  p.out();
  p.feed(p.heads.headers(1, [...OK, ...Array.from({ length: 101 }, (_, i) => [`x-${i}`, 'v'] as const)], true));
  p.feed(p.heads.headers(3, OK, true), p.heads.headers(3, OK, true), ...Array.from({ length: 50 }, () => goaway(5)));
  assert.deepEqual([p.out(), p.events], [['RST 1 2'], ['done', '1 reset remote', '3 200 end', 'done', 'goaway']]);
});
