// Latencies of all workers in shared words: a log-linear histogram with two significant digits, as Envoy's (circllhist), of whole microseconds.
//
//   bucket 0..9: the value itself   10 + 90 × e + (d - 10): values of d × 10^e up to (d + 1) × 10^e, d from 10 to 99, e from 0 to 8
import type { ProcessRecord } from '../../../net/shared-limits.ts';

const EXPONENTS = 9;
const BUCKETS = 10 + 90 * EXPONENTS;

export function bucketOf(us: number): number {
  if (us < 10) return us;
  let e = 0, d = us;
  while (d >= 100) { d = Math.floor(d / 10); e++; }
  return 10 + 90 * e + d - 10;
}
/** Lower bound and width of a bucket, µs. Below 10 µs Envoy's buckets are a tenth wide. */
function bounds(bucket: number): readonly [number, number] {
  if (bucket < 10) return [bucket, bucket === 0 ? 0 : 0.1];
  const e = Math.floor((bucket - 10) / 90), unit = 10 ** e;
  return [(((bucket - 10) % 90) + 10) * unit, unit];
}

export class LatencyHistogram {
  private readonly record: ProcessRecord;
  private readonly first: number;
  static readonly words = BUCKETS + 1;
  /** `first`: the word that holds the count of samples; the buckets follow. */
  constructor(record: ProcessRecord, first: number) { this.record = record; this.first = first; }

  /** Takes a sample; returns how many there are with it. */
  add(us: number): number {
    this.record.add(this.first + 1 + bucketOf(Math.max(0, Math.min(us, 0x7fffffff))), 1);
    return this.record.add(this.first, 1) + 1;
  }
  get samples(): number { return this.record.load(this.first); }
  clear(): void { for (let i = 0; i < LatencyHistogram.words; i++) this.record.store(this.first + i, 0); }

  /** The quantile (0 to 1) in whole µs, interpolated within its bucket; 0 without samples. */
  quantile(q: number): number {
    const { record, first } = this;
    let total = 0, last = 0;
    for (let b = 0; b < BUCKETS; b++) { const n = record.load(first + 1 + b); if (n > 0) { total += n; last = b; } }
    if (total === 0) return 0;
    const want = q * total;
    for (let b = 0, below = 0; ; b++) {
      const n = record.load(first + 1 + b);
      if (n === 0 && b < last) continue;
      if (below + n < want && b < last) { below += n; continue; }
      const [low, width] = bounds(b);
      return Math.floor(low + Math.min(1, Math.max(0, (want - below) / n)) * width);
    }
  }
}
