// Which TLS engines a worker has, the preferred one first.
import type { Later } from '../../loop/later.ts';
import type { TlsEngine } from './engine.ts';
import { NodeTlsEngine } from './node.ts';

/** `wanted`: 'auto', or one of them alone. */
export function tlsEngines(_wanted: 'auto' | 'rustls' | 'node', later: Later): readonly TlsEngine[] { return [new NodeTlsEngine(later)]; }
