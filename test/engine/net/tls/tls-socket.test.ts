// A TLS session on a socket: what reaches the owner, and when the lower socket ends.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeSocket } from '../../../support/fake-socket.ts';
import { TlsSocket } from '../../../../engine/net/tls/tls-socket.ts';
import { TurnQueue } from '../../../../engine/loop/later.ts';
import { WriteStage } from '../../../../engine/net/tls/write-stage.ts';
import type { HandshakeFacts, TlsFault, TlsSession } from '../../../../engine/net/tls/engine.ts';

class Session implements TlsSession {
  did: string[] = []; pendingBytes = 0; flushes = true;
  start(): void { this.did.push('start'); }
  receive(b: Buffer, start: number, end: number): void { this.did.push(`in ${b.latin1Slice(start, end)}`); }
  receiveEnd(): void { this.did.push('fin'); }
  send(b: Uint8Array, start: number, end: number): void { this.did.push(`out ${Buffer.from(b.subarray(start, end)).toString('latin1')}`); }
  closeNotify(): boolean { this.did.push('close_notify'); return this.flushes; }
  close(): void { if (this.did.at(-1) !== 'closed') this.did.push('closed'); }
}
function made(turn = new TurnQueue(() => {})): { lower: FakeSocket; session: Session; socket: TlsSocket; told: string[] } {
  const lower = new FakeSocket(), session = new Session(), told: string[] = [];
  lower.highMark = 100;
  const socket = new TlsSocket(lower, { onSecured: () => told.push('watcher secured'), onFault: (_s, f) => told.push(`watcher ${f.stat} ${f.reason}`), onStaple: (o) => told.push(`staple ${o}`) }, WriteStage.of(turn)).use(session);
  socket.sink = { onConnect: () => told.push('connect'), onData: (b, s, e) => told.push(`data ${b.latin1Slice(s, e)}`), onEnd: () => told.push('end'), onBlocked: () => told.push('blocked'), onDrained: () => told.push('drained'), onClose: (e) => told.push(`close ${e}`) };
  return { lower, session, socket, told };
}
const FACTS = {} as HandshakeFacts;
const FAULT: TlsFault = { stat: 'connection_error', reason: 'TLS_error:x' };

test('the owner hears of the connection when the handshake is over, then of plaintext and the end', () => {
  const { lower, session, socket, told } = made();
  socket.onConnect();
  lower.receive('hello');
  assert.deepEqual(told, []);
  socket.onSecured(FACTS);
  socket.onPlaintext(Buffer.from('abc'), 0, 3);
  socket.onCloseNotify(); socket.onCloseNotify();
  socket.onPlaintext(Buffer.from('late'), 0, 4);
  assert.deepEqual(told, ['watcher secured', 'connect', 'data abc', 'end']);
  assert.deepEqual(session.did, ['start', 'in hello']);
});

test('a FIN without close_notify is a broken connection, not an end', () => {
  const { lower, socket, told } = made();
  socket.onSecured(FACTS);
  socket.onTransportEnd(false);
  assert.deepEqual(told.slice(2), ['close ECONNRESET']);
  assert.equal(lower.destroyed, 'flush');
});

test('a FIN after close_notify ends reading once; when both sides have ended the socket goes', () => {
  const { lower, socket, told } = made();
  socket.onSecured(FACTS);
  socket.onTransportEnd(true);
  socket.end();
  assert.equal(lower.ended, true);
  socket.onTransportEnd(true);
  assert.deepEqual(told.slice(2), ['end', 'close ']);
});

test('a fault is told once to the watcher and the owner, with its reason', () => {
  const { lower, session, socket, told } = made();
  socket.onFault(FAULT, null); socket.onFault(FAULT, null); socket.onClose('ECONNRESET');
  assert.deepEqual(told, ['watcher connection_error TLS_error:x', 'close TLS_error:x']);
  assert.equal(lower.destroyed, 'flush');
  assert.equal(session.did.at(-1), 'closed');
});

test('a peer that leaves within the handshake is no error of TLS', () => {
  const { socket, told } = made();
  socket.onClose('');
  assert.deepEqual(told, ['watcher  ', 'close ']);
});

test('closing waits for a close_notify that comes out later', () => {
  const { lower, session, socket, told } = made();
  session.flushes = false;
  socket.onSecured(FACTS);
  socket.destroy('flush');
  assert.equal(lower.destroyed, '');
  socket.onCiphertext(Buffer.from('alert'), 0, 5);
  socket.onFlushed();
  assert.equal(lower.written, 'alert');
  assert.equal(lower.destroyed, 'flush');
  socket.onPlaintext(Buffer.from('x'), 0, 1);
  assert.deepEqual(told, ['watcher secured', 'connect']);
});

test('every ordinary close says close_notify; a reset does not, nor one with a full queue', () => {
  for (const [how, pending, says, does] of [['flush', 0, true, 'flush'], ['now', 0, true, 'flush'], ['now', 10, false, 'now'], ['reset', 0, false, 'reset']] as const) {
    const { lower, session, socket } = made();
    socket.onSecured(FACTS);
    lower.pendingBytes = pending;
    socket.destroy(how);
    assert.equal(session.did.includes('close_notify'), says, how);
    assert.equal(lower.destroyed, does);
  }
});

test('what waits for the handshake counts against the high mark', () => {
  const { session, socket, told } = made();
  session.pendingBytes = 101;
  socket.writeLatin1('x'); socket.writeLatin1('y');
  assert.deepEqual(told, ['blocked']);
  session.pendingBytes = 0;
  socket.onSecured(FACTS);
  assert.deepEqual(told, ['blocked', 'watcher secured', 'connect', 'drained']);
});

test('small writes of a turn come out as one, before anything that the peer or the owner does next', () => {
  const turn = new TurnQueue(() => {}), { lower, session, socket } = made(turn), other = made(turn);
  socket.onSecured(FACTS); other.socket.onSecured(FACTS);
  const did = (): string[] => session.did.splice(0);
  socket.writeLatin1('head '); socket.write(Buffer.from('-body-'), 1, 5);
  assert.deepEqual(did(), []);
  assert.equal(socket.pendingBytes, 9);
  turn.run();
  assert.deepEqual(did(), ['out head body']);
  assert.equal(socket.pendingBytes, 0);
  socket.writeLatin1('a'); other.socket.writeLatin1('b');
  assert.deepEqual(did(), ['out a']);
  socket.writeLatin1('c'); lower.receive('next');
  assert.deepEqual(did(), ['out c', 'in next']);
  socket.writeLatin1('d'); socket.write(Buffer.alloc(5000, 'e'), 0, 5000); socket.writeLatin1('f'); socket.end();
  assert.deepEqual(did(), ['out d', `out ${'e'.repeat(5000)}`, 'out f', 'close_notify']);
  assert.deepEqual(other.session.did, ['out b']);
});

test('a record is never exceeded, and what waits for a connection that is gone goes with it', () => {
  const turn = new TurnQueue(() => {}), { session, socket } = made(turn);
  socket.onSecured(FACTS);
  for (let i = 0; i < 6; i++) socket.writeLatin1('x'.repeat(3000));
  turn.run();
  assert.deepEqual(session.did.map((d) => d.length - 4), [15_000, 3000]);
  socket.writeLatin1('lost'); socket.onClose('ECONNRESET');
  turn.run();
  assert.equal(session.did.at(-1), 'closed');
});
