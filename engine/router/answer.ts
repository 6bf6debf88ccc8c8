// What is noted of an answer that goes downstream, and what it says of us.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';

export function noteAnswer(facts: StreamFacts, headers: ResponseHeaders): void {
  facts.status = headers.status;
  facts.response = headers;
  facts.statusDetails = 'via_upstream';
}

/** x-envoy-upstream-service-time: from the end of the request to the answer's head. */
export function tellServiceTime(request: RequestHeaders, headers: ResponseHeaders, ms: number): void {
  if (request.protocol === '' && request.method !== 'CONNECT') headers.set('x-envoy-upstream-service-time', String(Math.round(Math.max(0, ms))));
}
