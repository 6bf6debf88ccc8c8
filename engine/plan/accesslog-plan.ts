// Access logs as workers install them. Bodies of the three Envoy types FileAccessLog, StdoutAccessLog, StderrAccessLog (also of the generic stream loggers).
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { JsonPlan } from '../observe/format/make-formatter.ts';
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { ValueMatchPlan } from './match-plan.ts';

/** A threshold with its runtime key ('' for none). */
export interface ComparisonPlan { readonly op: 'EQ' | 'GE' | 'LE' | 'NE'; readonly value: number; readonly runtimeKey: string }

export type AccessLogFilterPlan =
  | { readonly kind: 'status'; readonly comparison: ComparisonPlan } | { readonly kind: 'duration'; readonly comparison: ComparisonPlan }
  | { readonly kind: 'not-health-check' } | { readonly kind: 'traceable' }
  | { readonly kind: 'runtime'; readonly key: string; /** Share of 1. */ readonly share: number; /** Numerators of a runtime value are of this many. */ readonly denominator: number }
  | { readonly kind: 'and'; readonly filters: readonly AccessLogFilterPlan[] } | { readonly kind: 'or'; readonly filters: readonly AccessLogFilterPlan[] }
  | { readonly kind: 'header'; readonly header: HeaderMatcherPlan }
  /** Short flag names; none: any flag. */
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  /** A CEL expression. */
  | { readonly kind: 'cel'; readonly expression: string }
  /** grpc-status numbers. */
  | { readonly kind: 'grpc-status'; readonly statuses: readonly number[]; readonly exclude: boolean }
  | { readonly kind: 'metadata'; readonly namespace: string; readonly path: readonly string[]; readonly value: ValueMatchPlan; readonly invert: boolean; readonly whenMissing: boolean }
  | { readonly kind: 'log-type'; readonly types: readonly string[]; readonly exclude: boolean };

export type LogFormatPlan = { readonly kind: 'text'; readonly format: FormatPlan; readonly omitEmpty: boolean } | { readonly kind: 'json'; readonly json: JsonPlan; readonly omitEmpty: boolean };

export type LogTargetPlan = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdout' } | { readonly kind: 'stderr' };

export interface AccessLogPlan { readonly target: LogTargetPlan; readonly format: LogFormatPlan; readonly filter: AccessLogFilterPlan | null }
