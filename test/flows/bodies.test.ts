// Large bodies both ways, on both transports: whole, in bounded memory, with back-pressure from a slow reader all the way to the sender.
import assert from 'node:assert/strict';
import { createServer as createHttpServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { MIB, rssMb } from '../support/slow-peers.ts';
import { freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

/** Streams `mib` MiB down on GET /down, counts what comes up on POST. */
async function streamBackend(): Promise<{ port: number; sent: () => number; stop: () => Promise<void> }> {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  const server = createHttpServer((req, res) => {
    if (req.method === 'POST') { let n = 0; req.on('data', (c: Buffer) => { n += c.length; }); req.on('end', () => res.end(String(n))); return; }
    let left = Number(new URL(req.url!, 'http://x').searchParams.get('mib')) * MIB;
    res.writeHead(200, { 'content-length': left });
    const more = (): void => { while (left > 0) { left -= piece.length; sent += piece.length; if (!res.write(piece)) { res.once('drain', more); return; } } res.end(); };
    more();
  });
  const port = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  return { port, sent: () => sent, stop: () => new Promise((r) => { server.closeAllConnections(); server.close(() => r()); }) };
}

/** MiB; WEIR_LOAD=full: as many as the figures in the README are of. Far more than all buffers together. */
const SIZE = process.env['WEIR_LOAD'] === 'full' ? 512 : 160;

for (const transport of TRANSPORTS) {
  test(`${transport}: ${SIZE} MiB down and up, with a length and chunked, in bounded memory`, async (t) => {
    const backend = await streamBackend();
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: "/"}, route: {cluster: a, timeout: 0s}}]' }], [clusterYaml('a', [backend.port])]), { args: [`--transport=${transport}`] });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const get = (): Promise<IncomingMessage> => new Promise((r, no) => request({ port, host: '127.0.0.1', path: `/down?mib=${SIZE}`, agent: false }, r).on('error', no).end());
    const base = rssMb(weir.child.pid!);
    let most = 0, got = 0;
    const watch = setInterval(() => { most = Math.max(most, rssMb(weir.child.pid!)); }, 20);
    for await (const c of await get()) got += (c as Buffer).length;
    assert.equal(got, SIZE * MIB);
    for (const chunked of [false, true]) {
      const answer = await new Promise<string>((resolve, reject) => {
        const req = request({ port, host: '127.0.0.1', path: '/up', method: 'POST', agent: false, headers: chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': SIZE * MIB } }, (res) => { let b = ''; res.on('data', (c: Buffer) => { b += c.toString(); }); res.on('end', () => resolve(b)); });
        req.on('error', reject);
        const piece = Buffer.alloc(MIB, 'y');
        let n = 0;
        const more = (): void => { while (n < SIZE) { n++; if (!req.write(piece)) { req.once('drain', more); return; } } req.end(); };
        more();
      });
      assert.equal(answer, String(SIZE * MIB));
    }
    clearInterval(watch);
    t.diagnostic(`memory ${base.toFixed(0)} MB before, at most ${most.toFixed(0)} MB`);
    assert.ok(most - base < 150, `grew by ${(most - base).toFixed(0)} MB`);
  });

  test(`${transport}: a client that does not read stops the backend within the buffers`, async (t) => {
    const backend = await streamBackend();
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: "/"}, route: {cluster: a, timeout: 0s}}]' }], [clusterYaml('a', [backend.port])]), { args: [`--transport=${transport}`] });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const slow = connect(port, '127.0.0.1', () => slow.write(`GET /down?mib=${SIZE} HTTP/1.1\r\nhost: x\r\n\r\n`));
    slow.on('error', () => {});
    slow.pause();
    let before = -1;
    await until('the backend is stopped', async () => { const now = backend.sent(); await new Promise((r) => setTimeout(r, 200)); const still = now > 0 && now === before; before = now; return still; }, 10_000);
    assert.ok(backend.sent() < 64 * MIB, `${(backend.sent() / MIB).toFixed(0)} MiB were taken`);
    let got = 0;
    slow.on('data', (c: Buffer) => { got += c.length; });
    slow.resume();
    await until('all of it arrives', () => got > SIZE * MIB, 30_000);
    slow.destroy();
  });
}
