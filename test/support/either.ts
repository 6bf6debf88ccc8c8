// Weir, or the real Envoy where WEIR_CHAOS=envoy: the same test finds out what Envoy does and holds Weir to it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ask, freePort, startWeir, until, type Answer } from './weir.ts';

export const ENVOY = process.env['WEIR_CHAOS'] === 'envoy';

export interface Either { readonly stats: (filter: string) => Promise<Record<string, number>>; readonly admitted: (path: string, method?: string) => Promise<Answer>; readonly stop: () => Promise<void> }

/** A directory that goes with the test. */
export function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir-either-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Of two proxies in a row, which ones are the real Envoy: WEIR_CHAOS=envoy both, near-envoy the one that the client speaks to, far-envoy the other. */
export const NEAR_ENVOY = ENVOY || process.env['WEIR_CHAOS'] === 'near-envoy', FAR_ENVOY = ENVOY || process.env['WEIR_CHAOS'] === 'far-envoy';

/** Starts the proxy on a bootstrap without `admin` and waits for /ready; it ends with the test. */
export async function startEither(t: TestContext, config: string, envoy = ENVOY, concurrency = 1): Promise<Either> {
  const readyMs = Math.max(60_000, 20_000 * concurrency); // eight workers take their time on few cores
  if (!envoy) {
    const weir = await startWeir(config, { concurrency, readyMs });
    t.after(() => weir.stop());
    return { stats: (f) => weir.stats(f), admitted: (path, method) => weir.admitted(path, method), stop: async () => { await weir.stop(); } };
  }
  const dir = scratch(t), admin = await freePort();
  writeFileSync(join(dir, 'envoy.yaml'), `admin: {address: {socket_address: {address: 127.0.0.1, port_value: ${admin}}}}\n${config}`);
  const child = spawn('envoy', ['-c', join(dir, 'envoy.yaml'), '--concurrency', String(concurrency), '-l', 'error', '--disable-hot-restart', '--file-flush-interval-msec', '20'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = new Promise<void>((r) => child.once('exit', () => r()));
  const stop = (): Promise<void> => { child.kill('SIGKILL'); return gone; };
  t.after(stop);
  await until('envoy is ready', async () => { if (child.exitCode !== null) throw new Error('envoy ended'); return (await ask(admin, '/ready').catch(() => null))?.status === 200; }, readyMs);
  const stats = async (f: string): Promise<Record<string, number>> => Object.fromEntries((JSON.parse((await ask(admin, `/stats?format=json&filter=${encodeURIComponent(f)}`)).body) as { stats: { name?: string; value: number }[] }).stats.filter((s) => s.name !== undefined).map((s) => [s.name!, s.value]));
  return { stats, admitted: (path, method = 'GET') => ask(admin, path, { method }), stop };
}
