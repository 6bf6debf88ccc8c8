// A bug costs the connection that met it, and nothing else.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { ManualClock } from '../../engine/loop/clock.ts';
import type { SocketSink, TransportSocket } from '../../engine/net/transport/transport.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';
import { Containment } from '../../workers/containment.ts';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { freePort, startWeir, until, TRANSPORTS } from '../support/weir.ts';

const COMMAND = [process.execPath, '--disable-warning=ExperimentalWarning', new URL('../support/crashing-main.ts', import.meta.url).pathname];

/** Sends one request and gives all that comes until `enough`, or the end. */
function client(port: number): { ask(head: string): Promise<string>; readonly closed: boolean; end(): void } {
  const socket = connect(port, '127.0.0.1');
  let text = '', closed = false;
  socket.on('data', (b: Buffer) => { text += b.toString('latin1'); });
  socket.on('error', () => {});
  socket.on('close', () => { closed = true; });
  return {
    async ask(head) {
      text = '';
      socket.write(`GET ${head}\r\nhost: x\r\n\r\n`);
      await until('an answer or the end', () => closed || /\r\n\r\n[^]/.test(text), 5000);
      return text;
    },
    get closed() { return closed; },
    end() { socket.destroy(); },
  };
}

for (const transport of TRANSPORTS) {
  test(`${transport}: a request and an answer that meet a bug lose their connections; the worker and its other connections live on`, async (t) => {
    const a = await httpBackend('a', (req, res) => { res.writeHead(200, { 'content-length': 2, ...(req.url === '/late' ? { bug: 'yes' } : {}) }); res.end('ok'); });
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]), { command: COMMAND, concurrency: 1, args: [`--transport=${transport}`] });
    const clients = Array.from({ length: 5 }, () => client(port));
    t.after(async () => { for (const c of clients) c.end(); await weir.stop(); await a.stop(); });
    for (const c of clients) assert.match(await c.ask('/x HTTP/1.1'), /^HTTP\/1.1 200/);
    assert.equal(await clients[0]!.ask('/x HTTP/1.1\r\nbug: yes'), '');
    assert.ok(clients[0]!.closed, 'the connection of the request is gone');
    const late = await clients[1]!.ask('/late HTTP/1.1');
    assert.match(late, /^HTTP\/1.1 502/, `the client whose answer met a bug is told so, not: ${late}`);
    for (const c of clients.slice(1)) assert.match(await c.ask('/x HTTP/1.1'), /^HTTP\/1.1 200/);
    const stats = await weir.stats('bug_failures|worker_restarts|cx_active|rq_active');
    assert.equal(stats['server.envoy_bug_failures'], 2);
    assert.equal(stats['server.worker_restarts'] ?? 0, 0);
    assert.equal(stats['http.http.downstream_cx_active'], 4);
    assert.equal(stats['http.http.downstream_rq_active'], 0);
    assert.equal(stats['cluster.a.upstream_rq_active'], 0);
  });
}

const sinkOf = (told: string[]): SocketSink => ({ onConnect() {}, onData() {}, onEnd() {}, onBlocked() {}, onDrained() {}, onClose(error) { told.push(error); } });

test('each place is logged once, an exception of no connection goes on, and so does one beyond a hundred in ten seconds', () => {
  const clock = new ManualClock(), logged: string[] = [], told: string[] = [], stats = new ThreadStatStore(new SharedArrayBuffer(1 << 16), () => {});
  const containment = new Containment(clock, stats, (text) => logged.push(text));
  const socket = { sink: sinkOf(told), destroy() {} } as unknown as TransportSocket, bug = new Error('a bug');
  assert.throws(() => containment.caught(bug, null), /a bug/);
  for (let i = 0; i < 100; i++) containment.caught(bug, socket);
  assert.equal(told.length, 100);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /envoy bug failure: Error: a bug\n/);
  assert.throws(() => containment.caught(bug, socket), /a bug/);
  clock.set(clock.nowMs() + 10_001);
  containment.caught(bug, socket);
  assert.equal(stats.column[stats.claimOne('server.envoy_bug_failures', 'counter')], 101);
});
