// Every case of h2spec (github.com/summerwind/h2spec) on cleartext and TLS listeners, where the program is on the machine.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import test from 'node:test';
import { httpBackend } from '../support/backend.ts';
import { bootstrapYaml, certificateFiles, clusterYaml, downstreamTls } from '../support/bootstrap.ts';
import { certificates } from '../support/certificates.ts';
import { ENGINES } from '../support/tls-engines.ts';
import { freePort, startWeir } from '../support/weir.ts';

function h2spec(): string {
  const home = `${homedir()}/go/bin/h2spec`;
  if (existsSync(home)) return home;
  try { return execFileSync('which', ['h2spec'], { encoding: 'utf8' }).trim(); } catch { return ''; }
}
const program = h2spec();

const LISTENERS = [...['AUTO', 'HTTP2'].map((codec) => ({ name: `codec_type ${codec}`, codec, engine: '' })), ...ENGINES.map((engine) => ({ name: `TLS by ${engine} and ALPN`, codec: 'AUTO', engine }))];

for (const { name, codec, engine } of LISTENERS) {
  test(`h2spec: every case passes with ${name}`, { skip: program === '' ? 'h2spec is not installed (go install github.com/summerwind/h2spec/cmd/h2spec@latest)' : false }, async (t) => {
    const backend = await httpBackend();
    const port = await freePort();
    const weir = await startWeir(bootstrapYaml([{ port, hcm: `codec_type: ${codec}`, ...(engine === '' ? {} : { chain: downstreamTls(`${certificateFiles(certificates().server)}, alpn_protocols: [h2, http/1.1]`) }) }], [clusterYaml('a', [backend.port])]), { args: engine === '' ? [] : [`--tls=${engine}`] });
    t.after(async () => { await weir.stop(); await backend.stop(); });
    const out = await new Promise<string>((r) => { execFile(program, ['-h', '127.0.0.1', '-p', String(port), '-o', '3', ...(engine === '' ? [] : ['-t', '-k'])], { maxBuffer: 1 << 24 }, (_e, stdout, stderr) => r(stdout + stderr)); });
    const summary = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(out);
    assert.ok(summary !== null, out);
    // Where both versions are served, a preface that is none is malformed HTTP/1, and gets its 400 (as from Envoy); h2spec wants the connection closed without a word.
    const failures = [...out.slice(out.indexOf('Failures:')).matchAll(/× \d+: (.*)/g)].map((m) => m[1]);
    assert.deepEqual(Number(summary[4]) === 0 ? [] : failures, codec === 'AUTO' && engine === '' ? ['Sends invalid connection preface'] : [], out);
    t.diagnostic(summary[0]);
  });
}
