import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ManualClock } from '../../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { Runtime } from '../../../../engine/loop/runtime.ts';
import { TimerWheel } from '../../../../engine/loop/timer-wheel.ts';
import { LogFiles, type FileSink } from '../../../../engine/observe/accesslog/log-file.ts';
import { makeLogFilter } from '../../../../engine/observe/accesslog/log-filter.ts';
import { makeAccessLog } from '../../../../engine/observe/accesslog/make-access-log.ts';
import { parseFormat } from '../../../../engine/observe/format/parse.ts';
import { FILESYSTEM, FILESYSTEM_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';
import { flagBit } from '../../../../engine/observe/response-flags.ts';

class ScriptedSink implements FileSink {
  readonly writes: string[] = [];
  reopened = 0;
  done: ((ok: boolean) => void) | null = null;
  append(bytes: Uint8Array, done: (ok: boolean) => void): void { this.writes.push(Buffer.from(bytes).toString('latin1')); this.done = done; }
  finish(ok = true): void { const { done } = this; this.done = null; done!(ok); }
  reopen(): boolean { this.reopened++; return false; }
  close(): void { /* nothing is held */ }
}

function bench(minFlushBytes = 64 << 10, limitBytes = 1 << 20) {
  const clock = new ManualClock(), wheel = new TimerWheel(clock), sink = new ScriptedSink();
  const stats = new StatBlock(new ThreadStatStore(new SharedArrayBuffer(8 * 4096), () => undefined), FILESYSTEM_SCHEMA, 'filesystem');
  const files = new LogFiles(() => sink, wheel, stats, { flushIntervalMs: 10_000, minFlushBytes, limitBytes });
  const pass = (ms: number): void => { clock.set(clock.nowMs() + ms); wheel.advance(); };
  return { clock, sink, stats, files, pass, env: { clock, runtime: new Runtime(), random: new SeededRandom(), operators: { hostname: 'h', environment: () => undefined }, logFiles: files } };
}
const facts = (): StreamFacts => new StreamFacts(new ConnectionFacts());

test('lines wait for the flush interval and are written together', () => {
  const b = bench(), f = facts();
  const log = makeAccessLog({ target: { kind: 'file', path: '/x' }, format: { kind: 'text', format: parseFormat('%RESPONSE_CODE% %ROUTE_NAME% %ACCESS_LOG_TYPE%\n'), omitEmpty: false }, filter: null }, b.env);
  f.status = 200; log.log(f, 'DownstreamEnd');
  f.status = 503; f.routeName = 'r'; log.log(f, 'DownstreamEnd');
  b.pass(9_000);
  assert.deepEqual(b.sink.writes, []);
  b.pass(1_100);
  assert.deepEqual(b.sink.writes, ['200 - DownstreamEnd\n503 r DownstreamEnd\n']);
  assert.equal(b.stats.own(FILESYSTEM.flushed_by_timer), 1);
  b.sink.finish();
  assert.equal(b.stats.own(FILESYSTEM.write_completed), 1);
  assert.equal(b.stats.own(FILESYSTEM.write_total_buffered), 0);
});

test('the flush size writes at once, and a write in flight holds back the next', () => {
  const b = bench(8), file = b.files.file('/x');
  file.write('12345678\n'); file.write('abcdefgh\n');
  assert.deepEqual(b.sink.writes, ['12345678\n']);
  b.sink.finish();
  assert.deepEqual(b.sink.writes, ['12345678\n', 'abcdefgh\n']);
});

test('lines beyond the limit of a stuck file are dropped and counted', () => {
  const b = bench(4, 10), file = b.files.file('/x');
  file.write('first\n');
  for (let i = 0; i < 5; i++) file.write('next\n');
  assert.equal(b.stats.own(FILESYSTEM.write_failed), 3);
  b.sink.finish();
  assert.deepEqual(b.sink.writes, ['first\n', 'next\nnext\n']);
});

test('a failed reopen is counted and draining ends after the write in flight', () => {
  const b = bench(), file = b.files.file('/x');
  file.write('a\n');
  let drained = false;
  b.files.drainAll(() => { drained = true; });
  assert.equal(drained, false);
  b.sink.finish();
  assert.equal(drained, true);
  b.files.reopenAll();
  assert.equal(b.stats.own(FILESYSTEM.reopen_failed), 1);
});

test('filters tell status, flags, duration and gRPC status as Envoy does', () => {
  const b = bench(), f = facts();
  const holds = (plan: Parameters<typeof makeLogFilter>[0]): boolean => makeLogFilter(plan, b.env)(f, 'DownstreamEnd', 0);
  f.status = 404; f.startMs = 0; f.endMs = 150;
  assert.equal(holds({ kind: 'status', comparison: { op: 'GE', value: 400, runtimeKey: '' } }), true);
  assert.equal(holds({ kind: 'duration', comparison: { op: 'GE', value: 151, runtimeKey: '' } }), false);
  assert.equal(holds({ kind: 'flags', flags: [] }), false);
  f.flags = flagBit('NR');
  assert.equal(holds({ kind: 'flags', flags: ['UC', 'NR'] }), true);
  assert.equal(holds({ kind: 'flags', flags: ['UC'] }), false);
  assert.equal(holds({ kind: 'grpc-status', statuses: [12], exclude: false }), true);
  assert.equal(holds({ kind: 'metadata', namespace: 'my', path: ['k'], value: { kind: 'present', present: true }, invert: false, whenMissing: false }), false);
});

test('a JSON line keeps numbers, nulls what is absent and leaves it out when told to', () => {
  const b = bench(), f = facts();
  f.status = 200;
  const json = { object: [['absent', { format: parseFormat('%ROUTE_NAME%') }], ['code', { format: parseFormat('%RESPONSE_CODE%') }], ['mixed', { format: parseFormat('code %RESPONSE_CODE%') }]] as const };
  for (const omitEmpty of [false, true]) makeAccessLog({ target: { kind: 'stdout' }, format: { kind: 'json', json, omitEmpty }, filter: null }, b.env).log(f, 'DownstreamEnd');
  b.files.file('/dev/stdout').flush();
  assert.deepEqual(b.sink.writes, ['{"absent":null,"code":200,"mixed":"code 200"}\n{"code":200,"mixed":"code 200"}\n']);
});
