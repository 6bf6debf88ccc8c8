// Streams of load reports against a real HTTP/2 host; what waits waits on a clock that the test drives.
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import { encodeRequest, OobSession } from '../../../../engine/control/orca/oob-session.ts';
import { ReportFrames } from '../../../../engine/control/orca/report-frames.ts';
import { makeProbeCodec } from '../../../../engine/control/health/probe-codecs.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import { NodeTransport } from '../../../../engine/net/transport/node.ts';
import { HTTP1_DEFAULTS } from '../../../../engine/plan/http1-options-plan.ts';
import { readOrcaBytes } from '../../../../engine/upstream/lb/orca-report.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';

const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const transport = new NodeTransport({ onTurnStart() {}, onTurnEnd() {} });

function frame(message: readonly number[], flags = 0): Buffer { const b = Buffer.from([flags, 0, 0, 0, 0, ...message]); b.writeUInt32BE(message.length, 1); return b; }
/** cpu_utilization */
function report(cpu: number): Buffer { const b = Buffer.alloc(9); b[0] = 9; b.writeDoubleLE(cpu, 1); return frame([...b]); }

class World {
  readonly timers = new ManualTimers();
  readonly seen: string[] = [];
  /** What the host does with each request, first come first. */
  readonly answers: ((s: ServerHttp2Stream) => void)[] = [];
  headers: IncomingHttpHeaders = {};
  body = '';
  private wake: () => void = () => {};

  async start(t: TestContext, periodMs = 1000): Promise<OobSession> {
    const server = createServer();
    server.on('stream', (s, headers) => {
      this.headers = headers;
      s.on('error', () => {});
      s.on('data', (b: Buffer) => { this.body = b.toString('hex'); });
      s.on('end', () => this.answers.shift()?.(s));
      s.session!.on('close', () => this.see('closed'));
    });
    await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
    const session = new OobSession({ periodMs, port: 0, authority: '', socketMatch: null }, ipAddress('127.0.0.1', (server.address() as AddressInfo).port), 'the-host', {
      after: this.timers.after, random: { unit: () => 0.5, u32: () => 0, uuid: () => '' }, makeCodec: (host, output) => makeProbeCodec(true, { http1: HTTP1_DEFAULTS }, setImmediate, host, output),
      connector: { secured: false, connect: (remote, sink) => transport.connect({ remote, bind: null, freebind: false, options: [], noDelay: true, keepalive: null }, sink) },
      onReport: (bytes) => { const r = readOrcaBytes(bytes); if (r !== null) this.see(`cpu ${r.get('cpu_utilization')}`); return r !== null; }, count: (what) => this.see(what), onTerminated: () => this.see('over'),
    });
    t.after(() => { session.close(); server.close(); });
    return session;
  }
  see(what: string): void { this.seen.push(what); this.wake(); }
  /** Waits until as many things have been seen. */
  async until(n: number): Promise<string[]> { while (this.seen.length < n) await new Promise<void>((r) => { this.wake = r; }); return this.seen; }
}

test('a host is asked once within its first period, and each of its reports counts', async (t) => {
  const w = new World();
  w.answers.push((s) => { s.respond(GRPC); const two = Buffer.concat([report(0.5), frame([]), report(0.25)]); s.write(two.subarray(0, 17)); setImmediate(() => s.write(two.subarray(17))); });
  await w.start(t, 2500);
  w.timers.advance(1249);
  assert.deepEqual(w.seen, []);
  w.timers.advance(1);
  assert.deepEqual(await w.until(2), ['cpu 0.5', 'cpu 0.25']);
  const { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme, te, 'content-type': type } = w.headers;
  assert.deepEqual([method, path, authority, scheme, te, type], ['POST', '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics', 'the-host', 'http', 'trailers', 'application/grpc']);
  assert.equal(w.body, '000000000a0a080802' + '1080cab5ee01');
});

test('the interval that is asked for is a Duration', () => {
  assert.deepEqual([500, 1000, 300_000].map((ms) => encodeRequest(ms).toString('hex')), ['00000000080a061080cab5ee01', '00000000040a020801', '00000000050a0308ac02']);
});

