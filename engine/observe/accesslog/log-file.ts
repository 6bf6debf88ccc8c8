// Access-log files of one worker. A line is queued; batches of whole lines are appended when 64 KiB have come together or the flush interval is over, so that
// several workers append to one file without tearing lines (O_APPEND). One write is in flight per file; what comes meanwhile waits in a bounded buffer, and
// beyond that is dropped and counted (filesystem.write_failed): a full disk harms no request. Made by LogFiles, which ends with its worker.
import { Timer, type TimerWheel } from '../../loop/timer-wheel.ts';
import { LineBuffer } from './line-buffer.ts';
import type { StatBlock } from '../stats/stat-block.ts';
import { FILESYSTEM } from '../stats/schemas.ts';

/** An open file. `append` writes all of `bytes` and then tells whether that went well, later and from outside of any other stack. */
export interface FileSink {
  append(bytes: Uint8Array, done: (ok: boolean) => void): void;
  /** Opens the path anew (after rotation); false when that failed, and the old one stays in use. */
  reopen(): boolean;
  close(): void;
}
/** Opens sinks; null when the file cannot be opened. Paths '/dev/stdout' and '/dev/stderr' are the process's own streams. */
export type OpenSink = (path: string) => FileSink | null;

/** Bytes that wait for a slow file before lines are dropped. */
export const LOG_BUFFER_LIMIT_BYTES = 4 << 20;

export interface LogFileOptions { readonly flushIntervalMs: number; readonly minFlushBytes: number; readonly limitBytes?: number }

/** Room that a file starts with, and beyond which an emptied buffer is let go. */
const START_BYTES = 72 << 10, KEEP_BYTES = 256 << 10;

export class LogFile {
  /** Lines that wait; null until there is one. */
  private pending: LineBuffer | null = null;
  /** What is being written, kept for the next turn of the two. */
  private flying: LineBuffer | null = null;
  private spare: LineBuffer | null = null;
  private lineStart = 0;
  private readonly sink: FileSink | null;
  private readonly wheel: TimerWheel;
  private readonly stats: StatBlock;
  private readonly options: LogFileOptions;
  private readonly limit: number;
  private readonly timer = new Timer(() => { this.stats.inc(FILESYSTEM.flushed_by_timer); this.flush(); });
  private idle: (() => void) | null = null;

  constructor(sink: FileSink | null, wheel: TimerWheel, stats: StatBlock, options: LogFileOptions) { this.sink = sink; this.wheel = wheel; this.stats = stats; this.options = options; this.limit = options.limitBytes ?? LOG_BUFFER_LIMIT_BYTES; }

  /** A line begins: append it to what this gives, then `commit`. null: there is no room, the line is lost and counted. */
  begin(): LineBuffer | null {
    if (this.sink === null) { this.stats.inc(FILESYSTEM.write_failed); return null; }
    let out = this.pending;
    if (out === null) { out = this.pending = this.spare ?? new LineBuffer(START_BYTES); this.spare = null; }
    this.lineStart = out.length;
    return out;
  }

  /** The line that was begun is whole (it ends with its newline). Beyond the limit it is taken back and counted as lost. */
  commit(): void {
    const out = this.pending!, added = out.length - this.lineStart;
    if (out.length > this.limit && (this.lineStart > 0 || this.flying !== null)) { out.length = this.lineStart; this.stats.inc(FILESYSTEM.write_failed); return; }
    this.stats.inc(FILESYSTEM.write_buffered);
    this.stats.add(FILESYSTEM.write_total_buffered, added);
    if (out.length >= this.options.minFlushBytes) this.flush();
    else if (!this.timer.armed) this.wheel.arm(this.timer, this.options.flushIntervalMs);
  }

  /** Queues one line (a byte string that ends with its newline). */
  write(line: string): void { const out = this.begin(); if (out !== null) { out.text(line); this.commit(); } }

  /** Writes what waits, unless a write is in flight: then right after it. */
  flush(): void {
    const out = this.pending;
    if (this.flying !== null || out === null || out.length === 0 || this.sink === null) return;
    this.wheel.cancel(this.timer);
    this.pending = null;
    this.flying = out;
    this.sink.append(out.bytes.subarray(0, out.length), this.written);
  }

  /** Flushes and calls back once nothing waits any more. */
  drain(done: () => void): void {
    this.flush();
    if (this.flying !== null) this.idle = done; else done();
  }

  reopen(): void { this.flush(); if (this.sink !== null && !this.sink.reopen()) this.stats.inc(FILESYSTEM.reopen_failed); }
  close(): void { this.wheel.cancel(this.timer); this.sink?.close(); }

  private readonly written = (ok: boolean): void => {
    const done = this.flying!, { length } = done;
    this.flying = null;
    if (done.bytes.length <= KEEP_BYTES) { done.length = 0; this.spare = done; }
    this.stats.inc(ok ? FILESYSTEM.write_completed : FILESYSTEM.write_failed);
    this.stats.add(FILESYSTEM.write_total_buffered, -length);
    const waits = this.pending?.length ?? 0;
    if (this.idle !== null || waits >= this.options.minFlushBytes) this.flush();
    else if (waits > 0 && !this.timer.armed) this.wheel.arm(this.timer, this.options.flushIntervalMs);
    if (this.flying === null && this.idle !== null) { const idle = this.idle; this.idle = null; idle(); }
  };
}

/** All log files of a worker, one per path however many loggers name it. */
export class LogFiles {
  private readonly files = new Map<string, LogFile>();
  private readonly open: OpenSink;
  private readonly wheel: TimerWheel;
  private readonly stats: StatBlock;
  private readonly options: LogFileOptions;
  constructor(open: OpenSink, wheel: TimerWheel, stats: StatBlock, options: LogFileOptions) { this.open = open; this.wheel = wheel; this.stats = stats; this.options = options; }

  file(path: string): LogFile {
    let file = this.files.get(path);
    if (file === undefined) { file = new LogFile(this.open(path), this.wheel, this.stats, this.options); this.files.set(path, file); }
    return file;
  }

  /** SIGUSR1 and /reopen_logs. */
  reopenAll(): void { for (const f of this.files.values()) f.reopen(); }

  /** Writes all that waits; `done` runs when it is on its way to the disk. Called when the worker stops. */
  drainAll(done: () => void): void {
    let left = this.files.size;
    if (left === 0) { done(); return; }
    for (const f of this.files.values()) f.drain(() => { if (--left === 0) done(); });
  }

  close(): void { for (const f of this.files.values()) f.close(); this.files.clear(); }
}
