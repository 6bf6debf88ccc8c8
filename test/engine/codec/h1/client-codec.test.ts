// HTTP/1 from the client's side: what is sent, what is made of the answer, and when the connection may be used again.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ClientStream } from '../../../../engine/codec/codec.ts';
import { H1ClientCodec } from '../../../../engine/codec/h1/client-codec.ts';
import { Headers, RequestHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP1_DEFAULTS, type Http1OptionsPlan } from '../../../../engine/plan/http1-options-plan.ts';

/** An upstream connection with a script for a peer. Body pieces next to each other are one event. */
class Upstream {
  readonly events: string[] = [];
  out = '';
  done: boolean | null = null;
  closed = false;
  /** Ends of the exchange: whole or reset. */
  ends = 0;
  stream: ClientStream | null = null;
  readonly codec: H1ClientCodec;
  constructor(options: Partial<Http1OptionsPlan> = {}) {
    this.codec = new H1ClientCodec({ onStreamDone: (reusable) => { this.done = reusable; }, onConnectionClose: () => { this.closed = true; }, onGoAway() {} } as ConstructorParameters<typeof H1ClientCodec>[0],
      { writeLatin1: (t) => { this.out += t; }, write: (b, s, e) => { this.out += Buffer.from(b.subarray(s, e)).toString('latin1'); }, pauseReading() {}, resumeReading() {} }, { ...HTTP1_DEFAULTS, ...options });
  }
  private note(text: string, end: boolean): void { if (this.ends > 0) this.events.push('AFTER THE END'); this.events.push(end ? `${text} end` : text); if (end) this.ends++; }
  ask(method = 'GET', fields: readonly (readonly [string, string])[] = [], end = true, protocol = ''): this {
    const stream = this.codec.open({
      onInformational: (h) => this.note(`${h.status}`, false), onHeaders: (h, e) => this.note(`${h.status} ${h.flat.join(' ')}`, e),
      onData: (b, s, e, last) => { const text = Buffer.from(b.subarray(s, e)).toString('latin1'), before = this.events.at(-1); if (before?.startsWith('"') && !before.endsWith(' end')) { this.events.pop(); this.note(before + text, last); } else this.note(`"${text}`, last); },
      onTrailers: (t) => this.note(`trailers ${t.flat.join(' ')}`, true), onReset: (reason, fault) => this.note(`reset ${reason}${fault === null ? '' : ' fault'}`, true), onBlocked() {}, onDrained() {},
    });
    assert.notEqual(stream, 'full');
    this.stream = stream as ClientStream;
    const h = new RequestHeaders();
    h.method = method; h.path = '/p'; h.authority = 'x'; h.protocol = protocol;
    for (const [n, v] of fields) h.add(n, v);
    this.stream.headers(h, end);
    return this;
  }
  feed(text: string, size = text.length): this {
    const bytes = Buffer.from(text, 'latin1');
    for (let i = 0; i < bytes.length; i += size) this.codec.receive(bytes, i, Math.min(bytes.length, i + size));
    return this;
  }
}

