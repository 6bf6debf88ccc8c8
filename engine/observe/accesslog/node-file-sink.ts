// Log files over node:fs: opened for append, written in whole batches off the loop. The process's own streams are descriptors 1 and 2, never reopened.
import { closeSync, openSync, write } from 'node:fs';
import type { FileSink } from './log-file.ts';

class NodeFileSink implements FileSink {
  private fd: number;
  private readonly path: string | null;
  private busy = false;
  private retired: number | null = null;
  constructor(fd: number, path: string | null) { this.fd = fd; this.path = path; }

  append(bytes: Uint8Array, done: (ok: boolean) => void): void {
    const { fd } = this;
    this.busy = true;
    const step = (at: number, tries: number): void => {
      write(fd, bytes, at, bytes.length - at, null, (error, n) => {
        if (error !== null) {
          // A pipe that is full right now (EAGAIN) is asked again, a bounded number of times.
          if (error.code === 'EAGAIN' && tries < 1000) { step(at, tries + 1); return; }
          this.finished(); done(false); return;
        }
        if (at + n < bytes.length) { step(at + n, 0); return; }
        this.finished(); done(true);
      });
    };
    step(0, 0);
  }

  reopen(): boolean {
    if (this.path === null) return true;
    let fd: number;
    try { fd = openSync(this.path, 'a', 0o644); } catch { return false; }
    const old = this.fd;
    this.fd = fd;
    // The write in flight still needs the old descriptor.
    if (this.busy && this.retired === null) this.retired = old; else closeSync(old);
    return true;
  }

  close(): void { if (this.path === null) return; if (this.busy) this.retired ??= this.fd; else closeSync(this.fd); }

  private finished(): void {
    this.busy = false;
    if (this.retired !== null) { closeSync(this.retired); this.retired = null; }
  }
}

export function openNodeSink(path: string): FileSink | null {
  if (path === '/dev/stdout') return new NodeFileSink(1, null);
  if (path === '/dev/stderr') return new NodeFileSink(2, null);
  try { return new NodeFileSink(openSync(path, 'a', 0o644), path); } catch { return null; }
}