test('every end but UNIMPLEMENTED is followed by another try, later each time; a report makes it soon again', async (t) => {
  const w = new World(), bad: ((s: ServerHttp2Stream) => void)[] = [
    (s) => s.respond({ ':status': 503 }, { endStream: true }), (s) => { s.respond(GRPC, { waitForTrailers: true }); s.on('wantTrailers', () => s.sendTrailers({ 'grpc-status': '14' })); s.end(); },
    (s) => { s.respond(GRPC); s.write(frame([9, 0])); }, (s) => { s.respond(GRPC); s.write(frame([1], 1)); }, (s) => s.session!.destroy(),
  ];
  w.answers.push(...bad, (s) => { s.respond(GRPC); s.write(report(1)); setImmediate(() => s.close(8)); }, (s) => { s.respond(GRPC); s.write(report(2)); });
  await w.start(t);
  w.timers.advance(500);
  const failures = (): number => w.seen.filter((x) => x === 'stream_failures').length;
  for (const [i, span] of [1000, 2000, 4000, 8000, 16_000].entries()) {
    while (failures() <= i) await w.until(w.seen.length + 1);
    w.timers.advance(span / 2 - 1);
    assert.equal(w.timers.armed, 1, 'waits');
    w.timers.advance(1);
  }
  while (failures() < 6) await w.until(w.seen.length + 1);
  assert.ok(w.seen.includes('cpu 1'));
  w.timers.advance(500);
  while (!w.seen.includes('cpu 2')) await w.until(w.seen.length + 1);
});

test('a host that does not know the method is left alone', async (t) => {
  for (const answer of [(s: ServerHttp2Stream) => s.respond({ ...GRPC, 'grpc-status': '12' }, { endStream: true }), (s: ServerHttp2Stream) => s.respond({ ':status': 404 })]) {
    const w = new World();
    w.answers.push(answer);
    await w.start(t);
    w.timers.advance(500);
    assert.deepEqual((await w.until(3)).slice(0, 2), ['stream_terminated', 'over']);
    assert.equal(w.timers.armed, 0);
  }
});

test('three periods of silence end a stream; a host that says goodbye is left after its next report', async (t) => {
  const w = new World();
  w.answers.push((s) => { s.respond(GRPC); s.write(report(1)); }, (s) => { s.respond(GRPC); s.session!.goaway(0); setTimeout(() => s.write(report(2)), 20); });
  await w.start(t);
  w.timers.advance(500);
  await w.until(1);
  w.timers.advance(2999);
  assert.deepEqual(w.seen, ['cpu 1']);
  w.timers.advance(1);
  assert.deepEqual((await w.until(2))[1], 'stream_failures');
  w.timers.advance(500);
  while (w.seen.filter((x) => x === 'stream_failures').length < 2) await w.until(w.seen.length + 1);
  assert.ok(w.seen.includes('cpu 2'));
});

test('closing ends the stream and leaves no timer', async (t) => {
  const w = new World();
  w.answers.push((s) => { s.respond(GRPC); s.write(report(1)); });
  const session = await w.start(t);
  w.timers.advance(500);
  await w.until(1);
  session.close();
  assert.equal(w.timers.armed, 0);
  assert.deepEqual(await w.until(2), ['cpu 1', 'closed']);
});

test('messages are found however their bytes are cut, and no bytes do harm', () => {
  const whole = Buffer.concat([report(1), frame([]), report(2)]);
  for (let cut = 0; cut <= whole.length; cut++) {
    const got: string[] = [], f = new ReportFrames(), take = (m: Buffer): boolean => { got.push(m.toString('hex')); return true; };
    assert.ok(f.feed(whole, 0, cut, take) && f.feed(whole, cut, whole.length, take));
    assert.equal(got.length, 2);
  }
  assert.equal(new ReportFrames().feed(Buffer.from([0, 0, 1, 0, 1]), 0, 5, () => true), false, 'more than 64 KiB');
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), (parts) => { const f = new ReportFrames(); for (const p of parts) if (!f.feed(p, 0, p.length, (m) => readOrcaBytes(m) !== null)) break; }), { numRuns: 2000 });
});
