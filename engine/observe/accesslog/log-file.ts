// Access-log files of one worker. A line is queued; batches of whole lines are appended when 64 KiB have come together or the flush interval is over, so that
// several workers append to one file without tearing lines (O_APPEND). One write is in flight per file; what comes meanwhile waits in a bounded buffer, and
// beyond that is dropped and counted (filesystem.write_failed): a full disk harms no request. Made by LogFiles, which ends with its worker.
import { Timer, type TimerWheel } from '../../loop/timer-wheel.ts';
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

export class LogFile {
  private pending = '';
  private writing = false;
  private readonly sink: FileSink | null;
  private readonly wheel: TimerWheel;
  private readonly stats: StatBlock;
  private readonly options: LogFileOptions;
  private readonly timer = new Timer(() => { this.stats.inc(FILESYSTEM.flushed_by_timer); this.flush(); });
  private inFlight = 0;
  private idle: (() => void) | null = null;

  constructor(sink: FileSink | null, wheel: TimerWheel, stats: StatBlock, options: LogFileOptions) { this.sink = sink; this.wheel = wheel; this.stats = stats; this.options = options; }

  /** Queues one line (a byte string that ends with its newline). */
  write(line: string): void {
    if (this.sink === null || this.pending.length + line.length > (this.options.limitBytes ?? LOG_BUFFER_LIMIT_BYTES)) { this.stats.inc(FILESYSTEM.write_failed); return; }
    this.pending += line;
    this.stats.inc(FILESYSTEM.write_buffered);
    this.stats.add(FILESYSTEM.write_total_buffered, line.length);
    if (this.pending.length >= this.options.minFlushBytes) this.flush();
    else if (!this.timer.armed) this.wheel.arm(this.timer, this.options.flushIntervalMs);
  }

  /** Writes what waits, unless a write is in flight: then right after it. */
  flush(): void {
    if (this.writing || this.pending === '' || this.sink === null) return;
    this.wheel.cancel(this.timer);
    const bytes = Buffer.from(this.pending, 'latin1');
    this.pending = '';
    this.writing = true;
    this.inFlight = bytes.length;
    this.sink.append(bytes, this.written);
  }

  /** Flushes and calls back once nothing waits any more. */
  drain(done: () => void): void {
    this.flush();
    if (this.writing) this.idle = done; else done();
  }

  reopen(): void { this.flush(); if (this.sink !== null && !this.sink.reopen()) this.stats.inc(FILESYSTEM.reopen_failed); }
  close(): void { this.wheel.cancel(this.timer); this.sink?.close(); }

  private readonly written = (ok: boolean): void => {
    this.writing = false;
    this.stats.inc(ok ? FILESYSTEM.write_completed : FILESYSTEM.write_failed);
    this.stats.add(FILESYSTEM.write_total_buffered, -this.inFlight);
    if (this.idle !== null || this.pending.length >= this.options.minFlushBytes) this.flush();
    else if (this.pending !== '' && !this.timer.armed) this.wheel.arm(this.timer, this.options.flushIntervalMs);
    if (!this.writing && this.idle !== null) { const done = this.idle; this.idle = null; done(); }
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
