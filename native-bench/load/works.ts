// The works of a comparison: what is asked of the proxy, and by what load.
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOAD_CORE, listening, run, start } from './processes.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface Load { readonly requests: number; readonly perSecond: number; readonly p50Us: number; readonly p99Us: number; readonly errors: number }
export interface Work {
  readonly name: string; readonly backendBytes: number; readonly backendHeaders: number; readonly accessLog: boolean; readonly clusters: number;
  /** Puts the load on and says what it was; null for works that only look at memory. */
  readonly load: ((port: number, seconds: number) => Promise<Load>) | null;
  /** Idle connections to hold open while memory is read. */
  readonly idle: number;
  readonly floor: boolean;
  /** What the clients speak; not every proxy serves it. */
  readonly downstream?: 'h2';
  /** Bytes are passed on as they are (tcp_proxy): only proxies that can. */
  readonly tcp?: true;
  /** Clients speak TLS. */
  readonly tls?: true;
  /** The proxy speaks HTTP/2 to its upstream: nghttpx before the backend, on the load's core. */
  readonly upstream?: 'h2';
}

const us = (text: string | undefined): number => {
  const m = /^([\d.]+)(us|ms|s)$/.exec(text ?? '');
  return m ? Number(m[1]) * { us: 1, ms: 1000, s: 1e6 }[m[2] as 'us'] : NaN;
};

/** The backend of a work on port `behind`; where the proxy speaks HTTP/2 to it, nghttpx before it on `front` (else the same port). On the load's core. */
export async function startBackend(work: Work, front: number, behind: number): Promise<ChildProcess[]> {
  const out = [start(LOAD_CORE, join(root, 'native-bench/floor/bin/backend'), [String(behind), String(work.backendBytes), String(work.backendHeaders)])];
  await listening(behind);
  if (front !== behind) out.push(start(LOAD_CORE, 'nghttpx', [`-f127.0.0.1,${front};no-tls`, `-b127.0.0.1,${behind};;proto=http/1.1`, '--workers=1', '--errorlog-file=/dev/null', '--accesslog-file=/dev/null', '--conf=/dev/null', '--backend-connections-per-host=256', '--frontend-http2-max-concurrent-streams=1000']));
  await listening(front);
  return out;
}

/** V8 optimises what runs for that many requests; whoever is slow has had enough after that many seconds. */
const WARM_REQUESTS = 120_000, WARM_SECONDS = 20;
/** Loads a proxy until what is compiled while running is compiled. */
export async function warm(work: Work, port: number): Promise<void> {
  for (let i = 0, done = 0; i < WARM_SECONDS && done < WARM_REQUESTS; i++) done += (await work.load!(port, 1)).requests;
}

/** wrk on one thread. */
async function wrk(port: number, seconds: number, connections: number, headers: readonly string[], scheme = 'http'): Promise<Load> {
  const out = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...headers.flatMap((h) => ['-H', h]), `${scheme}://127.0.0.1:${port}/some/path?with=query`]);
  const errors = [...out.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce((n, m) => n + Number(m[1]), 0) + Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0);
  return { requests: Number(/(\d+) requests in/.exec(out)?.[1] ?? 0), perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1] ?? 0), p50Us: us(/50%\s+(\S+)/.exec(out)?.[1]), p99Us: us(/99%\s+(\S+)/.exec(out)?.[1]), errors };
}

/** h2load on one thread: `connections`, each with `streams` requests at a time. Its times are means, so there is no percentile. */
async function h2load(port: number, seconds: number, connections: number, streams: number, headers: readonly string[] = [], body = '', scheme = 'http'): Promise<Load> {
  const out = await run('h2load', ['-t1', ...(body === '' ? [] : ['-d', body]), '-c', String(connections), '-m', String(streams), '-D', String(seconds), ...headers.flatMap((h) => ['-H', h]), `${scheme}://127.0.0.1:${port}/some/path?with=query`]);
  const m = /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed/.exec(out);
  return { requests: Number(m?.[1] ?? 0), perSecond: Number(/([\d.]+) req\/s/.exec(out)?.[1] ?? 0), p50Us: NaN, p99Us: NaN, errors: Number(m?.[3] ?? 1) };
}

