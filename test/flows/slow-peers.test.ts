// Peers that do not read: each costs what its buffers may hold and no more, in both directions, and one that asked for the end of its connection is let go in time.
// On both transports.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { generousBackend, MIB, rssMb, settled } from '../support/slow-peers.ts';
import { freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

const LIMIT = 32 * 1024;

const LIMITED = { listener: `per_connection_buffer_limit_bytes: ${LIMIT}`, routes: '[{match: {prefix: "/"}, route: {cluster: a, timeout: 0s}}]' };

/**
 * A reset does not always reach the other side: node:net does not look at a connection whose reading is paused, and the kernel drops one that does not fit the window of a
 * receiver that had stopped (seen with a thousand at once: ESTAB here, nothing at the other end). Such a connection ends by the idle timeout.
 */
const IDLE = 'stream_idle_timeout: 20s';

for (const transport of TRANSPORTS) {
  const CLIENTS = transport === 'native' && process.env['WEIR_LOAD'] === 'full' ? 1000 : 150;
  test(`${transport}: ${CLIENTS} clients that do not read their 16 MiB, and as many uploads that nobody reads, cost their buffers`, async (t) => {
    for (const deaf of [false, true]) {
      const upstream = await generousBackend(deaf);
      const port = await freePort();
      const weir = await startWeir(bootstrapYaml([{ port, ...LIMITED, hcm: IDLE }], [clusterYaml('a', [upstream.port], `per_connection_buffer_limit_bytes: ${LIMIT}`).replace('connect_timeout: 1s', 'connect_timeout: 60s')]), { args: [`--transport=${transport}`] });
      t.after(async () => { await weir.stop(); upstream.stop(); });
      const base = rssMb(weir.child.pid!), body = Buffer.alloc(MIB, 'y');
      const clients = Array.from({ length: CLIENTS }, () => {
        const s = connect(port, '127.0.0.1');
        s.on('error', () => {});
        s.pause();
        if (deaf) { s.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${16 * MIB}\r\n\r\n`); for (let i = 0; i < 4; i++) s.write(body); } else s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
        return s;
      });
      await until('all are under way', async () => (await weir.stats('http.http.downstream_rq_active'))['http.http.downstream_rq_active'] === CLIENTS, 40_000);
      const grown = await settled(weir.child.pid!, base);
      t.diagnostic(`${deaf ? 'uploads' : 'downloads'}: ${grown.toFixed(0)} MB more, ${(grown * 1024 / CLIENTS).toFixed(0)} kB each`);
      // node:net reads in pieces of 64 KiB and keeps its own queues; without a limit it would be 16 MB each.
      assert.ok(grown < CLIENTS * (transport === 'native' ? 0.3 : 1.5), `${grown.toFixed(0)} MB for ${CLIENTS} connections of ${LIMIT / 1024} KiB`);
      // By reset: a FIN behind bytes that nobody reads is not seen by anybody.
      for (const s of clients) s.resetAndDestroy();
      await until('all of it is over', async () => (await weir.stats('http.http.downstream_rq_active'))['http.http.downstream_rq_active'] === 0, 30_000);
    }
  });

  test(`${transport}: a client that wants its connection closed and does not read is let go after the delayed close timeout`, async (t) => {
    const upstream = await generousBackend(false);
    const port = await freePort();
    // The whole answer fits into the buffer, so the exchange is over while most of it is still here.
    const weir = await startWeir(bootstrapYaml([{ port, ...LIMITED, listener: `per_connection_buffer_limit_bytes: ${64 * MIB}`, hcm: 'delayed_close_timeout: 0.2s' }], [clusterYaml('a', [upstream.port])]), { args: [`--transport=${transport}`] });
    t.after(async () => { await weir.stop(); upstream.stop(); });
    const descriptors = (): number => readdirSync(`/proc/${weir.child.pid}/fd`).length, before = descriptors();
    const s = connect(port, '127.0.0.1');
    s.on('error', () => {});
    s.pause();
    s.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    await until('it is taken', () => descriptors() > before);
    await until('the exchange is over', async () => (await weir.stats('downstream_rq_completed'))['http.http.downstream_rq_completed'] === 1 && (await weir.stats('downstream_rq_active'))['http.http.downstream_rq_active'] === 0);
    await until('its descriptor is free', () => descriptors() <= before, 8000);
    s.destroy();
  });
}
