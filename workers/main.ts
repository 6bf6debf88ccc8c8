// The entry: flags, validate mode, the supervisor.
import { writeFileSync } from 'node:fs';
import { keepCompiled } from './compile-cache.ts';
import { parseFlags, type Flags } from './flags.ts';

keepCompiled();
const parsed = parseFlags(process.argv.slice(2));
if ('print' in parsed) {
  (parsed.code === 0 ? process.stdout : process.stderr).write(parsed.print);
  process.exit(parsed.code);
}
let flags: Flags = parsed.flags;
if (flags.sample) {
  flags = { ...flags, configPath: new URL('./sample.yaml', import.meta.url).pathname };
  console.error('weir: the sample configuration. Try:\n  curl http://127.0.0.1:10000/          two backends take turns\n  curl http://127.0.0.1:10000/hello\n  curl http://127.0.0.1:9901/stats       the admin interface');
}
if (flags.configPath === '' && flags.configYaml === '') {
  console.error('error initializing configuration: At least one of --config-path or --config-yaml or Options::configProto() should be non-empty');
  process.exit(1);
}
if (flags.mode === 'validate') {
  const { validateConfiguration } = await import('../engine/control-engine.ts');
  const { ok, text } = validateConfiguration(flags, (name) => process.env[name]);
  (ok ? process.stdout : process.stderr).write(text);
  process.exit(ok ? 0 : 1);
}
if (flags.baseIdPath !== '') writeFileSync(flags.baseIdPath, String(flags.baseId));
const { Supervisor } = await import('./supervisor.ts');
new Supervisor(flags, (code) => process.exit(code)).start();
