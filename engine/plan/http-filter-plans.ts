// Small HTTP filters as workers install them: buffer, cors, csrf, header_mutation, header_to_metadata, set_metadata, set_filter_state, basic_auth, fault.
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { FilterStateValuePlan } from './filter-state-plan.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { FractionPlan } from './match-plan.ts';
import type { RewritePlan } from './route-plan.ts';

/** `maxBytes` 0: switched off for the route. */
export interface BufferPlan { readonly maxBytes: number }

/** CorsPolicy of one level; null: this level does not say. */
export interface CorsPlan {
  readonly origins: readonly StringMatcherPlan[]; readonly methods: string; readonly headers: string; readonly expose: string; readonly maxAge: string; readonly credentials: boolean | null; readonly privateNetwork: boolean | null;
  readonly forwardNotMatching: boolean | null; readonly enabled: FractionPlan | null; readonly shadow: FractionPlan | null;
}

export interface CsrfPlan { readonly enabled: FractionPlan | null; readonly shadow: FractionPlan | null; readonly origins: readonly StringMatcherPlan[] }

export interface QueryMutationPlan { readonly remove: string; readonly name: string; readonly value: FormatPlan; readonly action: 'append' | 'add-if-absent' | 'overwrite-or-add' | 'overwrite-if-exists' }
export interface HeaderMutationFilterPlan {
  readonly request: readonly HeaderMutationPlan[]; readonly response: readonly HeaderMutationPlan[]; readonly requestTrailers: readonly HeaderMutationPlan[]; readonly responseTrailers: readonly HeaderMutationPlan[];
  readonly query: readonly QueryMutationPlan[];
  /** Only of the filter itself: the most specific level is applied last. */
  readonly mostSpecificWins: boolean;
}

/** One on_header_present or on_header_missing. `value` '': the header's. */
export interface MetadataWritePlan { readonly namespace: string; readonly key: string; readonly value: string; readonly rewrite: RewritePlan | null; readonly number: boolean; readonly base64: boolean }
export interface HeaderToMetadataRule { readonly header: string; readonly cookie: string; readonly present: MetadataWritePlan | null; readonly missing: MetadataWritePlan | null; readonly remove: boolean }
export interface HeaderToMetadataPlan { readonly request: readonly HeaderToMetadataRule[]; readonly response: readonly HeaderToMetadataRule[] }

export interface SetMetadataPlan { readonly entries: readonly { readonly namespace: string; readonly overwrite: boolean; readonly value: { readonly [key: string]: MetadataValue } }[] }

export interface HttpFilterStatePlan { readonly values: readonly FilterStateValuePlan[]; readonly clearRoute: boolean }

/** `users`: name and SHA-1 of the password in base64. */
export interface BasicAuthPlan { readonly users: readonly (readonly [string, string])[]; readonly realm: string; readonly header: string; readonly forward: string; readonly allowMissing: boolean; readonly metadata: boolean }

export interface FaultPlan {
  readonly delay: { readonly ms: number; readonly byHeader: boolean; readonly share: FractionPlan } | null;
  /** status 0 or grpc -1: not that kind. */
  readonly abort: { readonly status: number; readonly grpc: number; readonly byHeader: boolean; readonly share: FractionPlan; readonly body: string } | null;
  /** KiB per second. */
  readonly rate: { readonly kbps: number; readonly byHeader: boolean; readonly share: FractionPlan } | null;
  /** Faults are counted by downstream cluster too. */
  readonly countsDownstream: boolean;
  readonly cluster: string; readonly headers: readonly HeaderMatcherPlan[]; readonly nodes: readonly string[];
  /** Faults at a time in the whole process; -1: no limit. */
  readonly maxActive: number;
  /** Dynamic metadata of a request that is delayed or aborted. */
  readonly metadata: { readonly [key: string]: MetadataValue };
  /** Runtime keys of shares and values. */
  readonly keys: { readonly maxActive: string; readonly delay: string; readonly abort: string; readonly rate: string; readonly delayMs: string; readonly status: string; readonly grpc: string };
}
