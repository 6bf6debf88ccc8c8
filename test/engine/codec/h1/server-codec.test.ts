import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MALFORMED } from '../../../flows/malformed-table.ts';
import { H1Peer } from './h1-peer.ts';

const ask = (path = '/', fields = '', body = '', method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: h.example\r\n${fields}\r\n${body}`;

test('a request is read the same however its bytes are cut', () => {
  const text = ask('/a?b=c', 'X-One: 1\r\nx-two:  two words \r\nx-empty:\r\n') + ask('/p', 'content-length: 4\r\n', 'body', 'POST');
  const whole = new H1Peer().feed(text);
  assert.deepEqual(whole.events, ['GET /a?b=c h.example', 'end', 'complete', 'POST /p h.example', 'end', 'complete']);
  assert.deepEqual(whole.requests[0]!.flat, ['x-one', '1', 'x-two', 'two words', 'x-empty', '']);
  for (let size = 1; size < 40; size++) {
    const cut = new H1Peer().feed(text, size);
    assert.deepEqual(cut.events, whole.events, `pieces of ${size}`);
    assert.equal(cut.body, 'body');
    assert.deepEqual(cut.requests.map((r) => r.flat), whole.requests.map((r) => r.flat));
  }
});

test('chunked bodies with extensions and trailers, cut at every byte', () => {
  const text = ask('/c', 'transfer-encoding: chunked\r\n', '3;name=value\r\nabc\r\n0A\r\n0123456789\r\n0\r\nx-trailer: t\r\n\r\n', 'POST');
  for (let size = 1; size <= text.length; size++) {
    const p = new H1Peer({ enableTrailers: true }).feed(text, size);
    assert.equal(p.body, 'abc0123456789');
    assert.deepEqual(p.events, ['POST /c h.example', 'trailers x-trailer t', 'end', 'complete']);
  }
  assert.deepEqual(new H1Peer().feed(text).events, ['POST /c h.example', 'end', 'complete']);
});

test(`${MALFORMED.length} malformed requests are refused whole, byte by byte, and cut at head and body; the connection ends`, () => {
  for (const m of MALFORMED) {
    const head = m.bytes.indexOf('\r\n\r\n') + 4;
    for (const size of [m.bytes.length, 1, Math.max(1, head)]) {
      const p = new H1Peer();
      p.feed(m.bytes + 'GET /canary HTTP/1.1\r\nhost: x\r\n\r\n', size);
      if (m.name === 'a fragment in the target') { assert.equal(p.requests[0]?.path, '/a#b'); continue; } // the connection manager refuses it
      assert.ok(p.events.some((e) => e.startsWith(`bad ${m.status}`) || e.startsWith(`reset protocol-error ${m.status}`)), `${m.name} in pieces of ${size}: ${p.events.join(', ')}`);
      assert.ok(p.closed !== null, `${m.name}: the connection ends`);
      assert.ok(!p.events.some((e) => e.includes('/canary') || e.includes('/smuggled')), `${m.name}: nothing behind it is read`);
    }
  }
});

test('pipelined requests wait for the answer before them, with reading paused', () => {
  const p = new H1Peer();
  p.answer = false;
  p.feed(ask('/1') + ask('/2'));
  assert.deepEqual(p.events, ['GET /1 h.example', 'end']);
  assert.equal(p.paused, 1);
  p.respond(p.stream!, 200);
  assert.deepEqual(p.events.slice(2), ['complete', 'GET /2 h.example', 'end']);
  assert.equal(p.paused, 0);
});

test('a third answer ready within one read ends the connection as a flood', () => {
  const p = new H1Peer().feed(ask('/1') + ask('/2') + ask('/3'));
  assert.deepEqual(p.events.at(-1), 'flood');
  assert.equal(p.events.filter((e) => e === 'complete').length, 2);
  assert.equal(p.closed, 'flush');
});

test('connection: close is answered with it and nothing behind is read', () => {
  const p = new H1Peer().feed(ask('/', 'connection: Close\r\n') + ask('/next'));
  assert.match(p.out, /connection: close\r\n/);
  assert.equal(p.requests.length, 1);
  assert.equal(p.closed, 'done');
});

test('HTTP/1.0 is refused unless accepted; it gets 1.0 answers and closes unless asked to stay', () => {
  const text = 'GET / HTTP/1.0\r\nhost: x\r\n\r\n';
  assert.match(new H1Peer().feed(text).out, /^HTTP\/1.1 426 /);
  const p = new H1Peer({ acceptHttp10: true }).feed(text);
  assert.match(p.out, /^HTTP\/1.0 200 OK\r\n[^]*connection: close/);
  const stay = new H1Peer({ acceptHttp10: true }).feed('GET / HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n');
  assert.match(stay.out, /connection: keep-alive/);
  assert.equal(stay.closed, null);
});

test('absolute form gives the host; an upgrade makes a tunnel only with 101', () => {
  assert.equal(new H1Peer().feed('GET http://abs.example:8/x HTTP/1.1\r\nhost: other\r\n\r\n').requests[0]!.authority, 'abs.example:8');
  const p = new H1Peer();
  p.feed('GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n\r\n');
  assert.equal(p.requests[0]!.protocol, 'websocket');
  p.feed('raw bytes');
  assert.equal(p.body, 'raw bytes');
  const h2c = new H1Peer().feed('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n');
  assert.deepEqual(h2c.requests[0]!.flat, []);
});

test('a head that drips in byte by byte up to the limit is read in linear time', () => {
  const text = ask('/', `x-big: ${'v'.repeat(59_000)}\r\n`);
  const began = performance.now();
  assert.deepEqual(new H1Peer().feed(text, 1).events, ['GET / h.example', 'end', 'complete']);
  assert.ok(performance.now() - began < 2000);
});

test('random bytes and mutated requests never throw, and cutting them changes nothing', () => {
  const base = ask('/a', 'x: y\r\ntransfer-encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n', 'POST');
  const mutated = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 4 }).map((edits) => { const b = Buffer.from(base, 'latin1'); for (const [i, v] of edits) b[i] = v; return b.toString('latin1'); });
  const noise = fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b).toString('latin1'));
  fc.assert(fc.property(fc.oneof(mutated, noise), fc.integer({ min: 1, max: 20 }), (text, size) => {
    if (text.length === 0) return;
    const whole = new H1Peer().feed(text), cut = new H1Peer().feed(text, size);
    assert.deepEqual(cut.events, whole.events);
    assert.equal(cut.body, whole.body);
  }), { numRuns: 3000, interruptAfterTimeLimit: 3000 });
});
