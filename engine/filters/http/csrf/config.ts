// envoy.extensions.filters.http.csrf.v3.CsrfPolicy from configuration; the same at routes.
import { compileStringMatcher } from '../../../headers/config.ts';
import { compileFraction } from '../../../observe/match/config.ts';
import type { CsrfPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileCsrf(m: ConfigMessage): CsrfPlan { return { enabled: compileFraction(m.msg('filter_enabled')), shadow: compileFraction(m.msg('shadow_enabled')), origins: m.list('additional_origins').map(compileStringMatcher) }; }
