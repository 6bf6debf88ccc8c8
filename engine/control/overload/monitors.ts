// Resource monitors: each reads one pressure, 0 to 1 and above, or says that it cannot be read now. Files are read at once: they are small and not on any request's path.
import { readFileSync } from 'node:fs';
import { runtimeNumber, type RuntimeCell } from '../../loop/runtime.ts';
import type { MonitorPlan } from '../../plan/overload-plan.ts';

export interface Monitor { /** NaN: it cannot be read now. */ pressure(): number }

/** The doors of the monitors, so that tests choose what they see. */
export interface MonitorEnv { readFile(path: string): string; /** Resident bytes of this process. */ residentBytes(): number; cores(): number; /** Downstream connections of the process. */ connections(): number; /** Value of a runtime key. */ runtime(key: string): RuntimeCell['value'] }
export const SYSTEM_MONITOR_ENV = (cores: number, connections: () => number, runtime: (key: string) => RuntimeCell['value']): MonitorEnv => ({ runtime, connections, readFile: (path) => readFileSync(path, 'utf8'), residentBytes: () => process.memoryUsage.rss(), cores: () => cores });

/** What this process holds. Envoy measures its allocator's heap; here that is spread over many, so the resident size stands for it. */
class FixedHeap implements Monitor {
  private readonly max: number; private readonly key: string; private readonly env: MonitorEnv;
  constructor(max: number, key: string, env: MonitorEnv) { this.max = max; this.key = key; this.env = env; }
  pressure(): number {
    const max = this.key === '' ? this.max : runtimeNumber({ value: this.env.runtime(this.key) }, this.max);
    return max > 0 ? this.env.residentBytes() / max : NaN;
  }
}

class Injected implements Monitor {
  private readonly file: string; private readonly env: MonitorEnv;
  constructor(file: string, env: MonitorEnv) { this.file = file; this.env = env; }
  pressure(): number { const text = this.env.readFile(this.file).trim(), n = Number(text); return text !== '' && n >= 0 && n <= 1 ? n : NaN; }
}

/** Version 2, else version 1 of control groups. */
class CgroupMemory implements Monitor {
  private readonly max: number; private readonly env: MonitorEnv;
  constructor(max: number, env: MonitorEnv) { this.max = max; this.env = env; }
  private number(paths: readonly string[]): number {
    for (const p of paths) try { const text = this.env.readFile(p).trim(); return text === 'max' ? Infinity : Number(text); } catch { /* the other version */ }
    return NaN;
  }
  pressure(): number {
    const usage = this.number(['/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory/memory.usage_in_bytes']), own = this.number(['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']);
    const limit = this.max > 0 ? Math.min(this.max, Number.isNaN(own) ? Infinity : own) : own;
    return usage / limit;
  }
}

/** Share of CPU time in use since the last reading, smoothed as Envoy's (new × 0.05 + old × 0.95). */
class Cpu implements Monitor {
  private readonly mode: 'HOST' | 'CONTAINER'; private readonly env: MonitorEnv;
  private work = -1; private total = -1; private smooth = 0;
  constructor(mode: 'HOST' | 'CONTAINER', env: MonitorEnv) { this.mode = mode; this.env = env; }

  /** [time in use, time there was], in the same unit. */
  private times(): readonly [number, number] {
    if (this.mode === 'HOST') {
      const [user = 0, nice = 0, system = 0, idle = 0] = this.env.readFile('/proc/stat').split('\n')[0]!.trim().split(/\s+/).slice(1).map(Number);
      return [user + nice + system, user + nice + system + idle];
    }
    const usage = Number(/^usage_usec (\d+)$/m.exec(this.env.readFile('/sys/fs/cgroup/cpu.stat'))?.[1] ?? NaN);
    const [quota = 'max', period = '100000'] = this.env.readFile('/sys/fs/cgroup/cpu.max').trim().split(' ');
    const cores = quota === 'max' ? this.env.cores() : Number(quota) / Number(period);
    return [usage, Number(this.env.readFile('/proc/uptime').split(' ')[0]) * 1e6 * cores];
  }

  pressure(): number {
    const [work, total] = this.times(), before = this.total;
    const share = before < 0 || total <= before ? 0 : (work - this.work) / (total - before);
    this.work = work; this.total = total;
    if (Number.isNaN(share) || share < 0) return NaN;
    this.smooth = share * 0.05 + this.smooth * 0.95;
    return this.smooth;
  }
}

/** Envoy's only proactive resource: its limit is kept where connections are accepted, and its pressure works actions as well. */
class DownstreamConnections implements Monitor {
  private readonly max: number; private readonly env: MonitorEnv;
  constructor(max: number, env: MonitorEnv) { this.max = max; this.env = env; }
  pressure(): number { return this.env.connections() / this.max; }
}

export function makeMonitor(plan: MonitorPlan, env: MonitorEnv): Monitor {
  switch (plan.kind) {
    case 'fixed-heap': return new FixedHeap(plan.maxBytes, plan.maxBytesKey, env);
    case 'injected': return new Injected(plan.file, env);
    case 'cgroup-memory': return new CgroupMemory(plan.maxBytes, env);
    case 'downstream-connections': return new DownstreamConnections(plan.max, env);
    case 'cpu': return new Cpu(plan.mode, env);
  }
}
