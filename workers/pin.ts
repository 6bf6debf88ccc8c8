// Pins the calling thread to one core of the process's allowed set (sched_setaffinity through koffi). Where that cannot be, the thread runs unpinned.
import { createRequire } from 'node:module';

/** The core that thread `n` was pinned to, or a reason why not. */
export function pinThread(n: number): number | string {
  if (process.platform !== 'linux') return 'not Linux';
  try {
    const koffi = createRequire(import.meta.url)('koffi') as { load(p: string): { func(s: string): (...a: unknown[]) => number } };
    const libc = koffi.load('libc.so.6');
    const get = libc.func('int sched_getaffinity(int pid, size_t size, uint8_t *mask)'), set = libc.func('int sched_setaffinity(int pid, size_t size, uint8_t *mask)');
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
