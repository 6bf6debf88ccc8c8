// The overload manager from configuration (envoy.config.overload.v3.OverloadManager).
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ConfigMessage } from '../../proto/config-message.ts';
import { FIRST_POINT, OVERLOAD_ACTIONS, SCALED_TIMERS, SHED_POINT_PREFIX, type MonitorPlan, type OverloadPlan, type TimerScalePlan, type TriggerPlan } from '../../plan/overload-plan.ts';

const ACTION = 'envoy.overload_actions.';
const SCALE_TIMERS = 'envoy.config.overload.v3.ScaleTimersOverloadActionConfig', SHRINK_HEAP = 'envoy.config.overload.v3.ShrinkHeapConfig';
/** The proactive resource. */
const CONNECTIONS = 'envoy.resource_monitors.global_downstream_max_connections';
const ACTIONS = OVERLOAD_ACTIONS.slice(0, FIRST_POINT), POINTS = OVERLOAD_ACTIONS.slice(FIRST_POINT);

function fixedHeap(c: ConfigMessage): MonitorPlan {
  const runtime = c.msg('max_heap_size_bytes_runtime'), fixed = c.num('max_heap_size_bytes'), key = runtime?.str('runtime_key') ?? '';
  if (runtime !== undefined && fixed > 0) c.error('max_heap_size_bytes_runtime', 'fixed_heap: exactly one of max_heap_size_bytes or max_heap_size_bytes_runtime must be set');
  const maxBytes = runtime?.num('default_value') ?? fixed;
  if (maxBytes <= 0) c.error('max_heap_size_bytes', 'fixed_heap: max heap size must be greater than 0');
  return { kind: 'fixed-heap', maxBytes, maxBytesKey: key };
}

function monitor(r: ConfigMessage, c: ConfigMessage | undefined): MonitorPlan | null {
  switch (/resource_monitors\.(\w+)\.v3\./.exec(c?.typeName ?? '')?.[1]) {
    case 'downstream_connections': return { kind: 'downstream-connections', max: c!.num('max_active_downstream_connections') };
    case 'fixed_heap': return fixedHeap(c!);
    case 'injected_resource': {
      const file = c!.str('filename');
      if (file !== '' && !existsSync(dirname(file))) c!.error('filename', `unable to add filesystem watch for file ${file}: No such file or directory`);
      return { kind: 'injected', file };
    }
    case 'cgroup_memory': return { kind: 'cgroup-memory', maxBytes: c!.num('max_memory_bytes') };
    case 'cpu_utilization': return { kind: 'cpu', mode: c!.enum('mode') === 'CONTAINER' ? 'CONTAINER' : 'HOST' };
    default: r.unsupported('typed_config', c?.typeName ?? ''); return null;
  }
}

/** `what`: 'overload action' or 'loadshed point', as Envoy says. */
function triggers(m: ConfigMessage, resources: ReadonlySet<string>, what: 'overload action' | 'loadshed point'): TriggerPlan[] {
  const seen = new Set<string>();
  return m.list('triggers').map((t) => {
    const resource = t.str('name');
    if (!resources.has(resource)) t.error('name', `Unknown trigger resource ${resource} for ${what} ${m.str('name')}`);
    if (seen.has(resource)) t.error('name', `Duplicate trigger resource for ${what === 'loadshed point' ? 'LoadShedPoint' : what} ${m.str('name')}`);
    seen.add(resource);
    if (t.oneof('trigger_oneof') === 'scaled') {
      const s = t.msg('scaled')!, from = s.num('scaling_threshold'), to = s.num('saturation_threshold');
      if (from >= to) s.error('scaling_threshold', 'scaling_threshold must be less than saturation_threshold');
      return { resource, from, to };
    }
    const value = t.msg('threshold')?.num('value') ?? 0;
    return { resource, from: value, to: value };
  });
}

function timers(c: ConfigMessage): TimerScalePlan[] {
  const seen = new Set<string>();
  return c.list('timer_scale_factors').flatMap((f): TimerScalePlan[] => {
    const name = f.enum('timer'), timer = SCALED_TIMERS.find((t) => t === name);
    if (timer === undefined) return []; // UNSPECIFIED: its rule has reported it
    if (seen.has(timer)) f.error('timer', `Found duplicate entry for timer type ${timer}`);
    seen.add(timer);
    return [{ timer, minShare: f.oneof('overload_adjust') === 'min_scale' ? (f.msg('min_scale')?.num('value') ?? 0) / 100 : -1, minMs: f.ms('min_timeout', 0) }];
  });
}

