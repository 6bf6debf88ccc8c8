// Large bodies through one worker: GIB down and GIB up, watching memory.
//   sh scripts/run.sh native-bench/soak/stream.ts [--gib 10] [--transport native]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listening, stop, usage } from '../load/processes.ts';

const { values: o } = parseArgs({ options: { gib: { type: 'string', default: '10' }, transport: { type: 'string', default: process.env['WEIR_TRANSPORT'] ?? 'auto' } } });
const total = Math.round(Number(o.gib) * 2 ** 30), root = new URL('../..', import.meta.url).pathname, dir = mkdtempSync(join(tmpdir(), 'weir-stream-'));
const port = 23_000 + (process.pid % 2000), backendPort = port + 2000, piece = Buffer.alloc(256 * 1024, 'x');

const backend = createServer((s) => {
  s.on('error', () => {});
  s.once('data', (first: Buffer) => {
    const at = first.indexOf('\r\n\r\n') + 4;
    if (first.toString('latin1', 0, 4) === 'POST') {
      let got = first.length - at;
      const check = (): void => { if (got === total) s.end(`HTTP/1.1 200 OK\r\ncontent-length: ${String(total).length}\r\nconnection: close\r\n\r\n${total}`); };
      s.on('data', (b: Buffer) => { got += b.length; check(); });
      return check();
    }
    s.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${total}\r\n\r\n`);
    let left = total;
    const more = (): void => { while (left > 0) { const n = Math.min(left, piece.length); left -= n; if (!s.write(n === piece.length ? piece : piece.subarray(0, n))) { s.once('drain', more); return; } } };
    more();
  });
}).listen(backendPort, '127.0.0.1');

writeFileSync(join(dir, 'weir.yaml'), `
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}
    filter_chains: [{filters: [{name: hcm, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: in, route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: a, timeout: 0s}}]}]}, http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]
  clusters: [{name: a, type: STATIC, load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${backendPort}}}}}]}]}}]
`);
const weir = spawn(join(root, 'bin/weir'), ['-c', join(dir, 'weir.yaml'), '--concurrency', '1', '-l', 'warning', `--transport=${o.transport}`], { stdio: 'inherit' });

/** Sends `head` and a body of `send` bytes, reads until `expect` bytes of answer body have come. */
function exchange(head: string, send: number, expect: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let got = -1, text = '', left = send;
    const s = connect(port, '127.0.0.1', () => {
      s.write(head);
      const more = (): void => { while (left > 0) { const n = Math.min(left, piece.length); left -= n; if (!s.write(n === piece.length ? piece : piece.subarray(0, n))) { s.once('drain', more); return; } } };
      more();
    });
    s.on('data', (b: Buffer) => {
      if (got < 0) { text += b.toString('latin1', 0, 4096); const at = text.indexOf('\r\n\r\n'); if (at < 0) return; if (!text.startsWith('HTTP/1.1 200')) { reject(new Error(text)); s.destroy(); return; } got = b.length - at - 4; } else got += b.length;
      if (got >= expect) { s.destroy(); resolve(); }
    });
    s.on('error', reject);
    s.on('close', () => reject(new Error(`cut after ${got} bytes`)));
  });
}

try {
  await listening(port);
  const base = usage(weir.pid!).rssKb / 1024;
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, usage(weir.pid!).rssKb / 1024); }, 200);
  for (const [name, head, send, expect] of [['down', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', 0, total], ['up', `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${total}\r\n\r\n`, total, String(total).length]] as const) {
    const before = usage(weir.pid!), began = performance.now();
    await exchange(head, send, expect);
    const after = usage(weir.pid!), mib = total / 2 ** 20;
    console.log(`${name}: ${(total / 2 ** 30).toFixed(1)} GiB in ${((performance.now() - began) / 1000).toFixed(1)} s, ${((after.userUs + after.sysUs - before.userUs - before.sysUs) / mib).toFixed(0)} µs of CPU per MiB`);
  }
  clearInterval(watch);
  console.log(`memory ${base.toFixed(0)} MB before, at most ${most.toFixed(0)} MB`);
  if (most - base > 150) throw new Error('memory has grown');
} finally { await stop(weir); backend.close(); rmSync(dir, { recursive: true, force: true }); }
process.exit(0);
