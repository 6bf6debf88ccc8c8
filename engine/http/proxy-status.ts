// The Proxy-Status header (RFC 9209) on responses that went wrong, as Envoy derives it from response flags.
import type { ResponseHeaders } from '../headers/headers.ts';
import { flagBit, formatFlags, type ResponseFlag } from '../observe/response-flags.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { ProxyStatusPlan } from '../plan/hcm-plan.ts';

/** Flags in Envoy's order of precedence, the error type of each, and the recommended status of the error (0: none). */
const ERRORS = ([
  ['LH', 'destination_unavailable', 503], ['UH', 'destination_unavailable', 503], ['UT', 'http_response_timeout', 504], ['LR', 'connection_timeout', 504], ['UR', 'connection_terminated', 502], ['UF', 'connection_refused', 502],
  ['UC', 'connection_terminated', 502], ['UO', 'connection_limit_reached', 503], ['NR', 'destination_not_found', 500], ['RL', 'connection_limit_reached', 503], ['RLSE', 'connection_limit_reached', 503],
  ['URX', 'destination_unavailable', 503], ['SI', 'http_response_timeout', 504], ['IH', 'http_request_error', 0], ['DPE', 'http_request_error', 0], ['UMSDR', 'http_response_timeout', 504],
  ['NFCF', 'proxy_configuration_error', 500], ['UPE', 'http_protocol_error', 502], ['NC', 'destination_unavailable', 503], ['DF', 'dns_error', 502],
] as readonly (readonly [ResponseFlag, string, number])[]).map(([flag, error, status]) => ({ bit: flagBit(flag), error, status }));

export class ProxyStatus {
  private readonly plan: ProxyStatusPlan;
  private readonly name: string;
  constructor(plan: ProxyStatusPlan, nodeId: string) { this.plan = plan; this.name = plan.name !== '' ? plan.name : nodeId; }

  /** Adds the header, and sets the recommended status where that is wished. */
  apply(headers: ResponseHeaders, facts: StreamFacts): void {
    if (facts.flags === 0) return;
    for (const e of ERRORS) {
      if ((facts.flags & e.bit) === 0) continue;
      headers.append('proxy-status', `${this.name}; error=${e.error}${this.details(facts)}`, ', ');
      if (this.plan.recommendedCode && e.status !== 0) headers.status = e.status;
      return;
    }
  }

  private details(facts: StreamFacts): string {
    if (!this.plan.details || facts.statusDetails === '') return '';
    const parts = [facts.statusDetails.replaceAll(' ', '_')];
    if (this.plan.terminationDetails && facts.connection.terminationDetails !== '') parts.push(facts.connection.terminationDetails);
    if (this.plan.responseFlags) parts.push(formatFlags(facts.flags));
    return `; details="${parts.join('; ').replace(/["\\]/g, '\\$&')}"`;
  }
}
