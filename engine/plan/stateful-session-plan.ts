// The stateful_session filter as workers install it.

export type SessionStatePlan =
  | { readonly kind: 'cookie'; readonly name: string; readonly path: string; /** Seconds; 0: a session cookie. */ readonly ttlS: number; readonly attributes: readonly (readonly [string, string])[] }
  | { readonly kind: 'header'; readonly name: string };

/** `state` null: the filter does nothing (per route: switched off). */
export interface StatefulSessionPlan { readonly state: SessionStatePlan | null; /** That host or none. */ readonly strict: boolean; /** Of the answer when a strict session's host is not there; 0: 503. */ readonly missingStatus: number; /** '': nothing is counted. */ readonly statPrefix: string }
