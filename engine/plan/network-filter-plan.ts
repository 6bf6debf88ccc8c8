// The smaller network filters as workers install them.

export interface DirectResponsePlan { readonly body: Uint8Array }
