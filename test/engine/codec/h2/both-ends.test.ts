// The client codec against the server codec, with a wire that cuts anywhere: random exchanges with bodies, trailers, resets and pauses come through whole.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ClientStream, RequestSink, ServerStream } from '../../../../engine/codec/codec.ts';
import { H2ClientCodec } from '../../../../engine/codec/h2/client-codec.ts';
import { H2ServerCodec } from '../../../../engine/codec/h2/server-codec.ts';
import { Headers, RequestHeaders, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP2_DEFAULTS } from '../../../../engine/plan/http2-options-plan.ts';

const OPTIONS = { ...HTTP2_DEFAULTS, initialStreamWindowSize: 65_535, initialConnectionWindowSize: 65_535, maxConcurrentStreams: 50 };

/** What one exchange should do. */
interface Script { readonly up: readonly number[]; readonly down: readonly number[]; readonly trailers: boolean; readonly cut: 'none' | 'client' | 'server' }

class Wire {
  toServer: Buffer[] = []; toClient: Buffer[] = [];
  faults: string[] = [];
  readonly server: H2ServerCodec;
  readonly client: H2ClientCodec;
  constructor(onStream: (s: ServerStream) => RequestSink) {
    const output = (list: () => Buffer[]) => ({ writeLatin1: () => {}, write: (b: Uint8Array, s: number, e: number) => { list().push(Buffer.from(b.subarray(s, e))); }, pauseReading: () => {}, resumeReading: () => {} });
    const owner = { flushSoon: () => {}, count: () => {}, nowMs: () => 0 };
    const end = (who: string) => (_how: string, fault: { detail: string } | null): void => { this.faults.push(`${who} ${fault?.detail}`); };
    this.server = new H2ServerCodec({ onStream, onGoAway: () => {}, onBadRequest: () => {}, onConnectionClose: end('server') }, output(() => this.toClient), OPTIONS, owner);
    this.client = new H2ClientCodec({ onStreamDone: () => {}, onGoAway: () => {}, onConnectionClose: end('client') }, output(() => this.toServer), OPTIONS, owner);
  }
  /** Carries everything, in pieces of `size`, until nothing moves. */
  run(size: number): void {
    for (let moved = true; moved;) {
      moved = false;
      this.server.flush(); this.client.flush();
      for (const [list, codec] of [[this.toServer.splice(0), this.server], [this.toClient.splice(0), this.client]] as const) {
        const all = Buffer.concat(list);
        for (let i = 0; i < all.length; i += size) codec.receive(all, i, Math.min(all.length, i + size));
        if (all.length > 0) moved = true;
      }
    }
  }
}

const script = fc.record({ up: fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 4 }), down: fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 4 }), trailers: fc.boolean(), cut: fc.constantFrom<'none' | 'client' | 'server'>('none', 'none', 'none', 'client', 'server') });

test('every exchange comes through whole or ends on both sides, and no window is lost over many of them', () => {
  fc.assert(fc.property(fc.array(script, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1000, max: 30_000 }), (scripts: Script[], size) => {
    const up = new Map<string, number>(), down = new Map<string, number>(), ends: string[] = [];
    const answer = (s: ServerStream, sc: Script): void => {
      s.headers(Object.assign(new ResponseHeaders(), { status: 200 }), sc.down.length === 0 && !sc.trailers);
      sc.down.forEach((n, i) => { s.data(Buffer.alloc(n, 100), 0, n, i === sc.down.length - 1 && !sc.trailers); });
      if (sc.trailers) { const t = new Headers(); t.add('grpc-status', '0'); s.trailers(t); }
    };
    const wire = new Wire((s) => {
      let name = '', sc!: Script;
      return {
        onHeaders: (h, end) => { name = h.path; sc = scripts[Number(name.slice(1))]!; s.pause('filter'); if (sc.cut === 'server') { s.reset('local'); return; } if (end) answer(s, sc); },
        onData: (_b, st, e, last) => { up.set(name, (up.get(name) ?? 0) + e - st); s.resume('filter'); s.pause('upstream-full'); s.resume('upstream-full'); if (last) answer(s, sc); },
        onTrailers: () => {}, onReset: () => { ends.push(`s${name}`); }, onBlocked: () => {}, onDrained: () => {}, onComplete: () => { ends.push(`s${name}`); },
      };
    });
    scripts.forEach((sc, i) => {
      const name = `/${i}`;
      const opened = wire.client.open({
        onInformational: () => {}, onHeaders: (_h, end) => { stream.pause('filter'); if (end || sc.cut === 'client') ends.push(`c${name}`); if (sc.cut === 'client') stream.reset('local'); },
        onData: (_b, s, e, last) => { down.set(name, (down.get(name) ?? 0) + e - s); stream.resume('filter'); if (last) ends.push(`c${name}`); },
        onTrailers: () => { ends.push(`c${name}`); }, onReset: () => { ends.push(`c${name}`); }, onBlocked: () => {}, onDrained: () => {},
      });
      if (opened === 'full') assert.fail('full');
      const stream: ClientStream = opened;
      const h = Object.assign(new RequestHeaders(), { method: 'POST', path: name, scheme: 'http', authority: 'h' });
      stream.headers(h, sc.up.length === 0);
      sc.up.forEach((n, k) => { stream.data(Buffer.alloc(n, 117), 0, n, k === sc.up.length - 1); });
      if (i % 3 === 0) wire.run(size);
    });
    wire.run(size);
    assert.deepEqual(wire.faults, []);
    assert.deepEqual([wire.client.activeStreams, wire.server.activeStreams], [0, 0]);
    scripts.forEach((sc, i) => {
      const name = `/${i}`, sum = (l: readonly number[]): number => l.reduce((a, b) => a + b, 0);
      if (sc.cut === 'none') { assert.equal(up.get(name) ?? 0, sum(sc.up)); assert.equal(down.get(name) ?? 0, sum(sc.down)); assert.ok(ends.includes(`s${name}`)); }
      assert.equal(ends.filter((e) => e === `c${name}`).length, 1, `${JSON.stringify(sc)} ${ends.join()}`);
    });
    // The connection windows are all there: one more exchange with much in both directions.
    let got = 0, sent = 0;
    const again = wire.client.open({ onInformational: () => {}, onHeaders: () => {}, onData: (_b, s, e) => { got += e - s; }, onTrailers: () => {}, onReset: () => assert.fail('reset'), onBlocked: () => {}, onDrained: () => {} });
    scripts.push({ up: [], down: [300_000], trailers: false, cut: 'none' });
    if (again === 'full') assert.fail('full');
    again.headers(Object.assign(new RequestHeaders(), { method: 'POST', path: `/${scripts.length - 1}`, scheme: 'http', authority: 'h' }), false);
    again.data(Buffer.alloc(300_000), 0, 300_000, true);
    wire.run(size);
    sent = up.get(`/${scripts.length - 1}`) ?? 0;
    assert.deepEqual([got, sent], [300_000, 300_000]);
  }), { numRuns: 150 });
});
