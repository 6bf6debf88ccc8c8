// The TLS engines that this machine has: what runs TLS runs on each.
import { existsSync } from 'node:fs';

export const ENGINES: readonly ('rustls' | 'node')[] = existsSync(new URL('../../build/tls.node', import.meta.url)) ? ['rustls', 'node'] : ['node'];
