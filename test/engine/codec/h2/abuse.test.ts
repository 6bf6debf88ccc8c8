// Known attacks on HTTP/2, at the codec: what ends the connection, when, and what is held until then.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ServerPeer } from './server-peer.ts';
import { T, ask, data, frame, ping, rst, settings, window } from './wire.ts';

test('floods end the connection: empty frames, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, resets made by the peer', () => {
  const flood = (n: number, f: (p: ServerPeer, i: number) => Buffer, options = {}): string => {
    const p = new ServerPeer({ maxOutboundControlFrames: 100, maxInboundPriorityFramesPerStream: 10, ...options });
    p.answer = false;
    p.feed(p.heads.headers(1, ask('/', [], 'POST')));
    p.cut(1 << 20, Buffer.concat(Array.from({ length: n }, (_, i) => f(p, i))));
    return `${p.closed} ${p.out().at(-1)}`;
  };
  assert.equal(flood(3, () => data(1, '')), 'flush http2.inbound_empty_frames_flood GOAWAY 1 11');
  assert.equal(flood(1, () => data(1, '')), 'null undefined');
  assert.equal(flood(200, () => ping()), 'flush http2.outbound_control_frames_flood GOAWAY 1 11');
  assert.equal(flood(200, () => settings()), 'flush http2.outbound_control_frames_flood GOAWAY 1 11');
  assert.equal(flood(30, (_, i) => frame(T.PRIORITY, 0, 1001 + 2 * i, Buffer.alloc(5))), 'flush http2.inbound_priority_frames_flood GOAWAY 1 11');
  assert.equal(flood(10, () => window(1, 1)), 'flush http2.inbound_window_update_frames_flood GOAWAY 1 11');
  assert.equal(flood(1000, (_, i) => (i === 0 ? frame(T.HEADERS, 0, 3, '\x82') : frame(T.CONTINUATION, 0, 3, '\x82'))), 'flush http2.header_overflow GOAWAY 1 11');
  assert.equal(flood(20, (_, i) => (i === 0 ? frame(T.HEADERS, 0, 3, '\x82') : frame(T.CONTINUATION, 0, 3, Buffer.alloc(16_000, 0x82)))), 'flush http2.header_overflow GOAWAY 1 11');
  // MadeYouReset: each stream is opened well and broken by a frame that makes us reset it.
  const made = new ServerPeer({ maxOutboundControlFrames: 10_000 });
  made.answer = false;
  for (let i = 0; i < 1000 && made.closed === null; i++) made.feed(made.heads.headers(1 + 2 * i, ask('/', [['content-length', '1']], 'POST')), data(1 + 2 * i, 'xx'));
  assert.equal(made.closed, 'flush http2.too_many_resets');
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
  assert.deepEqual([p.closed, p.out()], ['flush codec_error:The_user_callback_function_failed', ['GOAWAY 23 2']]);
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
  assert.deepEqual([closed(65_536), closed(65_537)], [null, 'flush http2.compression_error']);
  assert.deepEqual([closed(98_304, { maxHeaderFieldBytes: 98_304 }), closed(98_305, { maxHeaderFieldBytes: 98_304 })], [null, 'flush http2.compression_error']);
});