/** Connections one after the other, each with one request: full or resumed handshakes of one version, by handshakes.ts. */
async function handshakes(port: number, seconds: number, kind: 'full' | 'resumed', version: 'TLSv1.2' | 'TLSv1.3'): Promise<Load> {
  const out = await run(process.execPath, [new URL('handshakes.ts', import.meta.url).pathname, String(port), String(seconds), kind, version]);
  const m = /^(\d+) connections, (\d+) errors/m.exec(out);
  return { requests: Number(m?.[1] ?? 0), perSecond: Number(m?.[1] ?? 0) / seconds, p50Us: NaN, p99Us: NaN, errors: Number(m?.[2] ?? 1) };
}

/** A file with a gRPC message of 123 bytes. */
function message(): string {
  const path = join(tmpdir(), 'weir-bench-message');
  const bytes = Buffer.alloc(128, 'm');
  bytes.writeUInt8(0, 0);
  bytes.writeUInt32BE(123, 1);
  writeFileSync(path, bytes);
  return path;
}

const twenty = Array.from({ length: 17 }, (_, i) => `x-header-${i}: some-value-of-header-${i}`);

export const WORKS: readonly Work[] = [
  { name: 'h1 keep-alive 128 B', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: true, load: (port, s) => wrk(port, s, 64, []) },
  { name: 'h1 20 headers, access log', backendBytes: 128, backendHeaders: 8, accessLog: true, clusters: 0, idle: 0, floor: false, load: (port, s) => wrk(port, s, 64, twenty) },
  { name: 'h2 in, h1 out, 4 connections × 16', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', load: (port, s) => h2load(port, s, 4, 16) },
  { name: 'h2 in, h1 out, 1 connection × 100', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', load: (port, s) => h2load(port, s, 1, 100) },
  { name: 'h2 in, h1 out, 20 headers', backendBytes: 128, backendHeaders: 8, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', load: (port, s) => h2load(port, s, 4, 16, twenty) },
  { name: 'h2 in, h2 out, 4 connections × 16', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', upstream: 'h2', load: (port, s) => h2load(port, s, 4, 16) },
  { name: 'h2 in, h2 out, gRPC-like calls of 128 B', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', upstream: 'h2', load: (port, s) => h2load(port, s, 4, 16, ['content-type: application/grpc', 'te: trailers'], message()) },
  { name: 'h2 in, h1 out, 1 MiB bodies', backendBytes: 1 << 20, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', load: (port, s) => h2load(port, s, 4, 4) },
  { name: 'new connection per request', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => wrk(port, s, 32, ['connection: close']) },
  { name: '1 MiB bodies', backendBytes: 1 << 20, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: true, load: (port, s) => wrk(port, s, 16, []) },
  { name: 'h1 over TLS keep-alive 128 B', tls: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => wrk(port, s, 64, [], 'https') },
  { name: 'h2 over TLS, 4 connections × 16', tls: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, downstream: 'h2', load: (port, s) => h2load(port, s, 4, 16, [], '', 'https') },
  { name: 'TLS 1 MiB bodies', tls: true, backendBytes: 1 << 20, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => wrk(port, s, 16, [], 'https') },
  { name: 'TLS 1.3 full handshakes', tls: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => handshakes(port, s, 'full', 'TLSv1.3') },
  { name: 'TLS 1.3 resumed handshakes', tls: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => handshakes(port, s, 'resumed', 'TLSv1.3') },
  { name: 'TLS 1.2 resumed handshakes', tls: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: false, load: (port, s) => handshakes(port, s, 'resumed', 'TLSv1.2') },
  { name: 'tcp 128 B', tcp: true, backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: true, load: (port, s) => wrk(port, s, 64, []) },
  { name: 'tcp bulk 1 MiB', tcp: true, backendBytes: 1 << 20, backendHeaders: 0, accessLog: false, clusters: 0, idle: 0, floor: true, load: (port, s) => wrk(port, s, 16, []) },
  { name: '8,000 idle connections', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 0, idle: 8000, floor: false, load: null },
  { name: '10,000 clusters', backendBytes: 128, backendHeaders: 0, accessLog: false, clusters: 10_000, idle: 0, floor: false, load: (port, s) => wrk(port, s, 64, []) },
];

/** Opens connections that have each made one request and then keep still. */
export async function idleConnections(port: number, count: number): Promise<() => void> {
  const sockets: Socket[] = [];
  const one = (): Promise<void> => new Promise((resolve, reject) => {
    const s = connect(port, '127.0.0.1', () => s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    s.once('data', () => { s.on('data', () => {}); resolve(); });
    s.on('error', reject);
    sockets.push(s);
  });
  for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: Math.min(100, count - i) }, one));
  return () => { for (const s of sockets) s.destroy(); };
}
