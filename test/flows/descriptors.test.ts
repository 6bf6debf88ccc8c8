// Out of file descriptors: the worker keeps serving what it has, takes no CPU while it waits, and accepts again as soon as some are free. On both transports.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { recordingBackend } from '../support/backend.ts';
import { freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

/** CPU of a process so far, ms (ticks of 10 ms). */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8'), f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(f[11]) + Number(f[12])) * 10;
}

function client(port: number): { readonly socket: Socket; text: string } {
  const c = { socket: connect(port, '127.0.0.1'), text: '' };
  c.socket.on('data', (b: Buffer) => { c.text += b.toString('latin1'); });
  c.socket.on('error', () => {});
  return c;
}
const GET = 'GET /direct HTTP/1.1\r\nhost: x\r\n\r\n';

for (const transport of TRANSPORTS) {
  test(`${transport}: with every descriptor in use the open connections are served, nothing spins, and new ones are taken when there is room`, async (t) => {
    const backend = await recordingBackend();
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: "/direct"}, direct_response: {status: 200, body: {inline_string: hi}}}]' }], [clusterYaml('a', [backend.port])]), { args: [`--transport=${transport}`], command: ['sh', '-c', 'ulimit -n 96; exec "$0" "$@"', new URL('../../bin/weir', import.meta.url).pathname] });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const first = client(port);
    first.socket.write(GET);
    await until('the first is answered', () => first.text.endsWith('hi'));
    // Far more than there are descriptors; the rest waits in the kernel's queue (native) or is refused (node).
    const crowd = Array.from({ length: 150 }, () => client(port));
    await new Promise((r) => setTimeout(r, 500));
    const before = cpuMs(weir.child.pid!);
    await new Promise((r) => setTimeout(r, 1000));
    const used = cpuMs(weir.child.pid!) - before;
    t.diagnostic(`${used} ms of CPU in a second of waiting`);
    assert.ok(used < 500, `${used} ms of CPU in a second: it spins`);
    first.text = '';
    first.socket.write(GET);
    await until('the first is still served', () => first.text.endsWith('hi'));
    for (const c of crowd) c.socket.destroy();
    // node:net closes what it accepted while there was no room; a client comes again.
    await until('a new one is served', async () => { const late = client(port); late.socket.write(GET); await new Promise((r) => setTimeout(r, 200)); late.socket.destroy(); return late.text.endsWith('hi'); });
    first.socket.destroy();
  });
}
