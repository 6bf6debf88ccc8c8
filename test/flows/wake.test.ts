// A worker that is woken between a timer's start and its end still fires the timer, on both transports.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { ask, freePort, startWeir, TRANSPORTS } from '../support/weir.ts';

for (const transport of TRANSPORTS) {
  test(`a route's timeout fires though a record from control came meanwhile (${transport} transport)`, async (t) => {
    const hole = createServer((s) => { s.on('error', () => {}); s.resume(); t.after(() => s.destroy()); });
    await new Promise<void>((r) => hole.listen(0, '127.0.0.1', r));
    t.after(() => { hole.close(); });
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: "/"}, route: {cluster: a, timeout: 0.6s}}]' }], [clusterYaml('a', [(hole.address() as AddressInfo).port])]), { args: ['--transport', transport] });
    t.after(() => weir.stop());
    const answer = ask(port, '/', { timeoutMs: 4000 });
    setTimeout(() => weir.child.kill('SIGUSR1'), 200);
    assert.equal((await answer).status, 504);
  });
}
