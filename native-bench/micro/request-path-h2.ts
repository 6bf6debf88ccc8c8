// HTTP/2 requests through the whole worker to an HTTP/2 upstream and the answers back, without sockets: sixteen at a time on a connection, as h2load -m 16 sends them.
// `--rounds N` runs each case N times in short bursts and prints the best and the tenth best of a hundred, for a profile or a pair of checkouts.
import { HpackEncoder } from '../../engine/codec/hpack/encoder.ts';
import { PREFACE } from '../../engine/codec/h2/frames.ts';
import { frame, settings, window } from '../../test/engine/codec/h2/wire.ts';
import { httpBootstrap, inProcess, type MemorySocket } from './in-process.ts';

const AT_ONCE = 16, CONNECTIONS = 4, BURST = 160;
type Line = readonly [string, string];

const SETTINGS = settings([4, 1 << 30]), WINDOW = window(0, 1 << 30);
/** The header blocks of a message as they are the first time, and as they are when the table has learnt them. */
function blocks(...parts: readonly (readonly Line[])[]): readonly (readonly Buffer[])[] {
  const encoder = new HpackEncoder();
  return [0, 1].map(() => parts.map((lines) => { encoder.begin(); for (const [n, v] of lines) encoder.line(n, v); return Buffer.from(encoder.end()); }));
}
/** Writes the stream's number into each frame of a message. */
function stamp(message: Buffer, at: number, stream: number): void {
  for (let i = at; i < at + message.length; i += 9 + message.readUIntBE(i - at, 3)) { out.writeUInt32BE(stream, i + 5); }
}
const out = Buffer.alloc(1 << 16);
function put(message: Buffer, at: number, stream: number): number { message.copy(out, at); stamp(message, at, stream); return at + message.length; }

interface Case { readonly name: string; readonly request: readonly Line[]; readonly body: Buffer | null; readonly answer: readonly Line[]; readonly trailers: readonly Line[] | null }
const PSEUDO: Line[] = [[':method', 'GET'], [':scheme', 'http'], [':path', '/some/path?a=b'], [':authority', 'www.example.com'], ['user-agent', 'bench'], ['accept', '*/*']];
const OK: Line[] = [[':status', '200'], ['content-type', 'text/plain'], ['server', 'backend'], ['date', 'Tue, 24 Nov 2026 00:00:00 GMT']];
const CASES: readonly Case[] = [
  { name: 'GET, 128 bytes', request: PSEUDO, body: null, answer: [...OK, ['content-length', '128']], trailers: null },
  { name: 'GET, 20 headers', request: [...PSEUDO, ...Array.from({ length: 18 }, (_, i): Line => [`x-header-${i}`, `value of header ${i}`])], body: null, answer: [...OK, ...Array.from({ length: 8 }, (_, i): Line => [`x-answer-${i}`, `value of header ${i}`])], trailers: null },
  { name: 'gRPC unary, 128 bytes', request: [[':method', 'POST'], ...PSEUDO.slice(1), ['content-type', 'application/grpc'], ['te', 'trailers']], body: Buffer.alloc(128, 1), answer: [[':status', '200'], ['content-type', 'application/grpc']], trailers: [['grpc-status', '0'], ['grpc-message', '']] },
];

async function run(c: Case, rounds: number): Promise<readonly [number, number]> {
  const message = (block: Buffer, end: boolean): Buffer => frame(1, end ? 5 : 4, 0, block);
  const [first, again] = blocks(c.request).map(([b]) => (c.body === null ? message(b!, true) : Buffer.concat([message(b!, false), frame(0, 1, 0, c.body)]))) as [Buffer, Buffer];
  const answers = blocks(c.answer, ...(c.trailers === null ? [] : [c.trailers])).map(([head, trailers]) => Buffer.concat([message(head!, false), frame(0, trailers === undefined ? 1 : 0, 0, Buffer.alloc(128, 120)), ...(trailers === undefined ? [] : [message(trailers, true)])])) as [Buffer, Buffer];
  const seen = new Map<MemorySocket, { streams: number; told: number; greeted: boolean }>();
  const upstream = `  - {name: h2, type: STATIC, connect_timeout: 1s, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}, load_assignment: {cluster_name: h2, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]}}`;
  const worker = await inProcess(httpBootstrap({ hcm: 'codec_type: HTTP2', virtualHosts: '{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: h2}}]}', clusters: upstream }), (s) => {
    let state = seen.get(s);
    if (state === undefined) { state = { streams: 0, told: 0, greeted: false }; seen.set(s, state); }
    if (!state.greeted) { state.greeted = true; const hello = Buffer.concat([SETTINGS, WINDOW]); s.sink.onData(hello, 0, hello.length); }
    // The client numbers its streams in order; how many there are is known from how many were asked.
    let at = 0;
    while (state.streams < asked) { at = put(answers[state.streams === 0 ? 0 : 1], at, state.streams * 2 + 1); state.streams++; }
    if (at > 0) s.sink.onData(out, 0, at);
  });
  let asked = 0;
  const clients = Array.from({ length: CONNECTIONS }, () => { const socket = worker.transport.accept(), hello = Buffer.concat([PREFACE, SETTINGS, WINDOW]); socket.sink.onData(hello, 0, hello.length); worker.turn(); return { socket, next: 1 }; });
  const turn = (k: number): void => {
    const client = clients[k % CONNECTIONS]!, before = client.socket.bytes;
    let at = 0;
    for (let i = 0; i < AT_ONCE; i++) { at = put(client.next === 1 ? first : again, at, client.next); client.next += 2; }
    asked += AT_ONCE;
    const copy = Buffer.from(out.subarray(0, at));
    client.socket.sink.onData(copy, 0, at);
    worker.turn(); worker.turn();
    if (client.socket.bytes - before < AT_ONCE * 130) throw new Error(`${c.name}: no answer`);
  };
  const times: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const from = process.hrtime.bigint();
    for (let k = 0; k < BURST / AT_ONCE; k++) turn(k);
    times.push(Number(process.hrtime.bigint() - from) / BURST / 1000);
  }
  times.sort((a, b) => a - b);
  return [times[0]!, times[Math.floor(times.length / 10)]!];
}

const at = process.argv.indexOf('--rounds'), rounds = at < 0 ? 1500 : Number(process.argv[at + 1]), only = process.argv.indexOf('--case'), want = only < 0 ? '' : process.argv[only + 1]!;
for (const c of CASES) if (c.name.includes(want)) { const [best, tenth] = await run(c, rounds); console.log(`${c.name}: best ${best.toFixed(2)} µs, tenth ${tenth.toFixed(2)} µs`); }
