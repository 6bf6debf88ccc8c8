// Starts the real command on a configuration, on free ports, for flow tests. Everything a test starts it also ends.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../engine/net/transport/native.ts';

const root = new URL('../..', import.meta.url).pathname;
const COMMAND = join(root, 'bin/weir');

// Below what systems give to port 0 and to clients (from 32768 on), and a slice for each test file's process: nobody takes a port between its choice and its use.
const FIRST = 12_000, SLICE = 100, SLICES = 200;
let nextPort = Math.floor(Math.random() * SLICE);

/** A port that nobody uses, and that this process was not given lately. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < SLICE; tries++) {
    const port = FIRST + (process.pid % SLICES) * SLICE + nextPort++ % SLICE;
    if (await bindable(port)) return port;
  }
  throw new Error('no port is free');
}

function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const s = createServer();
    s.on('error', () => resolve(false));
    s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
  });
}

/** What all flows are to be played on (test/README.md): 'native', 'node', or '': Weir's own choice. */
export const PLAYED_ON = process.env['WEIR_TRANSPORT'] ?? '';
/** The transports of flows that name theirs: both, or the one that is asked for. Without a C compiler there is no native one. */
export const TRANSPORTS: readonly ('native' | 'node')[] = (['native', 'node'] as const).filter((kind) => (PLAYED_ON === '' || PLAYED_ON === kind) && (kind === 'node' || loadAddon() !== null));
/** What is the native transport's alone: the reason for a test's `skip`; false where it is there. */
export const nativeOnly = (why: string): string | false => (PLAYED_ON === 'node' ? `native transport only: ${why}` : loadAddon() === null && 'the native transport is not built here (no C compiler)');
/** `--transport` for flows that do not name theirs. */
export const transportArgs = (args: readonly string[] = []): string[] => (PLAYED_ON === '' || args.some((a) => a.startsWith('--transport')) ? [] : [`--transport=${PLAYED_ON}`]);

export interface Answer { readonly status: number; readonly headers: Record<string, string | string[] | undefined>; readonly body: string }

/** One HTTP/1.1 request by Node's client; rejects when the connection fails. */
export function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; timeoutMs?: number; socketPath?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ ...(options.socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath: options.socketPath }), path, method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false }, (res) => {
      let body = '';
      res.setEncoding('latin1');
      res.on('data', (c: string) => { body += c; });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
      res.on('error', reject);
    });
    req.setTimeout(options.timeoutMs ?? 10_000, () => req.destroy(new Error('no answer in time')));
    req.on('error', reject);
    req.end(options.body);
  });
}

/** Polls until `check` gives something truthy; fails with `what` after `ms`. */
export async function until<T>(what: string, check: () => Promise<T> | T, ms = 30_000): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

export class RunningWeir {
  readonly dir: string; readonly admin: number; readonly child: ChildProcess;
  /** The admin interface's unix pipe; '': it is at the port. */
  pipe = '';
  private output = '';
  readonly exited: Promise<number | string>;
  constructor(dir: string, admin: number, child: ChildProcess) {
    this.dir = dir; this.admin = admin; this.child = child;
    child.stdout!.on('data', (b: Buffer) => { this.output += b; });
    child.stderr!.on('data', (b: Buffer) => { this.output += b; });
    this.exited = new Promise((r) => child.once('exit', (code, signal) => r(code ?? signal ?? 'gone')));
  }
  get log(): string { return this.output; }
  get file(): string { return join(this.dir, 'envoy.yaml'); }

  async stats(filter = ''): Promise<Record<string, number>> {
    const { body } = await ask(this.admin, `/stats?format=json&filter=${encodeURIComponent(filter)}`);
    const list = (JSON.parse(body) as { stats: { name?: string; value: number }[] }).stats;
    return Object.fromEntries(list.filter((s) => s.name !== undefined).map((s) => [s.name!, s.value]));
  }

  /** An admin request, over whichever way there is. */
  admitted(path: string, method = 'GET'): Promise<Answer> { return ask(this.admin, path, { method, ...(this.pipe === '' ? {} : { socketPath: this.pipe }) }); }

  /** What /server_info says of the threads. */
  async info(): Promise<{ readonly transport: string; readonly control_restarts: number; readonly workers: readonly { readonly id: number; readonly up: boolean; readonly restarts: number }[] }> {
    const { body } = await ask(this.admin, '/server_info');
    return (JSON.parse(body) as { node: { user_agent_build_version: { metadata: { weir: Awaited<ReturnType<RunningWeir['info']>> } } } }).node.user_agent_build_version.metadata.weir;
  }

  async stop(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      const again = setTimeout(() => this.child.kill('SIGTERM'), 300);
      const hard = setTimeout(() => this.child.kill('SIGKILL'), 5000);
      await this.exited;
      clearTimeout(again); clearTimeout(hard);
    }
    rmSync(this.dir, { recursive: true, force: true });
    return this.exited;
  }
}

/** Starts Weir on a bootstrap (YAML without `admin`, which is added) and waits for /ready. */
export async function startWeir(config: string, options: { command?: readonly string[]; args?: string[]; concurrency?: number; env?: Record<string, string>; readyMs?: number; /** 'warning' where it is not said. */ logLevel?: string; /** The admin message in place of the usual one, flow YAML; PORT is replaced. */ admin?: string } = {}): Promise<RunningWeir> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const admin = await freePort();
  writeFileSync(join(dir, 'envoy.yaml'), `admin: ${(options.admin ?? '{address: {socket_address: {address: 127.0.0.1, port_value: PORT}}}').replaceAll('PORT', String(admin))}\n${config}`);
  const args = ['-c', join(dir, 'envoy.yaml'), '--concurrency', String(options.concurrency ?? 1), '-l', options.logLevel ?? 'warning', '--file-flush-interval-msec', '20', ...(options.args ?? []), ...transportArgs(options.args)];
  const weir = new RunningWeir(dir, admin, spawn(options.command?.[0] ?? COMMAND, [...(options.command?.slice(1) ?? []), ...args], { cwd: dir, env: { ...process.env, WEIR_TEST_CRASH_DIR: dir, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] }));
  weir.pipe = /pipe: \{path: "([^"]+)"/.exec(options.admin ?? '')?.[1] ?? '';
  try {
    await until(`ready; its log: ${weir.log}`, async () => {
      if (weir.child.exitCode !== null) throw new Error(`ended with ${weir.child.exitCode}: ${weir.log}`);
      return (await weir.admitted('/ready').catch(() => null))?.status === 200;
    }, options.readyMs ?? 60_000);
  } catch (e) { await weir.stop(); throw new Error(`${(e as Error).message}\n${weir.log}`); }
  return weir;
}

/** Runs the command to its end. */
export function runWeir(args: readonly string[], options: { cwd?: string } = {}): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(COMMAND, [...args], { cwd: options.cwd ?? root, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '', stderr = '';
    child.stdout.on('data', (b: Buffer) => { stdout += b; });
    child.stderr.on('data', (b: Buffer) => { stderr += b; });
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? 'gone', stdout, stderr }));
  });
}
