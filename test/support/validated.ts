// What `--mode validate` says, without a process of its own.
import { validateConfiguration } from '../../engine/control-engine.ts';
import { parseFlags } from '../../workers/flags.ts';

/** `args`: as of the command (`-c FILE`, `--config-yaml TEXT`…). `text`: the OK line, or every fault. */
export function validated(...args: string[]): { readonly ok: boolean; readonly text: string } {
  const parsed = parseFlags(['--mode', 'validate', ...args]);
  if ('print' in parsed) throw new Error(parsed.print);
  return validateConfiguration(parsed.flags, (name) => process.env[name]);
}
