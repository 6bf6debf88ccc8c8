// A statsd sink of any kind: what a flush gives, as lines, to whatever carries them.
import type { StatSink } from './stat-flush.ts';
import type { StatsdFormat } from './statsd-format.ts';

/** What takes lines (without their end) to where they go. */
export interface LineCarrier {
  add(line: string): void;
  /** The flush is whole. */
  end(): void;
  close(): void;
}

export class StatsdSink implements StatSink {
  private readonly format: StatsdFormat;
  private readonly carrier: LineCarrier;
  constructor(format: StatsdFormat, carrier: LineCarrier) { this.format = format; this.carrier = carrier; }

  counter(name: string, delta: number): void { this.carrier.add(this.format.line(name, delta, 'c')); }
  gauge(name: string, value: number): void { this.carrier.add(this.format.line(name, value, 'g')); }
  samples(name: string, value: number, count: number): void { this.carrier.add(this.format.line(name, value, timerType(count))); }
  end(): void { this.carrier.end(); }
  close(): void { this.carrier.close(); }
}

/** The type of a histogram's line that stands for `count` samples. */
function timerType(count: number): string { return count === 1 ? 'ms' : `ms|@${Number((1 / count).toPrecision(6))}`; }
