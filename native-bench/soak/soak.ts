// A soak: load on two workers for minutes, while workers are killed, and the bootstrap changes under --watch. Counts requests that fail, and looks at memory.
//   sh scripts/run.sh native-bench/soak/soak.ts [--minutes 3] [--transport node] [--kill-every 15] [--change-every 1]
// A slice of load in which a worker died may lose the requests of that worker's connections; every other slice must lose none. Exit status 1 where one did.
import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listening, stop, usage } from '../load/processes.ts';

const { values: o } = parseArgs({ options: { minutes: { type: 'string', default: '3' }, transport: { type: 'string', default: process.env['WEIR_TRANSPORT'] ?? 'auto' }, 'kill-every': { type: 'string', default: '15' }, 'change-every': { type: 'string', default: '1' }, connections: { type: 'string', default: '64' } } });
const root = new URL('../..', import.meta.url).pathname, dir = mkdtempSync(join(tmpdir(), 'weir-soak-'));
const port = 26_000 + (process.pid % 3000), admin = port + 3000, backendPort = port + 6000, connections = Number(o.connections);
const sleep = (ms: number): Promise<void> => new Promise((r) => { setTimeout(r, ms); });

/** The nth version: other response headers, one more cluster, a virtual host that comes and goes. */
function write(n: number): void {
  const extra = n % 2 ? '            - {name: sometimes, domains: ["sometimes.example"], routes: [{match: {prefix: "/"}, route: {cluster: backend}}]}\n' : '';
  writeFileSync(join(dir, 'next.yaml'), `admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${admin}}}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            name: r
            response_headers_to_add: [{header: {key: x-version, value: "${n}"}}]
            virtual_hosts:
${extra}            - {name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: backend}}]}
          http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - {name: backend, type: STATIC, connect_timeout: 1s, circuit_breakers: {thresholds: [{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}]}, load_assignment: {cluster_name: backend, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${backendPort}}}}}]}]}}
  - {name: c${n}, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: c${n}, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${backendPort}}}}}]}]}}
`);
  renameSync(join(dir, 'next.yaml'), join(dir, 'weir.yaml'));
}

function wrk(seconds: number): Promise<{ requests: number; socket: number; status: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, `http://127.0.0.1:${port}/`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (b: Buffer) => { out += b; });
    child.on('error', reject);
    child.on('close', () => resolve({ requests: Number(/(\d+) requests in/.exec(out)?.[1] ?? 0), socket: [...out.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce((n, m) => n + Number(m[1]), 0), status: Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0) }));
  });
}

async function main(): Promise<number> {
  execFileSync('make', ['-s', '-C', join(root, 'native-bench/floor')], { stdio: 'inherit' });
  write(0);
  const backend = spawn(join(root, 'native-bench/floor/bin/backend'), [String(backendPort), '128', '0'], { stdio: 'ignore' });
  const node = join(root, 'node_modules/node/bin/node');
  const weir = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, 'test/support/crashing-main.ts'), '-c', join(dir, 'weir.yaml'), '--watch', '--concurrency', '2', '-l', 'error', `--transport=${o.transport}`], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, WEIR_TEST_CRASH_DIR: dir } });
  let failures = 0;
  try {
    await listening(port, 60_000);
    const end = Date.now() + Number(o.minutes) * 60_000, memory: number[] = [];
    let version = 0, kills = 0, killed = false, requests = 0, lost = 0, slices = 0, over = false;
    const every = async (seconds: number, work: () => void): Promise<void> => { while (!over) { await sleep(seconds * 1000); if (!over) work(); } };
    const jobs = [
      every(Number(o['change-every']), () => write(++version)),
      every(Number(o['kill-every']), () => { killed = true; writeFileSync(join(dir, `crash-${kills++ % 2}`), ''); }),
      every(1, () => { memory.push(usage(weir.pid!).rssKb / 1024); }),
    ];
    while (Date.now() < end) {
      killed = false;
      const r = await wrk(2), dirty = killed;
      slices++;
      requests += r.requests;
      if (r.status > 0 || (r.socket > 0 && !dirty) || r.socket > connections) { failures += r.status + r.socket; console.log(`slice ${slices}: ${r.status} bad answers, ${r.socket} socket errors${dirty ? ' (a worker was killed)' : ''}`); } else lost += r.socket;
    }
    over = true;
    await Promise.all(jobs);
    const third = Math.floor(memory.length / 3), mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / Math.max(1, list.length);
    console.log(`${requests} requests, ${version} configurations, ${kills} workers killed: ${failures} failed, ${lost} lost with killed workers' connections`);
    console.log(`memory ${mean(memory.slice(third, 2 * third)).toFixed(0)} MB in the middle third, ${mean(memory.slice(2 * third)).toFixed(0)} MB in the last, at most ${Math.max(...memory).toFixed(0)} MB`);
  } finally { await stop(weir); await stop(backend); rmSync(dir, { recursive: true, force: true }); }
  return failures > 0 ? 1 : 0;
}

process.exit(await main());
