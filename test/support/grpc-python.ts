// Python's grpcio for flow tests: the virtual environment it lives in, and its processes (grpc_python.py).
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SCRIPT = new URL('grpc_python.py', import.meta.url).pathname;
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'weir-tests');

/** The interpreter of an environment that has grpcio, made at the first use and kept in the user's cache directory; or why there is none. */
export function pythonWithGrpc(): { readonly python: string; readonly missing: string } {
  const kept = join(CACHE, 'grpcio');
  const python = join(kept, 'bin/python');
  const run = (file: string, ...args: string[]): string => execFileSync(file, args, { timeout: 120_000, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  const works = (): boolean => { try { run(python, '-c', 'import grpc.aio'); return true; } catch { return false; } };
  if (existsSync(python) && works()) return { python, missing: '' };
  let made = '', step = 'the cache directory';
  try {
    mkdirSync(CACHE, { recursive: true });
    made = mkdtempSync(join(CACHE, 'making-'));
    step = 'python3 -m venv';
    run('python3', '-m', 'venv', made);
    step = 'pip install grpcio';
    run(join(made, 'bin/python'), '-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--only-binary', ':all:', '--retries', '1', '--timeout', '10', 'grpcio>=1.60');
    // Only the interpreter is used, which finds its environment from where it lies: the directory may be renamed.
    rmSync(kept, { recursive: true, force: true });
    renameSync(made, kept);
    return works() ? { python, missing: '' } : { python: '', missing: 'grpcio cannot be imported' };
  } catch (e) {
    if (made !== '') rmSync(made, { recursive: true, force: true });
    return { python: '', missing: `${step}: ${(e as Error).message.trim().split('\n').at(-1)}` };
  }
}

/** A grpcio server or client: a word in, a JSON value out, one at a time. */
export class GrpcPython {
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;
  private errors = '';
  constructor(python: string, args: readonly string[]) {
    this.child = spawn(python, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, GRPC_VERBOSITY: 'ERROR', NO_PROXY: '*', no_proxy: '*' } });
    this.child.stderr!.on('data', (b: Buffer) => { this.errors += b; });
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }
  async line(): Promise<unknown> {
    const next = await this.answers.next();
    if (next.done) throw new Error(`the Python process ended: ${this.errors}`);
    return JSON.parse(next.value) as unknown;
  }
  ask(word: string): Promise<unknown> { this.child.stdin!.write(`${word}\n`); return this.line(); }
  /** Ends the process and waits for it. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) { resolve(); return; }
      this.child.once('exit', () => resolve());
      this.child.kill('SIGKILL');
    });
  }
}
