// Peers over TLS that do not read, and peers that send without an end: each costs what its buffers may hold and no more. On every TLS engine.
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import test from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { bootstrapYaml, certificateFiles, clusterYaml, downstreamTls } from '../support/bootstrap.ts';
import { certificates } from '../support/certificates.ts';
import { ENGINES } from '../support/tls-engines.ts';
import { generousBackend, MIB, rssMb, settled } from '../support/slow-peers.ts';
import { freePort, PLAYED_ON, startWeir, until } from '../support/weir.ts';

const CLIENTS = 60, LIMIT = 32 * 1024, certs = certificates();

for (const engine of ENGINES) {
  test(`${engine}: ${CLIENTS} clients over TLS that do not read their 16 MiB, and as many uploads that nobody reads, cost their buffers`, async (t) => {
    for (const deaf of [false, true]) {
      const upstream = await generousBackend(deaf), port = await freePort();
      const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server)), listener: `per_connection_buffer_limit_bytes: ${LIMIT}`, routes: '[{match: {prefix: "/"}, route: {cluster: a, timeout: 0s}}]' }], [clusterYaml('a', [upstream.port], `per_connection_buffer_limit_bytes: ${LIMIT}`).replace('connect_timeout: 1s', 'connect_timeout: 60s')]), { args: [`--tls=${engine}`] });
      t.after(async () => { await weir.stop(); upstream.stop(); });
      const base = rssMb(weir.child.pid!), body = Buffer.alloc(MIB, 'y');
      const clients = Array.from({ length: CLIENTS }, () => {
        const lower = connectTcp(port, '127.0.0.1'), s: TLSSocket = connect({ socket: lower, rejectUnauthorized: false });
        s.on('error', () => {});
        s.on('secureConnect', () => {
          if (deaf) { s.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${16 * MIB}\r\n\r\n`); for (let i = 0; i < 4; i++) s.write(body); } else s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
          s.pause();
        });
        return lower;
      });
      await until('all have asked', async () => (await weir.stats('http.http.downstream_rq_active'))['http.http.downstream_rq_active'] === CLIENTS);
      const grown = await settled(weir.child.pid!, base);
      t.diagnostic(`${deaf ? 'uploads' : 'downloads'}: ${grown.toFixed(0)} MB more, ${(grown * 1024 / CLIENTS).toFixed(0)} kB each`);
      // What the handshakes themselves need is in it, and what node:net reads ahead; without a limit it would be 16 MB each.
      assert.ok(grown < CLIENTS * (engine === 'rustls' ? 1 : 2.5) * (PLAYED_ON === 'node' ? 2 : 1), `${grown.toFixed(0)} MB for ${CLIENTS} connections of ${LIMIT / 1024} KiB`);
      for (const s of clients) s.resetAndDestroy();
      await until('all of it is over', async () => (await weir.stats('http.http.downstream_rq_active'))['http.http.downstream_rq_active'] === 0);
    }
  });

  test(`${engine}: a record that never ends, sent again and again, leaves memory where it was`, async (t) => {
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, chain: downstreamTls(certificateFiles(certs.server)) }], [clusterYaml('a', [1])]), { args: [`--tls=${engine}`] });
    t.after(() => weir.stop());
    const base = rssMb(weir.child.pid!);
    // The head of a handshake record of 16,000 bytes, with a hello of 65,000 bytes begun in it.
    const begun = Buffer.concat([Buffer.from([22, 3, 1, 0x3e, 0x80, 1, 0, 0xfd, 0xe8, 3, 3]), Buffer.alloc(12_000, 1)]);
    const clients = Array.from({ length: 300 }, () => { const s = connectTcp(port, '127.0.0.1'); s.on('error', () => {}); s.write(begun); return s; });
    await until('all are there', async () => (await weir.stats('downstream_cx_active'))[`listener.127.0.0.1_${port}.downstream_cx_active`] === 300);
    const grown = await settled(weir.child.pid!, base);
    t.diagnostic(`${(grown * 1024 / 300).toFixed(0)} kB each`);
    assert.ok(grown < 60, `${grown.toFixed(0)} MB for 300 hellos of 12 kB`);
    for (const s of clients) s.resetAndDestroy();
  });
}
