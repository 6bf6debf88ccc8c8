// Notices that files were saved: written in place, renamed over, or swapped through symbolic links as Kubernetes mounts do it. Folders are watched (inotify), once each
// however many files of them are asked for, and the identity of the files near is looked at again on each hint; a slow poll of all is the net under it, for file systems
// that give no hints. One for the process; control thread.
import { realpathSync, statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

const SETTLE_MS = 15, POLL_MS = 2000;

interface Watched { readonly path: string; readonly extra: string; seen: string; folders: readonly string[]; readonly told: Set<() => void> }

/** What changes when the content may have: the file that the path leads to, its size and time; '' while there is none. */
function identity(path: string): string {
  try { const s = statSync(path, { bigint: true }); return `${realpathSync(path)}:${s.ino}:${s.size}:${s.mtimeNs}`; } catch { return ''; }
}

export class FileWatches {
  private readonly after: (ms: number, task: () => void) => () => void;
  private readonly files = new Map<string, Watched>();
  private readonly folders = new Map<string, { readonly watcher: FSWatcher | null; readonly files: Set<Watched> }>();
  /** Folders where something moved, and the look that is to come. */
  private readonly hinted = new Set<string>();
  private cancelLook: (() => void) | null = null;
  private cancelPoll: (() => void) | null = null;
  constructor(after: (ms: number, task: () => void) => () => void) { this.after = after; }

  /** Tells of every change of the file, or of the entries of the folder, at `path`; gives its end. `extra`: a folder (watched_directory) where a move may change what the path leads to. */
  watch(path: string, onChange: () => void, extra = ''): () => void {
    const key = `${path}\n${extra}`;
    let f = this.files.get(key);
    if (f === undefined) { f = { path, extra, seen: identity(path), folders: [], told: new Set() }; this.files.set(key, f); this.enter(f); }
    const told = (): void => onChange(), file = f;
    file.told.add(told);
    if (this.cancelPoll === null) this.poll();
    return () => {
      if (!file.told.delete(told) || file.told.size > 0) return;
      this.files.delete(key);
      this.leave(file);
      if (this.files.size === 0) { this.cancelPoll?.(); this.cancelPoll = null; }
    };
  }

  /** Watches the folders on the file's way: of the path, and of what it leads to now. */
  private enter(f: Watched): void {
    let real = '', folder = false;
    try { real = realpathSync(f.path); folder = statSync(f.path).isDirectory(); } catch { /* between two links */ }
    const now = [...new Set([dirname(f.path), ...(real === '' ? [] : [dirname(real)]), ...(folder ? [real] : []), ...(f.extra === '' ? [] : [f.extra])])];
    if (now.join('\n') === f.folders.join('\n')) return;
    this.leave(f);
    f.folders = now;
    for (const folder of now) {
      let entry = this.folders.get(folder);
      if (entry === undefined) { entry = { watcher: this.open(folder), files: new Set() }; this.folders.set(folder, entry); }
      entry.files.add(f);
    }
  }
  private leave(f: Watched): void {
    for (const folder of f.folders) {
      const entry = this.folders.get(folder);
      if (entry === undefined || !entry.files.delete(f) || entry.files.size > 0) continue;
      entry.watcher?.close();
      this.folders.delete(folder);
    }
    f.folders = [];
  }
  private open(folder: string): FSWatcher | null {
    try { const w = watch(folder, () => this.hint(folder)); w.on('error', () => {}); w.unref(); return w; } catch { return null; /* the poll sees it */ }
  }

  /** Something moved in a folder: its files are looked at once things have settled. */
  private hint(folder: string): void {
    this.hinted.add(folder);
    this.cancelLook ??= this.after(SETTLE_MS, () => {
      this.cancelLook = null;
      const near = new Set([...this.hinted].flatMap((n) => [...(this.folders.get(n)?.files ?? [])]));
      this.hinted.clear();
      for (const f of near) this.look(f);
    });
  }

  private look(f: Watched): void {
    const now = identity(f.path);
    if (now === '' || now === f.seen) return;
    f.seen = now;
    this.enter(f);
    for (const told of [...f.told]) told();
  }

  private poll(): void { this.cancelPoll = this.after(POLL_MS, () => { for (const f of [...this.files.values()]) this.look(f); this.poll(); }); }

  close(): void {
    this.cancelLook?.();
    this.cancelPoll?.();
    for (const e of this.folders.values()) e.watcher?.close();
    this.files.clear();
    this.folders.clear();
  }
}
