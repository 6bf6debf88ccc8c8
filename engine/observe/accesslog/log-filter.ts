// Access-log filters (envoy.config.accesslog.v3.AccessLogFilter), built once from their plans; also used by local-reply mappers.
import { HeaderMatcher } from '../../headers/header-matcher.ts';
import type { Random } from '../../loop/random.ts';
import { runtimeNumber, type Runtime } from '../../loop/runtime.ts';
import type { AccessLogFilterPlan, ComparisonPlan } from '../../plan/accesslog-plan.ts';
import { makeValueMatcher, valueAt } from '../match/value-matcher.ts';
import { CelExpression } from '../cel/expression.ts';
import { grpcStatusOf } from '../grpc-status.ts';
import { flagBit } from '../response-flags.ts';
import type { StreamFacts } from '../stream-facts.ts';

export interface LogFilterEnv { readonly runtime: Runtime; readonly random: Random }
/** `nowMs` is the monotonic time of this turn: the end of a stream that has not ended. */
export type LogFilter = (facts: StreamFacts, type: string, nowMs: number) => boolean;

export function makeLogFilter(plan: AccessLogFilterPlan, env: LogFilterEnv): LogFilter {
  switch (plan.kind) {
    case 'status': { const holds = comparison(plan.comparison, env.runtime); return (f) => holds(f.status); }
    case 'duration': { const holds = comparison(plan.comparison, env.runtime); return (f, _t, now) => holds(Math.floor((f.endMs < 0 ? now : f.endMs) - f.startMs)); }
    case 'not-health-check': return (f) => !f.healthCheck;
    case 'traceable': return (f) => f.traceSampled;
    case 'runtime': {
      const cell = plan.key === '' ? null : env.runtime.cell(plan.key);
      return () => env.random.unit() < (cell === null || cell.value === undefined ? plan.share : runtimeNumber(cell, plan.share * plan.denominator) / plan.denominator);
    }
    case 'and': { const all = plan.filters.map((p) => makeLogFilter(p, env)); return (f, t, n) => all.every((one) => one(f, t, n)); }
    case 'or': { const all = plan.filters.map((p) => makeLogFilter(p, env)); return (f, t, n) => all.some((one) => one(f, t, n)); }
    case 'header': { const m = new HeaderMatcher(plan.header); return (f) => f.request !== null && m.matches(f.request); }
    case 'flags': { const bits = plan.flags.reduce((sum, s) => sum | flagBit(s), 0); return plan.flags.length === 0 ? (f) => f.flags !== 0 : (f) => (f.flags & bits) !== 0; }
    case 'grpc-status': { const set = new Set(plan.statuses); return (f) => set.has(grpcStatus(f)) !== plan.exclude; }
    case 'metadata': return metadataFilter(plan);
    case 'cel': { const e = new CelExpression(plan.expression); return (f) => e.matches(f); }
    case 'log-type': { const set = new Set(plan.types); return (_f, type) => set.has(type) !== plan.exclude; }
  }
}

function comparison(plan: ComparisonPlan, runtime: Runtime): (n: number) => boolean {
  const cell = plan.runtimeKey === '' ? { value: undefined } : runtime.cell(plan.runtimeKey);
  switch (plan.op) {
    case 'EQ': return (n) => n === runtimeNumber(cell, plan.value);
    case 'GE': return (n) => n >= runtimeNumber(cell, plan.value);
    case 'LE': return (n) => n <= runtimeNumber(cell, plan.value);
    case 'NE': return (n) => n !== runtimeNumber(cell, plan.value);
  }
}

/** The stream's gRPC status; without one, what the HTTP status stands for (gRPC: http-grpc-status-mapping). */
function grpcStatus(f: StreamFacts): number {
  const text = f.responseTrailers?.get('grpc-status') ?? f.response?.get('grpc-status');
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  return grpcStatusOf(f.status);
}

function metadataFilter(plan: Extract<AccessLogFilterPlan, { kind: 'metadata' }>): LogFilter {
  const matches = makeValueMatcher(plan.value);
  return (f) => {
    const at = valueAt(f.metadata, plan.namespace, plan.path);
    if (at === undefined) return plan.whenMissing;
    return matches(at) !== plan.invert;
  };
}
