// Bootstrap.watchdogs, and `watchdog` from before there were two, which stands for both. Its actions are extensions, of which none is there.
import { DEFAULT_WATCHDOG, type WatchdogPlan, type WatchdogsPlan } from '../../plan/watchdog-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';

function compileWatchdog(m: ConfigMessage | undefined): WatchdogPlan {
  if (m === undefined) return DEFAULT_WATCHDOG;
  m.unsupported('actions');
  return { missMs: m.ms('miss_timeout', DEFAULT_WATCHDOG.missMs), megamissMs: m.ms('megamiss_timeout', DEFAULT_WATCHDOG.megamissMs), killMs: m.ms('kill_timeout', 0), killJitterMs: m.ms('max_kill_timeout_jitter', 0), multikillMs: m.ms('multikill_timeout', 0), together: m.msg('multikill_threshold')?.num('value', 0) ?? 0 };
}

export function compileWatchdogs(m: ConfigMessage): WatchdogsPlan {
  const both = m.msg('watchdog'), each = m.msg('watchdogs');
  if (both !== undefined) { const w = compileWatchdog(both); return { main: w, workers: w }; }
  return { main: compileWatchdog(each?.msg('main_thread_watchdog')), workers: compileWatchdog(each?.msg('worker_watchdog')) };
}
