// An admin source that stands still, for tests; what it was asked to do is kept.
import type { AdminSource } from '../../../engine/admin/admin-source.ts';
import { answerAdmin } from '../../../engine/admin/admin-server.ts';
import type { AdminAnswer } from '../../../engine/admin/endpoint.ts';
import { RecentLookups } from '../../../engine/control/stats/recent-lookups.ts';
import { StatReader } from '../../../engine/control/stats/stat-reader.ts';
import { DEFAULT_STATS, StatView, type StatsPlan } from '../../../engine/control/stats/stat-view.ts';

export class FakeSource implements AdminSource {
  readonly reader: StatReader;
  plan: StatsPlan = DEFAULT_STATS;
  readonly done: string[] = [];
  readonly levels = new Map([['admin', 'info'], ['http', 'info'], ['router', 'info']]);
  readonly admin = new Map<string, string>();
  clusterList: ReturnType<AdminSource['clusters']> = [];
  listenerList: ReturnType<AdminSource['listeners']> = [];
  sections: ReturnType<AdminSource['configDump']> = [];
  adminLayer = true;
  constructor(reader = new StatReader([])) { this.reader = reader; }
  stats(): StatView { return new StatView(this.reader, this.plan); }
  readonly lookups = new RecentLookups();
  resetCounters(): void { this.reader.resetCounters(); }
  state(): 'LIVE' { return 'LIVE'; }
  serverInfo(): unknown { return { state: 'LIVE' }; }
  clusters(): ReturnType<AdminSource['clusters']> { return this.clusterList; }
  listeners(): ReturnType<AdminSource['listeners']> { return this.listenerList; }
  configDump(): ReturnType<AdminSource['configDump']> { return this.sections; }
  runtime(): ReturnType<AdminSource['runtime']> { return { layers: ['base', 'admin'], entries: new Map([['b', ['1', '']], ['a', ['', 'x']]]) }; }
  modifyRuntime(values: readonly (readonly [string, string])[]): boolean { for (const [k, v] of values) this.admin.set(k, v); return this.adminLayer; }
  logLevels(): readonly (readonly [string, string])[] { return [...this.levels]; }
  setLogLevel(component: string, level: string): void { for (const c of this.levels.keys()) if (component === '' || component === c) this.levels.set(c, level); }
  memory(): ReturnType<AdminSource['memory']> { return { allocated: 1, heapSize: 2, heapFree: 1, physical: 3 }; }
  certificates(): readonly unknown[] { return []; }
  unready(): ReturnType<AdminSource['unready']> { return []; }
  reopenLogs(): void { this.done.push('reopen'); }
  failHealthCheck(failed: boolean): void { this.done.push(`fail ${failed}`); }
  drainListeners(wish: Parameters<AdminSource['drainListeners']>[0]): void { this.done.push(`drain ${JSON.stringify(wish)}`); }
  quit(): void { this.done.push('quit'); }
  readonly profilePath = '/p';
  private readonly on = new Set<string>();
  profile(kind: string, on: boolean): Promise<boolean> { this.done.push(`profile ${kind} ${on}`); if (on) this.on.add(kind); else this.on.delete(kind); return Promise.resolve(true); }
  profiling(kind: string): boolean { return this.on.has(kind); }
  startAllocations(): Promise<boolean> { const had = this.on.has('a'); this.on.add('a'); return Promise.resolve(!had); }
  stopAllocations(): Promise<unknown> { return Promise.resolve(this.on.delete('a') ? { head: {} } : null); }
  heapSpaces(): ReturnType<AdminSource['heapSpaces']> { return [{ name: 'new_space', size: 3, used: 2, available: 1 }]; }
  async *heapSnapshot(): AsyncGenerator<Uint8Array> { yield Buffer.from(await Promise.resolve('{}')); }
}

/** One answer, its body whole. */
export async function ask(source: AdminSource, target: string, method = 'GET', form = ''): Promise<{ status: number; body: string; type: string }> {
  const a: AdminAnswer = await answerAdmin(source, method, target, form);
  const body = typeof a.body === 'string' ? a.body : a.body instanceof Uint8Array ? Buffer.from(a.body).toString('latin1') : [...a.body].join('');
  return { status: a.status, body, type: a.type ?? 'text' };
}
