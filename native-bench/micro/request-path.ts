// One HTTP/1.1 request through the whole worker and its answer back, without sockets: GET with 3 headers, POST with 20 headers and a body.
import Benchmark from 'benchmark';
import { ANSWER, GET, httpBootstrap, inProcess, printed } from './in-process.ts';

const worker = await inProcess(httpBootstrap(), (upstream) => upstream.sink.onData(ANSWER, 0, ANSWER.length));
const post = Buffer.from(`POST /some/path HTTP/1.1\r\nHost: www.example.com\r\n${Array.from({ length: 18 }, (_, i) => `X-Header-${i}: value of header ${i}\r\n`).join('')}Content-Length: 128\r\n\r\n${'y'.repeat(128)}`, 'latin1');
// Several connections, as a loaded worker has: one connection alone stays in the first-level cache.
const clients = Array.from({ length: 64 }, () => worker.transport.accept());
let next = 0;
function ask(request: Buffer): void {
  const c = clients[next++ % clients.length]!, before = c.bytes;
  c.sink.onData(request, 0, request.length);
  worker.turn();
  if (c.bytes - before < 200) throw new Error('no answer');
}

printed(new Benchmark.Suite()
  .add('GET, 3 headers', () => ask(GET))
  .add('POST, 20 headers, 128 bytes', () => ask(post)))
  .run();
