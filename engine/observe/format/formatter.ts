// Substitution formats (Envoy: access log "command operators"), compiled once: a list of literals and operators. Used by access logs, header mutations,
// local replies, redirects. Compile (control thread, config.ts) turns the text into a FormatPlan; the worker makes a Formatter of it.
import type { StreamFacts } from '../stream-facts.ts';

/** One piece of a format. `max` is the length limit ':Z' (bytes), -1 for none. */
export type FormatPiece = { readonly text: string } | { readonly op: string; readonly args: readonly string[]; readonly max: number };
export type FormatPlan = readonly FormatPiece[];

export interface FormatContext {
  readonly facts: StreamFacts;
  /** Wall clock now, for %START_TIME% relatives and log stamps. */
  readonly wallMs: number;
  readonly nowMs: number;
  readonly accessLogType: string;
}

export interface Formatter { /** `empty` is what stands for an absent value: '-' in access logs, '' with omit_empty_values and in header values. */ format(c: FormatContext, empty: string): string }
