// Notices that a file was saved: written in place, renamed over, or swapped through symbolic links as Kubernetes mounts do it. Folders are watched (inotify) and the
// file's identity is looked at again on each hint; a slow poll is the net under it, for file systems that give no hints.
import { statSync, watch, realpathSync, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

const SETTLE_MS = 15, POLL_MS = 2000;

export class FileWatcher {
  private readonly path: string;
  private readonly after: (ms: number, task: () => void) => () => void;
  private readonly onChange: () => void;
  private seen: string;
  private cancel: (() => void) | null = null;
  private watchers: FSWatcher[] = [];
  private watched = '';
  private closed = false;

  constructor(path: string, after: (ms: number, task: () => void) => () => void, onChange: () => void) {
    this.path = path; this.after = after; this.onChange = onChange;
    this.seen = this.identity();
    this.watchFolders();
    this.poll();
  }

  /** What changes when the content may have: the file that the path leads to, its size and time. */
  private identity(): string {
    try { const s = statSync(this.path, { bigint: true }); return `${realpathSync(this.path)}:${s.ino}:${s.size}:${s.mtimeNs}`; } catch { return ''; }
  }

  private watchFolders(): void {
    let real = '';
    try { real = realpathSync(this.path); } catch { /* between two links */ }
    if (real === this.watched && this.watchers.length > 0) return;
    for (const w of this.watchers) w.close();
    this.watchers = [];
    this.watched = real;
    for (const folder of new Set([dirname(this.path), ...(real === '' ? [] : [dirname(real)])])) {
      try { const w = watch(folder, () => this.hint()); w.on('error', () => {}); w.unref(); this.watchers.push(w); } catch { /* the poll sees it */ }
    }
  }

  /** Something moved nearby: looks once things have settled. */
  private hint(): void {
    if (this.cancel !== null || this.closed) return;
    this.cancel = this.after(SETTLE_MS, () => { this.cancel = null; this.look(); });
  }

  private look(): void {
    const now = this.identity();
    if (now === '' || now === this.seen) return;
    this.seen = now;
    this.watchFolders();
    this.onChange();
  }

  private poll(): void { this.after(POLL_MS, () => { if (this.closed) return; this.look(); this.poll(); }); }

  close(): void { this.closed = true; this.cancel?.(); for (const w of this.watchers) w.close(); }
}
