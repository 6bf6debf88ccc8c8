// The router filter's own configuration.

import type { ExtensionPlan } from './extension-plan.ts';
import type { HttpFilterPlan } from './hcm-plan.ts';

export interface RouterConfig { readonly suppressEnvoyHeaders: boolean; /** Bytes of a CONNECT before it is answered are refused. */ readonly rejectEarlyConnect: boolean; readonly respectExpectedTimeout: boolean; /** Headers that must be well-formed when they are there. */ readonly strictHeaders: readonly string[]; /** Access logs of attempts, and whether they are told of the beginning too. */ readonly upstreamLogs: readonly ExtensionPlan[]; readonly upstreamLogAtStart: boolean; /** Behind the router, for clusters that have none of their own; null: none. */ readonly upstreamFilters: readonly HttpFilterPlan[] | null }
