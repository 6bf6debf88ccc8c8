// Every load shed point through the whole process: what the real Envoy 1.40 did at the same point on the same traffic (answers, flags, counters).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { clusterYaml, fileLog, listenerYaml, networkFilter, staticYaml, tcpListenerYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { replaceFile } from '../support/replace-file.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

const GET = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n';

class Client {
  readonly socket: Socket; text = ''; over = false;
  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (b: Buffer) => { this.text += b.toString('latin1'); }).on('end', () => { this.over = true; }).on('close', () => { this.over = true; }).on('error', () => { this.over = true; });
  }
  async ask(): Promise<string> { this.text = ''; this.socket.write(GET); await until('an answer or the end', () => this.over || /\r\n\r\n./s.test(this.text)); return this.text === '' ? 'closed' : `${this.text.slice(9, 12)}${/connection: close/i.test(this.text) ? ' close' : ''}${/x-envoy-local-overloaded: true/i.test(this.text) ? ' overloaded' : ''}`; }
}
function get(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve) => {
    const request = session.request({ ':path': '/h2' });
    let status = '';
    request.on('response', (h) => { status = String(h[':status']); }).on('error', () => { /* told by close */ }).on('close', () => resolve(status === '' ? 'cut' : status)).resume();
  });
}
function open(port: number): { readonly session: ClientHttp2Session; readonly goAways: number[] } {
  const session = connectHttp2(`http://127.0.0.1:${port}`), goAways: number[] = [];
  session.on('error', () => { /* its requests tell */ }).on('goaway', (code) => { goAways.push(code); });
  return { session, goAways };
}

interface Expected { readonly h1?: string; readonly newH1?: string; readonly h2?: string; readonly newH2?: string; readonly goAway?: true; readonly tcp?: string; readonly newTcp?: string; readonly logged?: readonly string[]; readonly stats?: Readonly<Record<string, number>> }
const POINTS: Readonly<Record<string, Expected>> = {
  hcm_ondata_creating_codec: { newH1: 'closed', newH2: 'cut', logged: ['L OM'], stats: { 'http.http.downstream_rq_overload_close': 2 } },
  http1_server_abort_dispatch: { h1: '500 close', newH1: '500 close', logged: ['R 500 DPE overload', 'L OM'], stats: { 'http.http.downstream_rq_overload_close': 2, 'http.http.downstream_cx_protocol_error': 0 } },
  http2_server_go_away_on_dispatch: { h1: '200 close', newH1: '200 close', goAway: true },
  http2_server_go_away_and_close_on_dispatch: { h1: 'closed', newH1: 'closed', h2: 'cut', newH2: 'cut', goAway: true, logged: ['L OM'] },
  connection_pool_new_connection: { newTcp: 'closed', logged: ['T URX'] },
  // Asked where a request is to go upstream: an answer of the proxy's own is given still.
  http_downstream_filter_check: { h1: '503', newH1: '503', h2: '503', newH2: '503', logged: ['R 503 - overload'], stats: { 'http.http.rq_overload_local_reply': 4, 'http.http.downstream_rq_overload_close': 0 } },
  http_connection_manager_decode_headers: { h1: '503 overloaded', newH1: '503 overloaded', h2: '503', newH2: '503', logged: ['R 503 - overload'], stats: { 'http.http.downstream_rq_overload_close': 4 } },
  tcp_proxy_on_data: { tcp: 'closed', newTcp: 'closed', logged: ['T OM'], stats: { 'tcp.t.downstream_cx_overload_close': 2 } },
  tcp_proxy_upstream_connect: { newTcp: 'closed', logged: ['T OM'], stats: { 'tcp.t.downstream_cx_overload_close': 1 } },
};

for (const [point, want] of Object.entries(POINTS)) test(`load shed point ${point}`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-shed-')), file = join(dir, 'pressure'), logFile = join(dir, 'log');
  const press = (n: number): void => replaceFile(file, String(n));
  press(0);
  const name = `envoy.load_shed_points.${point}`;
  const top = `overload_manager: {refresh_interval: 0.02s, resource_monitors: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, filename: ${file}}}], loadshed_points: [{name: ${name}, triggers: [{name: r, threshold: {value: 0.5}}]}]}`;
  const a = await httpBackend(), port = await freePort(), tcpPort = await freePort();
  const weir = await startWeir(staticYaml([
    listenerYaml({ port, listener: fileLog(logFile, 'L %RESPONSE_FLAGS%'), hcm: `delayed_close_timeout: 0.05s\nappend_local_overload: true\n${fileLog(logFile, 'R %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%')}` }),
    tcpListenerYaml('t', tcpPort, [networkFilter('tcp_proxy.v3.TcpProxy', `stat_prefix: t, cluster: a, ${fileLog(logFile, 'T %RESPONSE_FLAGS%')}`)]),
  ], [clusterYaml('a', [a.port])], top));
  const clients: Client[] = [], sessions: ClientHttp2Session[] = [];
  t.after(async () => { for (const c of clients) c.socket.destroy(); for (const s of sessions) s.destroy(); await weir.stop(); await a.stop(); rmSync(dir, { recursive: true }); });
  const client = (p: number): Client => { const c = new Client(p); clients.push(c); return c; };
  const http2 = (): ReturnType<typeof open> => { const o = open(port); sessions.push(o.session); return o; };

  const h1 = client(port), h2 = http2(), tcp = client(tcpPort);
  assert.deepEqual([await h1.ask(), await get(h2.session), await tcp.ask()], ['200', '200', '200']);
  press(0.9);
  await until('the point is at work', async () => (await weir.stats(name))[`overload.${name}.scale_percent`] === 100);
  assert.deepEqual(Object.keys(await weir.stats(name)).sort(), [`overload.${name}.scale_percent`, `overload.${name}.shed_load_count`], 'a point has no gauge named active');
  let fresh = h2;
  assert.deepEqual(
    { h1: await h1.ask(), newH1: await client(port).ask(), h2: await get(h2.session), newH2: await get((fresh = http2()).session), tcp: await tcp.ask(), newTcp: await client(tcpPort).ask() },
    { h1: want.h1 ?? '200', newH1: want.newH1 ?? '200', h2: want.h2 ?? '200', newH2: want.newH2 ?? '200', tcp: want.tcp ?? '200', newTcp: want.newTcp ?? '200' },
  );
  if (want.goAway === true) await until('both are told by a GOAWAY', () => h2.goAways[0] === 0 && fresh.goAways[0] === 0);
  for (const line of want.logged ?? []) await until(`the log says ${line}`, () => readFileSync(logFile, 'latin1').split('\n').includes(line));
  const stats = await weir.stats();
  assert.ok(stats[`overload.${name}.shed_load_count`]! > 0);
  for (const [stat, n] of Object.entries(want.stats ?? {})) assert.equal(stats[stat], n, stat);
});