const WHOLE: readonly (readonly [string, string, readonly string[], boolean])[] = [
  ['by length', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc', ['200 content-length 3', '"abc end'], true],
  ['empty', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ['200 content-length 0 end'], true],
  ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n', ['200 transfer-encoding chunked', '"abc end'], true],
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', ['204  end'], true],
  ['not modified with a length', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n', ['304 content-length 9 end'], true],
  ['after two 1xx', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nz', ['100', '103', '200 content-length 1', '"z end'], true],
  ['said to close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nz', ['200 content-length 1', '"z end'], false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nz', ['200 content-length 1', '"z end'], false],
];

test('answers are read the same however their bytes are cut, and the connection is free afterwards if it may be', () => {
  for (const [name, text, events, reusable] of WHOLE) for (const size of [1, 2, 3, 7, text.length]) {
    const u = new Upstream().ask().feed(text, size);
    assert.deepEqual(u.events, events, `${name}, cut at ${size}`);
    assert.equal(u.done, reusable, `${name}: reusable`);
  }
});

test('trailers come where they are wanted', () => {
  const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n';
  assert.deepEqual(new Upstream({ enableTrailers: true }).ask().feed(text, 1).events, ['200 transfer-encoding chunked', '"a', 'trailers x-sum 1 end']);
  assert.deepEqual(new Upstream().ask().feed(text, 1).events, ['200 transfer-encoding chunked', '"a end']);
});

test('an answer without a length ends with the connection; one that is cut is a fault', () => {
  const open = new Upstream().ask().feed('HTTP/1.1 200 OK\r\n\r\nabc');
  open.codec.receiveEnd();
  assert.deepEqual([...open.events, open.done], ['200 ', '"abc end', false]);
  const cut = new Upstream().ask().feed('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc');
  cut.codec.receiveEnd();
  assert.deepEqual(cut.events, ['200 content-length 5', '"abc', 'reset protocol-error fault end']);
});

test('answers that cannot be understood are a fault, not a guess', () => {
  const bad = ['HTTP/2.0 200 OK\r\n\r\n', 'HTTP/1.1 20 OK\r\n\r\n', 'HTTP/1.1 099 X\r\n\r\n', 'nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n', 'HTTP/1.1 200 OK\r\na : b\r\n\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', 'HTTP/1.1 200 O\x00K\r\n\r\n', 'HTTP/1.1 200 OK\nx: y\n\n'];
  for (const text of bad) for (const size of [1, text.length]) {
    const u = new Upstream().ask().feed(text, size);
    assert.equal(u.events.at(-1), 'reset protocol-error fault end', JSON.stringify(text));
    assert.ok(u.closed, JSON.stringify(text));
  }
});

test('bytes that nobody asked for close the connection', () => {
  const idle = new Upstream().feed('HTTP/1.1 200 OK\r\n\r\n');
  assert.ok(idle.closed);
  const behind = new Upstream().ask().feed('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n');
  assert.deepEqual(behind.events, ['200 content-length 0 end']);
  assert.ok(behind.closed);
});

test('a second request goes out on the same connection, framed by what it has', () => {
  const u = new Upstream().ask('POST', [['content-length', '3']], false);
  u.stream!.data(Buffer.from('abc'), 0, 3, true);
  u.feed('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  u.ends = 0; u.out = '';
  u.ask('PUT', [], false);
  u.stream!.data(Buffer.from('de'), 0, 2, false);
  const t = new Headers(); t.add('x', 'y');
  u.stream!.trailers(t);
  assert.equal(u.out, 'PUT /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n');
  assert.equal(new Upstream().ask('POST').out, 'POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
});

test('an upgrade is a tunnel after 101 only, and an answer to it otherwise', () => {
  const u = new Upstream().ask('GET', [['upgrade', 'websocket'], ['connection', 'upgrade']], false, 'websocket').feed('HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nraw\x00bytes');
  assert.equal(u.events.at(-1), '"raw\x00bytes');
  assert.deepEqual(new Upstream().ask('GET', [], false, 'websocket').feed('HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n').events, ['403 content-length 0 end']);
});

test('random bytes and mutated answers never throw, end at most once, and cutting them changes nothing', () => {
  const base = fc.constantFrom(...WHOLE.map(([, text]) => text));
  const mutated = fc.tuple(base, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 })).map(([text, edits]) => { const b = Buffer.from(text, 'latin1'); for (const [i, v] of edits) if (i < b.length) b[i] = v; return b.toString('latin1'); });
  const noise = fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b).toString('latin1'));
  fc.assert(fc.property(fc.oneof({ weight: 4, arbitrary: mutated }, { weight: 1, arbitrary: noise }), fc.integer({ min: 1, max: 20 }), fc.boolean(), (text, size, end) => {
    const whole = new Upstream().ask().feed(text), cut = new Upstream().ask().feed(text, size);
    if (end) { whole.codec.receiveEnd(); cut.codec.receiveEnd(); }
    assert.deepEqual(cut.events, whole.events);
    assert.equal(cut.done, whole.done);
    assert.ok(whole.ends <= 1 && !whole.events.includes('AFTER THE END'));
    whole.codec.close('');
    assert.ok(whole.ends === 1 && !whole.events.includes('AFTER THE END'), 'a closed connection ends what was open, once');
  }), { numRuns: 5000 });
});
