// What the kernel is told of the calling thread, through koffi: the core that it stays on, and its name. Where that cannot be, it runs unpinned and is called as Node calls it.
import { createRequire } from 'node:module';

interface Library { func(signature: string): (...a: unknown[]) => number }

function libc(): Library { return (createRequire(import.meta.url)('koffi') as { load(path: string): Library }).load('libc.so.6'); }

/** Pins to one core of the process's allowed set: the core that thread `n` was pinned to, or a reason why not. */
export function pinThread(n: number): number | string {
  if (process.platform !== 'linux') return 'not Linux';
  try {
    const c = libc(), get = c.func('int sched_getaffinity(int pid, size_t size, uint8_t *mask)'), set = c.func('int sched_setaffinity(int pid, size_t size, uint8_t *mask)');
    const mask = Buffer.alloc(128);
    if (get(0, mask.length, mask) !== 0) return 'sched_getaffinity failed';
    const cores: number[] = [];
    for (let i = 0; i < mask.length * 8; i++) if (mask[i >> 3]! & (1 << (i & 7))) cores.push(i);
    if (cores.length < 2) return 'one core only';
    const core = cores[n % cores.length]!;
    const own = Buffer.alloc(128);
    own[core >> 3] = 1 << (core & 7);
    return set(0, own.length, own) === 0 ? core : 'sched_setaffinity failed';
  } catch (e) { return `koffi: ${(e as Error).message}`; }
}

const PR_SET_NAME = 15;
/** What `top -H` and /proc/PID/task/TID/comm show: 15 bytes at most. */
export function nameThread(name: string): void {
  if (process.platform !== 'linux') return;
  try { libc().func('int prctl(int option, const char *name)')(PR_SET_NAME, name); } catch { /* it keeps Node's name */ }
}
