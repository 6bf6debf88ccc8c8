// Which transport a worker runs on: the native one where its addon loads, node:net elsewhere or when asked for.
import { loadAddon, NativeTransport } from './native.ts';
import { NodeTransport } from './node.ts';
import type { OnException, Transport, TransportTurn } from './transport.ts';

/** Throws when `native` is demanded and cannot be had. */
export function createTransport(kind: 'auto' | 'native' | 'node', turn: TransportTurn, onException: OnException): Transport {
  const addon = kind === 'node' ? null : loadAddon();
  if (kind === 'native' && addon === null) throw new Error('the native transport is not built (scripts/build-native.sh)');
  const transport = addon === null ? new NodeTransport(turn) : new NativeTransport(addon, turn);
  transport.onException = onException;
  return transport;
}
