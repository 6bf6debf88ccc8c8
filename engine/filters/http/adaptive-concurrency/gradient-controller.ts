// How many requests may be outstanding at once, by how much slower answers are than at best (Envoy: GradientController). One for the whole process: its words are
// shared, every worker decides and samples; worker 0 keeps the clocks and shows the gauges.
//
//   measuring the minRTT ──request_count samples──▶ sampling ──every update interval with samples: limit × gradient + √──▶ sampling
//   (limit: min_concurrency)  ◀──interval + jitter, or the limit at its lower bound five times running──┘        with a fixed minRTT: always sampling
//
// Times in words are wall-clock ms modulo 2^32, compared by difference.
import { Timer } from '../../../loop/timer-wheel.ts';
import { RuntimeNumber } from '../../../loop/runtime.ts';
import type { ProcessRecord } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import type { GradientPlan } from '../../../plan/adaptive-concurrency-plan.ts';
import { LatencyHistogram } from './latency-histogram.ts';

/** Words of the record. HELD: the limit from before the measurement under way, 0: none, -1: one is being finished. */
const WORD = { CONFIG: 0, LIMIT: 1, HELD: 2, MIN_RTT_US: 3, SAMPLE_RTT_US: 4, GRADIENT: 5, BURST: 6, LOWEST_RUN: 7, EPOCH: 8, SAMPLE_DUE: 9, MIN_RTT_DUE: 10, SAMPLES: 16 } as const;
const GAUGES = ['concurrency_limit', 'min_rtt_calculation_active', 'min_rtt_msecs', 'sample_rtt_msecs', 'gradient', 'burst_queue_size'] as const;
const KEY = 'adaptive_concurrency.gradient_controller.';
const LOWEST_RUNS = 5;

const word = (ms: number): number => Math.floor(ms % 4294967296) | 0;
const share = (percent: number): number => Math.max(0, Math.min(percent, 100)) / 100;

export class GradientController {
  private readonly env: WorkerEnv;
  private readonly record: ProcessRecord;
  private readonly histogram: LatencyHistogram;
  private readonly plan: GradientPlan;
  /** Tells this configuration from others of the same filter. */
  private readonly config: number;
  private readonly percentile: RuntimeNumber; private readonly max: RuntimeNumber; private readonly min: RuntimeNumber; private readonly lowest: RuntimeNumber; private readonly updateMs: RuntimeNumber;
  private readonly minRttMs: RuntimeNumber; private readonly requestCount: RuntimeNumber; private readonly jitter: RuntimeNumber; private readonly buffer: RuntimeNumber;
  private readonly slots: readonly number[];
  private readonly timer: Timer;

  constructor(plan: GradientPlan, config: number, env: WorkerEnv, record: ProcessRecord, statPrefix: string) {
    this.plan = plan; this.config = config === 0 ? 1 : config; this.env = env; this.record = record;
    this.histogram = new LatencyHistogram(record, WORD.SAMPLES);
    const number = (key: string, value: number): RuntimeNumber => new RuntimeNumber({ key: KEY + key, value }, env.runtime);
    this.percentile = number('sample_aggregate_percentile', plan.percentile); this.max = number('max_concurrency_limit', plan.maxLimit); this.min = number('min_concurrency', plan.minConcurrency); this.lowest = number('min_concurrency_limit', plan.minLimit);
    this.updateMs = number('sample_rtt_calc_interval_ms', plan.updateIntervalMs); this.minRttMs = number('min_rtt_calc_interval_ms', plan.minRttIntervalMs); this.requestCount = number('min_rtt_aggregate_request_count', plan.requestCount);
    this.jitter = number('jitter', plan.jitter); this.buffer = number('min_rtt_buffer', plan.buffer);
    this.slots = GAUGES.map((g) => env.stats.claimOne(`${statPrefix}${g}`, 'gauge'));
    // Nobody ends a filter: the timer lives as long as its controller, and not the other way round.
    const weak = new WeakRef(this);
    this.timer = new Timer(() => weak.deref()?.tick());
    this.settle();
    if (this.keepsClock) this.tick();
  }

  private get keepsClock(): boolean { return this.env.workerId === 0 || !this.record.shared; }
  private get now(): number { return word(this.env.clock.wallMs()); }
  private get measured(): boolean { return this.plan.fixedMinRttMs <= 0; }
  private get minConcurrency(): number { return Math.max(1, Math.floor(this.min.now)); }
  private get lowerBound(): number { const n = Math.floor(this.lowest.now); return n > 0 ? n : this.minConcurrency; }
  /** Requests that may be outstanding in the process. */
  get limit(): number { return this.record.load(WORD.LIMIT) || this.minConcurrency; }
  get measuring(): boolean { return this.record.load(WORD.HELD) > 0; }

