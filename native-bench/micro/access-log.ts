// One line of the default format for a request with twenty headers, and of a JSON format; the file takes everything.
import Benchmark from 'benchmark';
import { RequestHeaders, ResponseHeaders } from '../../engine/headers/headers.ts';
import { SystemClock } from '../../engine/loop/clock.ts';
import { SystemRandom } from '../../engine/loop/random.ts';
import { Runtime } from '../../engine/loop/runtime.ts';
import { TimerWheel } from '../../engine/loop/timer-wheel.ts';
import { DEFAULT_FORMAT } from '../../engine/observe/accesslog/config.ts';
import { LogFiles } from '../../engine/observe/accesslog/log-file.ts';
import { makeAccessLog } from '../../engine/observe/accesslog/make-access-log.ts';
import { parseFormat } from '../../engine/observe/format/parse.ts';
import { FILESYSTEM_SCHEMA } from '../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';
import { ConnectionFacts, StreamFacts, UpstreamFacts } from '../../engine/observe/stream-facts.ts';

const clock = new SystemClock(), wheel = new TimerWheel(clock);
const stats = new StatBlock(new ThreadStatStore(new SharedArrayBuffer(8 * 4096), () => undefined), FILESYSTEM_SCHEMA, 'filesystem');
const logFiles = new LogFiles(() => ({ append: (_bytes, done) => done(true), reopen: () => true, close: () => undefined }), wheel, stats, { flushIntervalMs: 10_000, minFlushBytes: 64 << 10 });
const env = { clock, runtime: new Runtime(), random: new SystemRandom(), operators: { hostname: 'h', environment: () => undefined }, logFiles };

/** As a worker fills it in; `i` makes it differ from the others. */
function facts(i: number): StreamFacts {
  const f = new StreamFacts(new ConnectionFacts()), request = new RequestHeaders(), response = new ResponseHeaders();
  f.startMs = clock.nowMs() + i * 0.2; f.startWallMs = clock.wallMs() + i * 0.2; f.endMs = f.startMs + 1;
  request.method = 'GET'; request.path = `/a/path/${i}`; request.authority = 'example.com';
  for (let h = 0; h < 17; h++) request.add(`x-header-${h}`, `some-value-of-header-${h}`);
  request.add('x-forwarded-for', '10.0.0.1'); request.add('user-agent', 'bench/1.0'); request.add('x-request-id', `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`);
  response.status = 200; response.add('x-envoy-upstream-service-time', '1');
  f.request = request; f.response = response; f.status = 200; f.protocol = 'HTTP/1.1'; f.responseBodyBytes = 128;
  f.upstream = new UpstreamFacts(); f.upstream.hostText = '127.0.0.1:8080';
  return f;
}

const json = { object: ['START_TIME', 'REQ(:METHOD)', 'REQ(:PATH)', 'PROTOCOL', 'RESPONSE_CODE', 'RESPONSE_FLAGS', 'BYTES_SENT', 'DURATION', 'REQ(USER-AGENT)', 'UPSTREAM_HOST'].map((op) => [op.toLowerCase(), { format: parseFormat(`%${op}%`) }] as const) };
const text = makeAccessLog({ target: { kind: 'file', path: '/text' }, format: { kind: 'text', format: parseFormat(DEFAULT_FORMAT), omitEmpty: false }, filter: null }, env);
const typed = makeAccessLog({ target: { kind: 'file', path: '/json' }, format: { kind: 'json', json, omitEmpty: false }, filter: null }, env);
const made = Array.from({ length: 4096 }, (_, i) => facts(i));
let at = 0;

new Benchmark.Suite('access log')
  .add('text, the default format', () => { text.log(made[at++ & 4095]!, 'DownstreamEnd'); })
  .add('JSON, ten operators', () => { typed.log(made[at++ & 4095]!, 'DownstreamEnd'); })
  .on('cycle', (e: Benchmark.Event) => { const b = e.target as Benchmark & Benchmark.Target; console.log(`${b.name}: ${((b.stats?.mean ?? 0) * 1e6).toFixed(3)} µs a line`); })
  .run();
