// A CPU profile of this thread by V8's profiler, switched on and off by /cpuprofiler; written as PATH.THREAD.cpuprofile, which Chromium's tools open.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

export class CpuProfile {
  private readonly path: string;
  private session: Session | null = null;
  constructor(path: string) { this.path = path; }

  /** False: it could not start, or its file could not be written. Ending what is not on is fine. */
  async switch(on: boolean, thread: string): Promise<boolean> {
    try { return on ? await this.start() : await this.stop(thread); } catch { this.session?.disconnect(); this.session = null; return false; }
  }

  private async start(): Promise<boolean> {
    if (this.session !== null) return false;
    this.session = new Session();
    this.session.connect();
    await this.post('Profiler.enable');
    await this.post('Profiler.start');
    return true;
  }

  private async stop(thread: string): Promise<boolean> {
    if (this.session === null) return true;
    const { profile } = await this.post('Profiler.stop') as { readonly profile: unknown };
    this.session.disconnect();
    this.session = null;
    writeFileSync(`${this.path}.${thread}.cpuprofile`, JSON.stringify(profile));
    return true;
  }

  private post(method: string): Promise<unknown> { return new Promise((resolve, reject) => { this.session!.post(method, (e, result) => { if (e === null) resolve(result); else reject(e); }); }); }
}
