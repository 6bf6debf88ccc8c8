// METADATA frames at both codecs, as Envoy 1.40 has them with allow_metadata.
import assert from 'node:assert/strict';
import test from 'node:test';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { ClientPeer } from './client-peer.ts';
import { ServerPeer } from './server-peer.ts';
import { T, ask, data, frame, HeadWriter, metadata, window } from './wire.ts';

const ON = { maxMetadataBytes: 1 << 20 };
const posted = (options: object = ON): ServerPeer => { const p = new ServerPeer(options); p.feed(p.heads.headers(1, ask('/', [], 'POST'))); p.events.length = 0; return p; };

test('a request\'s METADATA is told between head and end, in one frame or several, whatever else comes in between', () => {
  const block = new HeadWriter().block([['x', '1'], ['y', '2'], ['x', '3']]);
  for (const size of [1, 7, 1000]) {
    const p = posted();
    p.cut(size, metadata(1, [['a', '1']]), data(1, 'body'), frame(T.METADATA, 0, 1, block.subarray(0, 4)), data(1, '!'), frame(T.METADATA, 4, 1, block.subarray(4)), data(1, '', true), metadata(1, [['late', '1']]));
    assert.deepEqual(p.events.filter((e) => !e.includes('complete')), ['1 metadata a=1', '1 metadata x=1 y=2', '1 end'], 'of a name that repeats the first value counts; after the end nothing does');
    assert.equal(p.body, 'body!');
    assert.equal(p.closed, null);
  }
});

test('the table of a map ends with it', () => {
  const p = posted();
  p.feed(frame(T.METADATA, 4, 1, Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('d'), Buffer.from([1]), Buffer.from('1'), Buffer.from([0xbe])])));
  assert.deepEqual(p.events, ['1 metadata d=1'], 'within it the table is there');
  p.feed(frame(T.METADATA, 4, 1, Buffer.from([0xbe])));
  assert.match(p.closed!, /^flush codec_error/);
});

test('METADATA without allow_metadata, of no stream, or empty is passed over; an empty map is counted', () => {
  const off = posted({});
  off.feed(metadata(1, [['a', '1']]), frame(T.METADATA, 4, 1, Buffer.from([0xff, 0xff])), data(1, 'x', true));
  assert.deepEqual(off.events.slice(0, 1), ['1 end']);
  const on = posted();
  on.feed(metadata(0, [['a', '1']]), metadata(3, [['a', '1']]), metadata(1, []), data(1, 'x', true));
  assert.deepEqual(on.events.slice(0, 1), ['1 end']);
  assert.equal(on.stats.get('metadata_empty_frames'), 1);
  assert.equal(on.closed, null);
});

test('more METADATA than max_metadata_size, over all maps of a stream, ends the connection', () => {
  const size = new HeadWriter().block([['a', 'v'.repeat(50)]]).length;
  const fits = posted({ maxMetadataBytes: 2 * size }), much = posted({ maxMetadataBytes: 2 * size - 1 }), piecemeal = posted({ maxMetadataBytes: 3 });
  for (const p of [fits, much]) p.feed(metadata(1, [['a', 'v'.repeat(50)]]), metadata(1, [['a', 'v'.repeat(50)]]));
  piecemeal.feed(frame(T.METADATA, 0, 1, 'ab'), frame(T.METADATA, 0, 1, 'cd'));
  assert.deepEqual([fits.closed, much.events.length, piecemeal.events.length].map(String), ['null', '2', '1'], 'the streams were told of the end');
  assert.match(much.closed!, /codec_error/);
  assert.match(piecemeal.closed!, /codec_error/);
});

test('METADATA is written where it is allowed: before the answer\'s head, past a body that waits for its window, cut into frames, not after the end', () => {
  const p = posted({ ...ON }), s = p.streams[0]!, map = new Map([['a', '1']]);
  p.answer = false;
  s.metadata!(map);
  p.respond(s, 'x'.repeat(70_000));
  s.metadata!(new Map([['b', '2']]));
  s.metadata!(new Map([['long', 'v'.repeat(20_000)]]));
  s.metadata!(new Map());
  const kinds = p.out().map((l) => l.split(' ').slice(0, 2).join(' '));
  assert.equal(kinds[0], 'METADATA 1');
  assert.equal(kinds[1], 'HEADERS 1');
  assert.deepEqual(kinds.slice(-3), ['METADATA 1', 'METADATA 1', 'METADATA 1'], 'the long map is two frames');
  p.feed(window(0, 100_000), window(1, 100_000), data(1, '', true));
  s.metadata!(map);
  assert.ok(!p.out().some((l) => l.startsWith('METADATA')), 'nothing after the end');
  const off = posted({});
  off.streams[0]!.metadata!(map);
  assert.deepEqual(off.out(), []);
});

test('a client\'s METADATA follows its head, and that of the answer is told before the answer\'s head too', () => {
  const p = new ClientPeer(ON), s = p.ask('POST', '/', [], false);
  s.metadata!(new Map([['authorization', 'secret'], ['q', '1']]));
  assert.deepEqual(p.out().slice(1), ['METADATA 1 authorization=secret q=1']);
  p.feed(metadata(1, [['early', '1']]), p.heads.headers(1, [[':status', '200']]), metadata(1, [['mid', '2']]), data(1, 'x', true), metadata(1, [['late', '3']]));
  assert.deepEqual(p.events.filter((e) => e.startsWith('1')), ['1 metadata early=1', '1 200', '1 metadata mid=2', '1 end']);
});

test('whatever bytes METADATA has, the codec gives maps or ends the connection', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 400; round++) {
    const p = posted();
    for (let i = 0; i < 4; i++) p.feed(frame(T.METADATA, random.u32() & 4, 1, Buffer.from(Array.from({ length: random.u32() % 40 }, () => random.u32() & 255))));
    assert.ok(p.closed === null || p.closed.startsWith('flush codec_error'));
  }
});
