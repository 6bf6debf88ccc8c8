// A profile of this thread by V8's profiler, switched on and off by /cpuprofiler and /heapprofiler: where time goes, or what of it was allocated and lives (by samples);
// written as PATH.THREAD.cpuprofile or .heapprofile, which Chromium's tools open.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

export type ProfileKind = 'cpu' | 'heap';
const COMMANDS = { cpu: { domain: 'Profiler', start: 'start', stop: 'stop' }, heap: { domain: 'HeapProfiler', start: 'startSampling', stop: 'stopSampling' } } as const;

export class ThreadProfile {
  private readonly kind: ProfileKind;
  private session: Session | null = null;
  constructor(kind: ProfileKind) { this.kind = kind; }

  get running(): boolean { return this.session !== null; }

  /** False: it could not start, or its file could not be written. Ending what is not on is fine. `path` without the thread's name. */
  async switch(on: boolean, path: string, thread: string): Promise<boolean> {
    if (on) return this.start();
    try {
      const profile = await this.stop();
      if (profile !== null) writeFileSync(`${path}.${thread}.${this.kind}profile`, JSON.stringify(profile));
      return true;
    } catch { return false; }
  }

  async start(): Promise<boolean> {
    if (this.session !== null) return false;
    this.session = new Session();
    try {
      this.session.connect();
      await this.post('enable');
      await this.post(COMMANDS[this.kind].start);
      return true;
    } catch { this.session.disconnect(); this.session = null; return false; }
  }

  /** What was found; null: it is not on. */
  async stop(): Promise<unknown> {
    if (this.session === null) return null;
    try { return (await this.post(COMMANDS[this.kind].stop) as { readonly profile: unknown }).profile; } finally { this.session.disconnect(); this.session = null; }
  }

  private post(command: string): Promise<unknown> { return new Promise((resolve, reject) => { this.session!.post(`${COMMANDS[this.kind].domain}.${command}`, (e, result) => { if (e === null) resolve(result); else reject(e); }); }); }
}
