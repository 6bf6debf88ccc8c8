// OriginalSrc (listener filter) from configuration.
import type { OriginalSrcPlan } from '../../../plan/listener-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileOriginalSrc(m: ConfigMessage): OriginalSrcPlan { return { bindPort: m.bool('bind_port'), mark: m.num('mark') }; }
