// CONNECT ended here: bytes both ways, either side ending first, and nothing left at any end.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResetReason, ResponseSink } from '../../../engine/codec/codec.ts';
import type { ResponseHeaders } from '../../../engine/headers/headers.ts';
import { RawStream } from '../../../engine/router/raw-stream.ts';
import type { RawUpstream } from '../../../engine/upstream/upstream.ts';

function world(): { stream: RawStream; log: string[]; upstream: RawUpstream; turn(): void } {
  const log: string[] = [], tasks: (() => void)[] = [];
  const socket = { write: (b: Uint8Array, s: number, e: number) => log.push(`up ${Buffer.from(b.subarray(s, e)).toString()}`), end: () => log.push('up FIN'), pause: () => log.push('pause'), resume: () => log.push('resume') };
  const upstream = { id: 1, socket, sink: null, close: (how: string) => log.push(`close ${how}`) } as unknown as RawUpstream;
  const sink: ResponseSink = {
    onInformational() {}, onHeaders: (h: ResponseHeaders, end: boolean) => { log.push(`${h.status}${end ? ' end' : ''}`); }, onData: (b, s, e, last) => { log.push(`down ${Buffer.from(b.subarray(s, e)).toString()}${last ? ' end' : ''}`); },
    onTrailers() {}, onReset: (why: ResetReason) => { log.push(`reset ${why}`); }, onBlocked: () => { log.push('blocked'); }, onDrained: () => { log.push('drained'); },
  };
  const stream = new RawStream(upstream, sink, { soon: (t) => { tasks.push(t); } });
  return { stream, log, upstream, turn: () => { for (const t of tasks.splice(0)) t(); } };
}
const send = (s: RawStream, text: string, last = false): void => { const b = Buffer.from(text); s.data(b, 0, b.length, last); };
const receive = (u: RawUpstream, text: string): void => { const b = Buffer.from(text); u.sink.onData(b, 0, b.length); };

test('the answer is a 200 without an end; bytes pass both ways', () => {
  const w = world();
  w.stream.headers();
  assert.deepEqual(w.log, [], 'not from inside the call');
  w.turn();
  send(w.stream, 'ping');
  receive(w.upstream, 'pong');
  assert.deepEqual(w.log, ['200', 'up ping', 'down pong']);
});

test('bytes of the same turn do not overtake the answer', () => {
  const w = world();
  w.stream.headers();
  receive(w.upstream, 'hello');
  w.turn();
  assert.deepEqual(w.log, ['200', 'down hello']);
});

test('either side may end first; the connection ends with both', () => {
  const a = world();
  send(a.stream, 'x', true);
  receive(a.upstream, 'y');
  a.upstream.sink.onEnd();
  assert.deepEqual(a.log, ['up x', 'up FIN', '200', 'down y', 'down  end', 'close flush']);
  const b = world();
  b.upstream.sink.onEnd();
  send(b.stream, 'x', true);
  assert.deepEqual(b.log, ['200', 'down  end', 'up x', 'close flush']);
});

test('a reset closes once, and nothing is told or sent after it', () => {
  const w = world();
  w.stream.headers();
  w.stream.reset('local');
  w.stream.reset('local');
  w.turn();
  send(w.stream, 'x');
  receive(w.upstream, 'y');
  w.upstream.sink.onEnd();
  w.upstream.sink.onClose('');
  assert.deepEqual(w.log, ['close reset']);
});

test('a connection that dies resets what is not whole; a whole answer it leaves', () => {
  const w = world();
  w.upstream.sink.onClose('ECONNRESET');
  assert.deepEqual(w.log, ['reset connection-end']);
  const whole = world();
  whole.upstream.sink.onEnd();
  whole.upstream.sink.onClose('');
  assert.deepEqual(whole.log, ['200', 'down  end']);
});

test('reading stops while anybody wants it to', () => {
  const w = world();
  w.stream.pause('downstream-full');
  w.stream.pause('filter');
  w.stream.resume('downstream-full');
  w.stream.resume('filter');
  assert.deepEqual(w.log, ['pause', 'pause', 'resume']);
});
