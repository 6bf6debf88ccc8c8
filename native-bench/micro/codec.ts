// The HTTP/1 codec from the server's side: heads of three sizes parsed and answered, a chunked body read.
import Benchmark from 'benchmark';
import type { RequestSink, ServerStream } from '../../engine/codec/codec.ts';
import { H1ServerCodec } from '../../engine/codec/h1/server-codec.ts';
import { ResponseHeaders } from '../../engine/headers/headers.ts';
import { HTTP1_DEFAULTS } from '../../engine/plan/http1-options-plan.ts';
import { printed } from './in-process.ts';

let bytesOut = 0, requests = 0;
function answer(stream: ServerStream): void { const h = new ResponseHeaders(); h.status = 200; h.add('content-length', '0'); h.add('server', 'envoy'); requests++; stream.headers(h, true); }
const codec = new H1ServerCodec({
  onStream: (stream): RequestSink => ({ onHeaders: (_h, end) => { if (end) answer(stream); }, onData: (_b, _s, _e, last) => { if (last) answer(stream); }, onTrailers: () => answer(stream), onReset() {}, onBlocked() {}, onDrained() {}, onComplete() {} }),
  onGoAway() {}, onConnectionClose: () => { throw new Error('closed'); }, onBadRequest: (_s, fault) => { throw new Error(fault.detail); },
}, { writeLatin1: (t) => { bytesOut += t.length; }, write: (_b, start, end) => { bytesOut += end - start; }, pauseReading() {}, resumeReading() {} }, HTTP1_DEFAULTS, { onResponseFlood() {}, onUnderscoreDropped() {}, onUnderscoreRejected() {} });

const head = (fields: number, more = ''): Buffer => Buffer.from(`${more === '' ? 'GET' : 'POST'} /path?query=1 HTTP/1.1\r\nhost: example.com\r\n${Array.from({ length: fields }, (_, i) => `x-header-${i}: value number ${i}\r\n`).join('')}${more === '' ? '\r\n' : more}`, 'latin1');
const small = head(2), usual = head(20), large = head(80), chunked = head(2, `transfer-encoding: chunked\r\n\r\n${'400\r\n' + 'x'.repeat(1024) + '\r\n'}${'400\r\n' + 'y'.repeat(1024) + '\r\n'}0\r\n\r\n`);
const feed = (b: Buffer): void => { const before = requests; codec.receive(b, 0, b.length); if (requests !== before + 1) throw new Error('no request'); };

printed(new Benchmark.Suite().add('head of 3 fields', () => feed(small)).add('head of 21 fields', () => feed(usual)).add('head of 81 fields', () => feed(large)).add('two chunks of 1 KiB', () => feed(chunked))).run();
console.log(`${(bytesOut / 1e6).toFixed(0)} MB written`);