  /** Begins anew where another configuration was before; the first worker to come does it. */
  private settle(): void {
    const { record } = this, before = record.load(WORD.CONFIG);
    if (before === this.config || !record.swap(WORD.CONFIG, before, this.config)) return;
    for (let w = WORD.LIMIT; w < WORD.SAMPLES; w++) record.store(w, 0);
    this.histogram.clear();
    record.store(WORD.LIMIT, this.minConcurrency);
    record.store(WORD.SAMPLE_DUE, this.now + this.updateMs.now);
    if (this.measured) this.beginMeasuring();
    else record.store(WORD.MIN_RTT_US, this.plan.fixedMinRttMs * 1000);
  }

  /** A request let in `startMs` ago (monotonic) was answered whole. */
  sample(startMs: number): void {
    const { record, env } = this, took = env.clock.nowMs() - startMs;
    // Requests from before a measurement say nothing about an upstream at rest.
    if (((this.now - Math.floor(took) - record.load(WORD.EPOCH)) | 0) < 0) return;
    if (this.histogram.add(Math.floor(took * 1000)) >= this.requestCount.now && this.measuring) this.endMeasuring();
  }

  // ---- worker 0: the clocks ---------------------------------------------------------------------------------------------------------

  private tick(): void {
    const { record } = this;
    if (record.load(WORD.CONFIG) !== this.config) return; // another configuration has taken over
    const { now } = this;
    if (this.measured && record.load(WORD.HELD) === 0 && ((now - record.load(WORD.MIN_RTT_DUE)) | 0) >= 0) this.beginMeasuring();
    else if (record.load(WORD.HELD) === 0 && ((now - record.load(WORD.SAMPLE_DUE)) | 0) >= 0) {
      if (this.histogram.samples > 0) this.endSampling();
      record.store(WORD.SAMPLE_DUE, (now + this.updateMs.now) | 0);
    }
    this.show();
    this.arm();
  }

  private arm(): void {
    const { record, now } = this;
    let next = this.measuring ? this.updateMs.now : (record.load(WORD.SAMPLE_DUE) - now) | 0;
    if (this.measured && !this.measuring) next = Math.min(next, (record.load(WORD.MIN_RTT_DUE) - now) | 0);
    this.env.wheel.arm(this.timer, Math.max(1, Math.min(next, this.updateMs.now)));
  }

  private beginMeasuring(): void {
    const { record } = this, before = this.limit;
    record.store(WORD.EPOCH, this.now);
    this.histogram.clear();
    record.store(WORD.LIMIT, this.minConcurrency);
    record.store(WORD.LOWEST_RUN, 0);
    record.store(WORD.HELD, before);
  }

  /** Whichever worker takes the sample that was missing. */
  private endMeasuring(): void {
    const { record } = this, held = record.load(WORD.HELD);
    if (held <= 0 || !record.swap(WORD.HELD, held, -1)) return;
    record.store(WORD.MIN_RTT_US, this.quantile());
    record.store(WORD.LIMIT, held);
    record.store(WORD.LOWEST_RUN, 0);
    const interval = this.minRttMs.now, spread = Math.ceil(interval * share(this.jitter.now)), { now } = this;
    record.store(WORD.MIN_RTT_DUE, (now + interval + (spread === 0 ? 0 : this.env.random.u32() % spread)) | 0);
    record.store(WORD.SAMPLE_DUE, (now + this.updateMs.now) | 0);
    record.store(WORD.HELD, 0);
    if (this.keepsClock) { this.show(); this.arm(); }
  }

  private quantile(): number { const us = this.histogram.quantile(share(this.percentile.now)); this.histogram.clear(); return us; }

  private endSampling(): void {
    const { record } = this, sample = this.quantile(), best = record.load(WORD.MIN_RTT_US), before = this.limit;
    record.store(WORD.SAMPLE_RTT_US, sample);
    const gradient = sample === 0 ? 2 : Math.max(0.5, Math.min(2, (best * (1 + share(this.buffer.now))) / sample));
    const scaled = before * gradient, headroom = Math.sqrt(scaled), { lowerBound } = this;
    const limit = Math.max(lowerBound, Math.min(Math.floor(this.max.now), Math.floor(scaled + headroom)));
    record.store(WORD.GRADIENT, Math.floor(gradient * 1000)); // Envoy's unit in the gauge
    record.store(WORD.BURST, Math.floor(headroom));
    record.store(WORD.LIMIT, limit);
    const run = before === lowerBound && limit === lowerBound ? record.load(WORD.LOWEST_RUN) + 1 : 0;
    record.store(WORD.LOWEST_RUN, run);
    // So long at the bottom: perhaps the minRTT is wrong, and this is where it is measured anyway.
    if (run >= LOWEST_RUNS && this.measured) record.store(WORD.MIN_RTT_DUE, this.now);
  }

  private show(): void {
    const { record, env: { stats: { column } }, slots } = this;
    const values = [this.limit, this.measuring ? 1 : 0, Math.floor(record.load(WORD.MIN_RTT_US) / 1000), Math.floor(record.load(WORD.SAMPLE_RTT_US) / 1000), record.load(WORD.GRADIENT), record.load(WORD.BURST)];
    for (let i = 0; i < slots.length; i++) column[slots[i]!] = values[i]!;
  }
}
