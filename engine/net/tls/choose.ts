// Which TLS engines a worker has, the preferred one first.
import type { Later } from '../../loop/later.ts';
import type { TlsEngine } from './engine.ts';
import { NodeTlsEngine } from './node.ts';
import { RustlsEngine } from './rustls.ts';

/** `wanted`: 'node' leaves rustls out; 'rustls' is what 'auto' prefers, where it is built. */
export function tlsEngines(wanted: 'auto' | 'rustls' | 'node', later: Later): readonly TlsEngine[] {
  const rustls = wanted === 'node' ? null : RustlsEngine.open();
  return [...(rustls === null ? [] : [rustls]), new NodeTlsEngine(later)];
}
