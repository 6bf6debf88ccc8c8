// Both engines between sockets that take and give bytes in any pieces: whatever order of blocking, draining, pausing and resuming, everything that was written arrives.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { NO_SINK } from '../../../../engine/net/transport/transport.ts';
import { WriteStage } from '../../../../engine/net/tls/write-stage.ts';
import type { TlsFault } from '../../../../engine/net/tls/engine.ts';
import { TlsSocket } from '../../../../engine/net/tls/tls-socket.ts';
import { certificates } from '../../../support/certificates.ts';
import { FakeSocket } from '../../../support/fake-socket.ts';
import { CLIENT, engines, PARAMS, queue, secrets, SERVER, settle } from '../../../support/tls-pair.ts';

const certs = certificates();

/** A kernel with room for so many bytes: what is beyond waits, and counts against the mark. */
class Lower extends FakeSocket {
  room = 1 << 20;
  private waiting: Buffer[] = [];
  private readonly wire: Buffer[] = [];
  private blocked = false;
  peer!: Lower;
  override highMark = 20_000;
  override write(bytes: Uint8Array, start: number, end: number): void {
    this.waiting.push(Buffer.from(bytes.subarray(start, end)));
    this.pendingBytes += end - start;
    this.take();
    if (!this.blocked && this.pendingBytes > this.highMark) { this.blocked = true; this.sink.onBlocked(); }
  }
  override writeLatin1(text: string): void { const b = Buffer.from(text, 'latin1'); this.write(b, 0, b.length); }
  private take(): void {
    for (let b = this.waiting[0]; b !== undefined && this.room > 0; b = this.waiting[0]) {
      const n = Math.min(this.room, b.length);
      this.wire.push(b.subarray(0, n));
      this.room -= n; this.pendingBytes -= n;
      if (n === b.length) this.waiting.shift(); else this.waiting[0] = b.subarray(n);
    }
  }
  /** Room for more: tells when everything is taken. */
  more(bytes: number): void {
    this.room += bytes;
    this.take();
    if (this.blocked && this.pendingBytes === 0) { this.blocked = false; this.sink.onDrained(); }
  }
  /** Gives the peer what is on the wire, in pieces. */
  deliver(piece: number): void {
    while (this.wire.length > 0 && !this.peer.paused) {
      const b = this.wire[0]!, n = Math.min(piece, b.length), lent = Buffer.from(b.subarray(0, n));
      if (n === b.length) this.wire.shift(); else this.wire[0] = b.subarray(n);
      this.peer.sink.onData(lent, 0, n);
      lent.fill(0xee);
    }
  }
}

/** Writes its plan as fast as it may, and reads. */
class End {
  readonly socket: TlsSocket;
  readonly plan: number[] = [];
  received = 0; sum = 0; sent = 0; sentSum = 0;
  private open = false;
  private blocked = false;
  fault = '';
  constructor(lower: Lower) {
    this.socket = new TlsSocket(lower, { onSecured: () => { this.open = true; }, onFault: (_s, f: TlsFault) => { this.fault = f.reason; }, onStaple() {} }, WriteStage.of(queue));
    this.socket.sink = {
      onConnect() {}, onEnd() {}, onClose: (e) => { this.fault ||= e; }, onBlocked: () => { this.blocked = true; }, onDrained: () => { this.blocked = false; this.work(); },
      onData: (b, s, e) => { this.received += e - s; for (let i = s; i < e; i++) this.sum = (this.sum * 31 + b[i]!) | 0; },
    };
  }
  work(): void {
    while (this.open && !this.blocked && this.plan.length > 0) {
      const n = this.plan.shift()!, b = Buffer.alloc(n);
      for (let i = 0; i < n; i++) { b[i] = (this.sent + i) * 7 >> 3; this.sentSum = (this.sentSum * 31 + b[i]!) | 0; }
      this.sent += n;
      this.socket.write(b, 0, n);
    }
  }
}

type Step = readonly ['write' | 'more' | 'deliver' | 'pause' | 'resume' | 'turn', 0 | 1, number];
const step = fc.tuple(fc.constantFrom('write', 'more', 'deliver', 'pause', 'resume', 'turn'), fc.constantFrom(0, 1), fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 120_000 }))) as fc.Arbitrary<Step>;

for (const engine of engines) {
  test(`${engine.name}: what is written arrives, whatever is paused and blocked meanwhile`, async () => {
    const server = engine.server({ side: 'server', plan: SERVER, secrets: secrets([certs.server], null), nowMs: () => 0, onKeyLines() {} }), client = engine.client({ side: 'client', plan: { ...CLIENT, params: PARAMS }, secrets: secrets([], null), nowMs: () => 0, onKeyLines() {} });
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const lower = [new Lower(), new Lower()] as const, ends = [new End(lower[0]), new End(lower[1])] as const;
      lower[0].peer = lower[1]; lower[1].peer = lower[0];
      ends[0].socket.use(server.accept(ends[0].socket)); ends[1].socket.use(client.connect(ends[1].socket, { serverName: 'example.com', alpn: null, sans: null }));
      ends[1].socket.onConnect();
      for (const [what, i, n] of steps) {
        switch (what) {
          case 'write': ends[i].plan.push(n); ends[i].work(); break;
          case 'more': lower[i].more(n); break;
          case 'deliver': lower[i].deliver(n); break;
          case 'pause': ends[i].socket.pause(); break;
          case 'resume': ends[i].socket.resume(); break;
          case 'turn': lower[i].room = Math.min(lower[i].room, n); await settle(); break;
        }
      }
      for (const e of ends) e.socket.resume();
      const done = (): boolean => ends.every((e, i) => e.plan.length === 0 && ends[1 - i]!.received === e.sent);
      for (let round = 0; round < 60 && !done(); round++) {
        for (const i of [0, 1] as const) { ends[i].work(); lower[i].more(1 << 20); lower[i].deliver(30_000); }
        await settle();
      }
      assert.deepEqual(ends.map((e) => [e.fault, e.plan.length, e.sent - ends[1 - ends.indexOf(e)]!.received, e.sentSum === ends[1 - ends.indexOf(e)]!.sum]), [['', 0, 0, true], ['', 0, 0, true]]);
      for (const e of ends) e.socket.destroy('now');
    }), { numRuns: 60, interruptAfterTimeLimit: 2500, markInterruptAsFailure: false });
  });
}

test('a session that still held much when the transport drained lets those above go on when it has let it out', () => {
  const lower = new FakeSocket(), told: string[] = [], session = { pendingBytes: 0, start() {}, receive() {}, receiveEnd() {}, send() {}, closeNotify: () => true, close() {} };
  lower.highMark = 100;
  const socket = new TlsSocket(lower, { onSecured() {}, onFault() {}, onStaple() {} }, WriteStage.of(queue)).use(session);
  socket.sink = { ...NO_SINK, onBlocked: () => told.push('blocked'), onDrained: () => told.push('drained') };
  socket.onSecured({} as never);
  socket.onBlocked();
  session.pendingBytes = 200;
  socket.onDrained();
  assert.deepEqual(told, ['blocked']);
  session.pendingBytes = 0;
  socket.onWritten();
  assert.deepEqual(told, ['blocked', 'drained']);
});
