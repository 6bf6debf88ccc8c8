// Hostile HTTP/1.1 through the whole proxy: every malformed request, whole, byte by byte and cut between head and body, in front of a backend that records what it is
// sent. It must never see a request that the client did not frame.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { recordingBackend } from '../support/backend.ts';
import { freePort, startWeir } from '../support/weir.ts';
import { MALFORMED } from './malformed-table.ts';

/** Sends pieces, each in a packet of its own as far as the system lets, and gives what came back until the other side closes (or 3 s). */
function exchange(port: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const s = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      let i = 0;
      const next = (): void => { if (i < pieces.length && s.writable) s.write(pieces[i++]!, 'latin1', () => setImmediate(next)); };
      next();
    });
    const timer = setTimeout(() => s.destroy(), 3000);
    s.on('data', (b: Buffer) => { got += b.toString('latin1'); if (/^HTTP\/1\.[01] [45]\d\d [^]*\r\n\r\n/.test(got)) s.end(); });
    s.on('error', () => {});
    s.on('close', () => { clearTimeout(timer); resolve(got); });
  });
}

test(`${MALFORMED.length} malformed requests: refused in every cut, the backend sees none of what they hide`, async (t) => {
  const backend = await recordingBackend();
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'delayed_close_timeout: 0.5s' }], [clusterYaml('a', [backend.port])]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  const canary = 'GET /canary HTTP/1.1\r\nhost: x\r\n\r\n';
  for (const m of MALFORMED) {
    const head = m.bytes.indexOf('\r\n\r\n') + 4;
    const cuts: [string, string[]][] = [['whole', [m.bytes + canary]], ['head and body', [m.bytes.slice(0, head), m.bytes.slice(head) + canary]]];
    if (m.bytes.length < 2000) cuts.push(['byte by byte', [...(m.bytes + canary)]]);
    for (const [how, pieces] of cuts) {
      backend.clear();
      const got = await exchange(port, pieces);
      assert.match(got, new RegExp(`^HTTP/1\\.[01] ${m.status} `), `${m.name}, ${how}: ${JSON.stringify(got.slice(0, 80))}`);
      assert.doesNotMatch(got, /HTTP\/1\.1 200/, `${m.name}, ${how}`);
      assert.ok(!/smuggled|canary/.test(backend.received()), `${m.name}, ${how}: the backend saw ${JSON.stringify(backend.received().slice(0, 200))}`);
    }
  }
  assert.equal((await weir.stats('http.http.downstream_rq_active'))['http.http.downstream_rq_active'], 0);
});
