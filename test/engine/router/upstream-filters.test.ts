// HTTP filters behind the router: each attempt passes them on its way to the host, its answer in reverse before the router judges it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalReply, type HttpFilter } from '../../../engine/http/filter.ts';
import { RouterPeer } from './router-peer.ts';

const NOTHING = '0 requests, 0 retries, 0 timers';
const marks = (name: string, log: string[]): HttpFilter => ({
  onRequestHeaders: (_s, h) => { h.add('x-seen', name); log.push(`>${name}`); return 'next'; },
  onResponseHeaders: (_s, h) => { log.push(`<${name} ${h.status}`); return 'next'; },
  onEnd: (_s, how) => { log.push(`end ${name} ${how}`); },
});

test('requests pass upstream filters in order, answers in reverse; each attempt passes them anew, over what the one before has left', () => {
  const log: string[] = [], p = new RouterPeer({ retry: {}, upstream: [marks('a', log), marks('b', log)] }).head();
  p.upstream(0).answer(503);
  p.pass(26);
  assert.deepEqual(log.splice(0), ['>a', '>b', '<b 503', '<a 503', 'end a complete', 'end b complete', '>a', '>b']);
  assert.deepEqual(p.upstream(1).request!.getAll('x-seen'), ['a', 'b', 'a', 'b']);
  p.upstream(1).answer(200);
  assert.deepEqual(log, ['<b 200', '<a 200', 'end a complete', 'end b complete']);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

test('the router judges an answer as the upstream filters have made it', () => {
  const p = new RouterPeer({ retry: {}, upstream: [{ onResponseHeaders: (_s, h) => { if (h.status === 418) h.status = 503; return 'next'; } }] }).head();
  p.upstream(0).answer(418);
  p.pass(26).upstream(1).answer(200);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

test("the filters of a cluster stand in place of the router's; a codec alone means none", () => {
  const log: string[] = [], own = new RouterPeer({ upstream: [marks('c', log)], ofCluster: true }).head();
  own.upstream(0).answer(200);
  assert.deepEqual(log, ['>c', '<c 200', 'end c complete']);
  const none = new RouterPeer({ upstream: [], ofCluster: true }).head();
  none.upstream(0).answer(200);
  assert.deepEqual(none.out, ['200 end']);
});

test('filters run while the connection is still waited for, and may answer then; nothing is tried again', () => {
  const p = new RouterPeer({ retry: {}, upstream: [{ onRequestHeaders: () => new LocalReply(403, 'no', 'denied') }], host: { includeAttemptCountInResponse: true } });
  p.cluster.script.push('wait');
  p.head();
  assert.equal(p.cluster.waiters[0]!.cancelled, true);
  assert.deepEqual(p.out, ['local 403 denied']);
  assert.equal(p.left, NOTHING);
});

test('a reply on the body resets the stream that was begun', () => {
  const p = new RouterPeer({ retry: { perTryTimeoutMs: 50 }, upstream: [{ onRequestData: () => new LocalReply(400, '', 'bad_body') }] }).head(false).data('x', true);
  assert.equal(p.upstream(0).resetBy, 'local');
  assert.deepEqual(p.out, ['local 400 bad_body']);
  assert.equal(p.left, NOTHING);
});

test('what comes while the connection is waited for is held behind the filters, stops the client at the limit, and goes out once', () => {
  const p = new RouterPeer({ bufferLimit: 4, upstream: [{}] });
  p.cluster.script.push('wait');
  p.head(false).data('abc', false);
  assert.equal(p.paused, 0);
  p.data('def', false);
  assert.equal(p.paused, 1);
  const w = p.cluster.waiters[0]!;
  w.who.onLease(p.cluster.give(w.ctx, w.host), w.host);
  assert.equal(p.paused, 0);
  p.data('g', true);
  assert.equal(p.upstream(0).sent.split('|')[1], 'abcdefg');
  assert.equal(p.upstream(0).ended, true);
  p.upstream(0).answer(200);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

test('a filter that holds the request whole sends it on once it is, and answers 413 beyond the limit', () => {
  const whole: HttpFilter = { onRequestHeaders: (_s, _h, end) => (end ? 'next' : 'hold-whole') };
  const p = new RouterPeer({ bufferLimit: 4, upstream: [whole] }).head(false).data('ab', false);
  assert.equal(p.upstream(0).sent, '');
  p.data('cd', true);
  assert.equal(p.upstream(0).sent.split('|')[1], 'abcd');
  p.upstream(0).answer(200);
  assert.equal(p.left, NOTHING);
  const large = new RouterPeer({ bufferLimit: 4, upstream: [whole] }).head(false).data('abcde', false);
  assert.deepEqual(large.out, ['local 413 request_payload_too_large']);
  assert.equal(large.left, NOTHING);
});

test('an answer cut by an upstream filter after its head went downstream ends the response', () => {
  const p = new RouterPeer({ upstream: [{ onResponseData: () => new LocalReply(500, '', 'bad_answer') }] }).head();
  p.upstream(0).answer(200, false);
  p.upstream(0).sink.onData(Buffer.from('x'), 0, 1, false);
  assert.deepEqual(p.out, ['200', 'reset bad_answer']);
  assert.equal(p.left, NOTHING);
});

test('the client that leaves ends the filters of the attempt', () => {
  const log: string[] = [], p = new RouterPeer({ upstream: [marks('a', log)] }).head(false);
  p.filter.onEnd(undefined as never, 'downstream-closed');
  assert.deepEqual(log, ['>a', 'end a local-reset']);
  assert.equal(p.left, NOTHING);
});
