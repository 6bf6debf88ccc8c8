// Reads every monitor once an interval, works out how strongly each action acts, and writes that into shared words that workers read (Envoy: OverloadManagerImpl).
// An action is as strong as its strongest trigger. Ends with close().
import { FIRST_POINT, OVERLOAD, type OverloadAction, type OverloadPlan, type TriggerPlan } from '../../plan/overload-plan.ts';
import type { SharedWords } from '../../shm/shared-words.ts';
import type { Monitor } from './monitors.ts';

export interface OverloadEnv {
  nowMs(): number;
  after(ms: number, task: () => void): () => void;
  readonly words: SharedWords;
  makeMonitor(name: string): Monitor;
  stat(name: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
  /** Counts a sample of a histogram. */
  record(name: string, value: number): void;
  /** An action has become stronger or weaker; shrink_heap: is to act now. */
  onAction(action: OverloadAction, value: number): void;
}

/** Strength of a trigger at a pressure, 0 to 1. */
export function strength(t: TriggerPlan, pressure: number): number {
  if (pressure >= t.to) return 1;
  return pressure <= t.from ? 0 : (pressure - t.from) / (t.to - t.from);
}

function isPoint(action: OverloadAction | null): boolean { return action === null || OVERLOAD[action] >= FIRST_POINT; }

export class OverloadManager {
  private readonly plan: OverloadPlan;
  private readonly env: OverloadEnv;
  private readonly monitors: ReadonlyMap<string, Monitor>;
  private readonly pressures = new Map<string, number>();
  private readonly values = new Map<string, number>();
  private cancel: () => void = () => {};
  private cancelShrinking: () => void = () => {};
  /** Envoy measures from look to look, and not at all where nothing but its proactive resource is watched. */
  private readonly measured: boolean;
  private looked: number;

  constructor(plan: OverloadPlan, env: OverloadEnv) {
    this.plan = plan; this.env = env;
    this.monitors = new Map(plan.monitors.map((m) => [m.name, env.makeMonitor(m.name)]));
    for (const m of plan.monitors) { env.stat(`overload.${m.name}.pressure`, 'gauge', { set: 0 }); for (const n of m.monitor.kind === 'downstream-connections' ? ['failed_updates'] : ['failed_updates', 'skipped_updates']) env.stat(`overload.${m.name}.${n}`, 'counter', { add: 0 }); }
    // A control thread that died may have left them at work.
    for (const a of plan.actions) { this.write(a.action, 0); this.tell(a.name, a.action, 0); if (isPoint(a.action)) env.stat(`overload.${a.name}.shed_load_count`, 'counter', { add: 0 }); }
    this.measured = plan.monitors.some((m) => m.monitor.kind !== 'downstream-connections');
    this.looked = env.nowMs();
    if (plan.actions.some((a) => a.action === 'shrink_heap')) { env.stat('overload.envoy.overload_actions.shrink_heap.shrink_count', 'counter', { add: 0 }); this.shrinkLater(); }
    this.look();
  }

  /** A load shed point has no `active`. */
  private tell(name: string, action: OverloadAction | null, value: number): void {
    if (!isPoint(action)) this.env.stat(`overload.${name}.active`, 'gauge', { set: value === 1 ? 1 : 0 });
    this.env.stat(`overload.${name}.scale_percent`, 'gauge', { set: Math.floor(Math.fround(Math.fround(value) * 100)) });
  }

  private write(action: OverloadAction | null, value: number): void { if (action !== null) this.env.words.setOverload(OVERLOAD[action], value); }

  private refresh(): void {
    this.look();
    if (!this.measured) return;
    const now = this.env.nowMs();
    this.env.record('overload.refresh_interval_delay', Math.max(0, Math.round(now - this.looked)));
    this.looked = now;
  }

  private look(): void {
    const { plan, env } = this;
    for (const [name, monitor] of this.monitors) {
      let pressure = NaN;
      try { pressure = monitor.pressure(); } catch { /* counted as a failed update */ }
      // What cannot be read keeps its last pressure.
      if (Number.isNaN(pressure)) { env.stat(`overload.${name}.failed_updates`, 'counter', { add: 1 }); continue; }
      this.pressures.set(name, pressure);
      env.stat(`overload.${name}.pressure`, 'gauge', { set: Math.floor(pressure * 100) });
    }
    for (const a of plan.actions) {
      const value = a.triggers.reduce((most, t) => Math.max(most, strength(t, this.pressures.get(t.resource) ?? 0)), 0);
      if (value === (this.values.get(a.name) ?? 0)) continue;
      this.values.set(a.name, value);
      this.write(a.action, value);
      this.tell(a.name, a.action, value);
      if (a.action !== null && a.action !== 'shrink_heap') env.onAction(a.action, value);
    }
    this.cancel = env.after(plan.refreshMs, () => this.refresh());
  }

  /** Once an interval, while the action is at its strongest. */
  private shrinkLater(): void {
    this.cancelShrinking = this.env.after(this.plan.shrinkHeapMs, () => {
      if (this.env.words.overload(OVERLOAD.shrink_heap) >= 1) this.env.onAction('shrink_heap', 1);
      this.shrinkLater();
    });
  }

  close(): void { this.cancel(); this.cancelShrinking(); for (const a of this.plan.actions) this.write(a.action, 0); }
}
