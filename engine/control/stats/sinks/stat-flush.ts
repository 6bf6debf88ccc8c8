// What goes to the sinks at each flush: every counter that was ever counted with what came since the last flush, every gauge in use, and what histograms saw between.
// Envoy sends each sample of a histogram as it is taken, by the thread that takes it. Here threads count samples into buckets of two significant digits: for each bucket
// one line goes out, with a sample rate where it stands for several (|@0.25: four of them), so that the receiver's counts are right and its values within half a bucket.
import { histogramBounds } from '../../../observe/stats/stat-block.ts';
import type { StatView } from '../stat-view.ts';

export interface StatSink {
  counter(name: string, delta: number): void;
  gauge(name: string, value: number): void;
  /** `count` samples of about `value`. */
  samples(name: string, value: number, count: number): void;
  /** The flush is whole. */
  end(): void;
  close(): void;
}

export class StatFlush {
  private readonly view: StatView;
  private readonly sinks: readonly StatSink[];
  /** Counters as of the last flush; those that are gone fall out at each. */
  private last = new Map<string, number>();
  private running = false;
  constructor(view: StatView, sinks: readonly StatSink[]) { this.view = view; this.sinks = sinks; }

  /** One flush, some names at a time; nothing while one is under way. */
  *run(piece = 500): Generator<void> {
    if (this.running) return;
    this.running = true;
    const { view, sinks } = this, now = new Map<string, number>();
    let n = 0;
    const histograms = view.histograms();
    while (histograms.next()) {
      if (++n % piece === 0) yield;
      const { interval } = view.histogram(histograms.name);
      if (interval.at.length === 0 || !view.wanted(histograms.name)) continue;
      for (let i = 0; i < interval.at.length; i++) for (const s of sinks) s.samples(histograms.name, middle(interval.at[i]!), interval.count[i]!);
    }
    const walk = view.scalars();
    while (walk.next()) {
      if (++n % piece === 0) yield;
      const { kind, value, used } = view.at(walk);
      if (!used || !view.wanted(walk.name)) continue;
      if (kind === 'gauge') { for (const s of sinks) s.gauge(walk.name, value); continue; }
      // A counter below what it was began anew: /reset_counters, or what it belongs to was removed and came back.
      const before = this.last.get(walk.name) ?? 0, delta = value >= before ? value - before : value;
      now.set(walk.name, value);
      for (const s of sinks) s.counter(walk.name, delta);
    }
    this.last = now;
    for (const s of sinks) s.end();
    this.running = false;
  }

  close(): void { for (const s of this.sinks) s.close(); }
}

/** A bucket's value: exact below 100, its middle above. */
function middle(bucket: number): number { const { from, width } = histogramBounds(bucket); return width <= 1 ? from : from + width / 2; }