/** The typed_config of an action, which only some have: `type` is its message. */
function actionConfig(a: ConfigMessage, type: string | null): ConfigMessage | null {
  const c = a.any('typed_config'), name = a.str('name');
  if (c === undefined) return null;
  if (c.typeName === type) return c;
  a.json('typed_config'); // read, so that what is in it is not reported as well
  if (c.typeName === SCALE_TIMERS) a.error('typed_config', `Overload action name "${name}" conflicts with its typed config`);
  else if (type === null) a.error('typed_config', `Overload action "${name}" has an unexpected value for the typed_config field`);
  else a.error('typed_config', `typed_config resolves to ${c.typeName} instead of ${type}`);
  return null;
}

interface Compiled { readonly actions: OverloadPlan['actions']; readonly timers: readonly TimerScalePlan[]; readonly shrinkHeapMs: number }

function compileActions(list: readonly ConfigMessage[], resources: ReadonlySet<string>): Compiled {
  const scaled: TimerScalePlan[] = [], seen = new Set<string>();
  let shrinkHeapMs = 10_000;
  const actions = list.map((a) => {
    const name = a.str('name'), action = ACTIONS.find((k) => ACTION + k === name) ?? null;
    if (action === null) a.error('name', `Unknown Overload Manager Action ${name}`);
    if (seen.has(name)) a.error('name', `Duplicate overload action ${name}`);
    seen.add(name);
    if (action === 'reduce_timeouts') {
      if (!a.has('typed_config')) a.error('typed_config', `Overload action "${name}" requires typed_config`);
      const c = actionConfig(a, SCALE_TIMERS);
      if (c !== null) scaled.push(...timers(c));
    } else if (action === 'shrink_heap') {
      const c = actionConfig(a, SHRINK_HEAP);
      c?.noop('max_unfreed_memory_bytes', 'the collector gives back all that it frees');
      shrinkHeapMs = c?.ms('timer_interval', shrinkHeapMs) ?? shrinkHeapMs;
    } else actionConfig(a, null);
    // As in Envoy, where it closes HTTP/3 sessions only.
    if (action === 'close_idle_http_connections') a.warn('name', 'has no effect: HTTP/3 is not served yet');
    return { action, name, triggers: triggers(a, resources, 'overload action') };
  });
  return { actions, timers: scaled, shrinkHeapMs };
}

/** Of any name, as in Envoy: where nothing asks for it, it only has stats. */
function compilePoints(list: readonly ConfigMessage[], resources: ReadonlySet<string>): OverloadPlan['actions'] {
  const seen = new Set<string>();
  return list.map((p) => {
    const name = p.str('name'), action = POINTS.find((k) => SHED_POINT_PREFIX + k === name) ?? null;
    if (action === null) p.warn('name', 'has no effect: no load is shed at a point of that name');
    if (seen.has(name)) p.error('name', `Duplicate loadshed point ${name}`);
    seen.add(name);
    return { action, name, triggers: triggers(p, resources, 'loadshed point') };
  });
}

/** What is compiled of overload_manager: the process-wide connection limit (0: none) and everything else. */
export function compileOverload(m: ConfigMessage | undefined): { readonly maxConnections: number; readonly plan: OverloadPlan | null } {
  if (m === undefined) return { maxConnections: 0, plan: null };
  let maxConnections = 0;
  const monitors: { name: string; monitor: MonitorPlan }[] = [], names = new Set<string>();
  for (const r of m.list('resource_monitors')) {
    const name = r.str('name'), config = r.any('typed_config'), made = monitor(r, config);
    if (names.has(name)) r.error('name', `Duplicate resource monitor ${name}`);
    names.add(name);
    // Envoy finds its proactive resource by name, all others by their type.
    if (made?.kind === 'downstream-connections' && name !== CONNECTIONS) r.unregistered('typed_config', name, config!.typeName);
    if (made?.kind === 'downstream-connections') maxConnections = made.max;
    if (made !== null) monitors.push({ name, monitor: made });
  }
  // Actions may name the proactive resource where it is not configured; load shed points may not name it at all.
  const { actions, ...settled } = compileActions(m.list('actions'), new Set([...names, CONNECTIONS]));
  names.delete(CONNECTIONS);
  const points = compilePoints(m.list('loadshed_points'), names);
  const accounts = m.msg('buffer_factory_config');
  if (accounts === undefined && actions.some((a) => a.action === 'reset_high_memory_stream')) m.error('buffer_factory_config', `Overload action "${ACTION}reset_high_memory_stream" requires buffer_factory_config.`);
  const refreshMs = m.ms('refresh_interval', 1000);
  return { maxConnections, plan: { refreshMs: Math.max(1, refreshMs), monitors, actions: [...actions, ...points], ...settled, accountPowerOfTwo: accounts?.num('minimum_account_to_track_power_of_two') ?? 0 } };
}
