// The overload manager from configuration (envoy.config.overload.v3.OverloadManager).
import type { ConfigMessage } from '../../proto/config-message.ts';
import { FIRST_POINT, OVERLOAD_ACTIONS, SHED_POINT_PREFIX, type MonitorPlan, type OverloadAction, type OverloadPlan, type TimerScalePlan, type TriggerPlan } from '../../plan/overload-plan.ts';

const ACTION = 'envoy.overload_actions.';
const ACTIONS = OVERLOAD_ACTIONS.slice(0, FIRST_POINT), POINTS = OVERLOAD_ACTIONS.slice(FIRST_POINT);

function fixedHeap(c: ConfigMessage): MonitorPlan {
  const runtime = c.msg('max_heap_size_bytes_runtime'), fixed = c.num('max_heap_size_bytes'), key = runtime?.str('runtime_key') ?? '';
  if (runtime !== undefined && fixed > 0) c.error('max_heap_size_bytes_runtime', 'fixed_heap: exactly one of max_heap_size_bytes or max_heap_size_bytes_runtime must be set');
  const maxBytes = runtime?.num('default_value') ?? fixed;
  if (maxBytes <= 0) c.error('max_heap_size_bytes', 'fixed_heap: max heap size must be greater than 0');
  return { kind: 'fixed-heap', maxBytes, maxBytesKey: key };
}

function monitor(r: ConfigMessage, c: ConfigMessage | undefined): MonitorPlan | 'connections' | null {
  switch (/resource_monitors\.(\w+)\.v3\./.exec(c?.typeName ?? '')?.[1]) {
    case 'downstream_connections': return 'connections';
    case 'fixed_heap': return fixedHeap(c!);
    case 'injected_resource': return { kind: 'injected', file: c!.str('filename') };
    case 'cgroup_memory': return { kind: 'cgroup-memory', maxBytes: c!.num('max_memory_bytes') };
    case 'cpu_utilization': return { kind: 'cpu', mode: c!.enum('mode') === 'CONTAINER' ? 'CONTAINER' : 'HOST' };
    default: r.unsupported('typed_config', c?.typeName ?? ''); return null;
  }
}

function triggers(m: ConfigMessage, resources: ReadonlySet<string>): TriggerPlan[] {
  const seen = new Set<string>();
  return m.list('triggers').map((t) => {
    const resource = t.str('name');
    if (!resources.has(resource)) t.error('name', `Unknown trigger resource ${resource} for overload action ${m.str('name')}`);
    if (seen.has(resource)) t.error('name', `Duplicate trigger resource for overload action ${m.str('name')}`);
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

function timers(a: ConfigMessage, c: ConfigMessage | undefined): TimerScalePlan[] {
  if (c === undefined) { a.error('typed_config', `Overload action "${a.str('name')}" requires a typed_config`); return []; }
  return c.list('timer_scale_factors').flatMap((f): TimerScalePlan[] => {
    const timer = f.enum('timer');
    if (timer !== 'HTTP_DOWNSTREAM_CONNECTION_IDLE' && timer !== 'HTTP_DOWNSTREAM_STREAM_IDLE' && timer !== 'HTTP_DOWNSTREAM_CONNECTION_MAX') { f.error('timer', `timer ${timer} is not supported yet`); return []; }
    return [{ timer, minShare: f.oneof('overload_adjust') === 'min_scale' ? (f.msg('min_scale')?.num('value') ?? 0) / 100 : -1, minMs: f.ms('min_timeout', 0) }];
  });
}

/** What is compiled of overload_manager: the process-wide connection limit (0: none) and everything else. */
export function compileOverload(m: ConfigMessage | undefined): { readonly maxConnections: number; readonly plan: OverloadPlan | null } {
  if (m === undefined) return { maxConnections: 0, plan: null };
  let maxConnections = 0;
  const monitors: { name: string; monitor: MonitorPlan }[] = [], names = new Set<string>();
  for (const r of m.list('resource_monitors')) {
    const name = r.str('name'), c = r.any('typed_config'), made = monitor(r, c);
    if (names.has(name)) r.error('name', `Duplicate resource monitor ${name}`);
    if (made === 'connections') { maxConnections = c!.num('max_active_downstream_connections'); continue; }
    names.add(name);
    if (made !== null) monitors.push({ name, monitor: made });
  }
  const actions: { action: OverloadAction; name: string; triggers: TriggerPlan[] }[] = [], scaled: TimerScalePlan[] = [];
  const take = (list: readonly ConfigMessage[], prefix: string, known: readonly OverloadAction[]): void => {
    for (const a of list) {
      const name = a.str('name'), action = known.find((k) => prefix + k === name);
      if (action === undefined) { a.error('name', `'${name}' is not supported yet`); continue; }
      if (actions.some((x) => x.name === name)) a.error('name', `Duplicate overload action ${name}`);
      if (action === 'reduce_timeouts') scaled.push(...timers(a, a.any('typed_config')));
      actions.push({ action, name, triggers: triggers(a, names) });
    }
  };
  take(m.list('actions'), ACTION, ACTIONS);
  take(m.list('loadshed_points'), SHED_POINT_PREFIX, POINTS);
  const accounts = m.msg('buffer_factory_config');
  if (accounts === undefined && actions.some((a) => a.action === 'reset_high_memory_stream')) m.error('buffer_factory_config', `Overload action "${ACTION}reset_high_memory_stream" requires buffer_factory_config.`);
  const refreshMs = m.ms('refresh_interval', 1000);
  return { maxConnections, plan: { refreshMs: Math.max(1, refreshMs), monitors, actions, timers: scaled, accountPowerOfTwo: accounts?.num('minimum_account_to_track_power_of_two') ?? 0 } };
}
