// Access logs as workers install them.
import type { HeaderMatcherPlan } from '../../headers/header-matcher.ts';
import type { StringMatcherPlan } from '../../headers/string-matcher.ts';
import type { FormatPlan } from '../format/formatter.ts';
import type { JsonPlan } from '../format/make-formatter.ts';

export type LogFormatPlan = { readonly kind: 'text'; readonly format: FormatPlan; readonly omitEmpty: boolean } | { readonly kind: 'json'; readonly json: JsonPlan; readonly omitEmpty: boolean };
export interface LogPlan { readonly sink: 'file' | 'stdout' | 'stderr'; readonly path: string; readonly format: LogFormatPlan; readonly filter: LogFilterPlan | null }

interface Comparison { readonly op: 'EQ' | 'GE' | 'LE' | 'NE'; readonly value: number; readonly key: string }
export type LogFilterPlan =
  | { readonly kind: 'always' } | { readonly kind: 'not-health-check' } | { readonly kind: 'traceable' }
  | ({ readonly kind: 'status' } & Comparison) | ({ readonly kind: 'duration' } & Comparison)
  | { readonly kind: 'runtime'; readonly key: string; readonly numerator: number; readonly denominator: number; readonly independent: boolean }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly LogFilterPlan[] }
  | { readonly kind: 'header'; readonly header: HeaderMatcherPlan }
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  | { readonly kind: 'grpc'; readonly statuses: readonly string[]; readonly exclude: boolean }
  | { readonly kind: 'type'; readonly types: readonly string[]; readonly exclude: boolean }
  | { readonly kind: 'metadata'; readonly filter: string; readonly path: readonly string[]; readonly string: StringMatcherPlan | null; readonly bool: boolean | null; readonly invert: boolean; readonly ifMissing: boolean };
