// ConfigSource: where dynamic resources come from. Files are read; gRPC, REST and aggregated discovery are refused by name.
import { existsSync } from 'node:fs';
import type { ConfigMessage, DiscoverySource } from '../../proto/config-message.ts';

/** How long a resource is waited for before what needs it goes on without, ms (Envoy's default). */
const FETCH_MS = 15_000;

/** null after an error was reported. */
export function compileSource(m: ConfigMessage | undefined): DiscoverySource | null {
  if (m === undefined) return null;
  for (const f of ['authorities', 'api_config_source', 'ads', 'self']) m.unsupported(f);
  m.enum('resource_api_version'); // only V3 is there, and AUTO means it
  const initialFetchTimeoutMs = m.ms('initial_fetch_timeout', FETCH_MS);
  switch (m.oneof('config_source_specifier')) {
    case 'path': return fileSource(m, 'path', '', initialFetchTimeoutMs);
    case 'path_config_source': {
      const p = m.msg('path_config_source')!, watched = p.msg('watched_directory');
      p.noop('poll_interval', 'files are watched');
      return fileSource(p, 'path', watched?.str('path') ?? '', initialFetchTimeoutMs);
    }
    default: return null;
  }
}

function fileSource(m: ConfigMessage, field: string, watchedDirectory: string, initialFetchTimeoutMs: number): DiscoverySource | null {
  const path = m.str(field);
  if (!existsSync(path)) { m.error(field, `paths must refer to an existing path in the system: '${path}' does not exist`); return null; }
  return { path, watchedDirectory, initialFetchTimeoutMs };
}
