// Listeners of a worker over sockets without a kernel: which versions of them are kept.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DataCatalog } from '../../../engine/net/connection.ts';
import { ipAddress } from '../../../engine/net/address.ts';
import { ListenerSet } from '../../../engine/net/listener.ts';
import type { ListenOptions, Transport, TransportSocket } from '../../../engine/net/transport/transport.ts';
import type { FilterChainPlan, ListenerPlan } from '../../../engine/plan/listener-plan.ts';
import { fakeEnv, FakeSocket } from '../../support/fake-socket.ts';

const CHAIN: FilterChainPlan = { name: 'c', match: null, filters: [{ kind: 'f', body: null }], transportSocket: null, connectTimeoutMs: 0, metadata: null };
const PLAN: ListenerPlan = {
  name: 'l', address: ipAddress('127.0.0.1', 80), additional: [], internal: false, useOriginalDst: false, exactBalance: false, mptcp: false, statPrefix: '', bindToPort: true, reusePort: true, backlog: 1, bufferLimit: 100, acceptsPerTurn: 0, transparent: false,
  freebind: false, ipv6Only: true, options: [], keepalive: null, ignoreGlobalLimit: false, bypassOverload: false, direction: 'UNSPECIFIED', drainType: 'DEFAULT', chains: [CHAIN], matcher: null, defaultChain: null, listenerFilters: [], listenerFiltersTimeoutMs: 0, continueOnTimeout: false,
  accessLogs: [], udp: null, metadata: null,
};

interface Bound { readonly options: ListenOptions; readonly accept: (s: TransportSocket) => void }

/** A set over a transport that binds nothing. */
async function listeners(): Promise<{ readonly set: ListenerSet; readonly bound: Bound[]; readonly drained: () => number; install(plan: ListenerPlan): Promise<void>; accept(): FakeSocket }> {
  const bound: Bound[] = [];
  let drained = 0;
  const transport = { name: 'native', listen: (options: ListenOptions, accept: Bound['accept']) => { bound.push({ options, accept }); return Promise.resolve({ local: options.address, pause() {}, resume() {}, close() {} }); } } as unknown as Transport;
  const catalog = { networkFilter: () => ({ terminal: true, create: () => ({ onDrain: () => { drained++; } }) }), listenerFilter: () => { throw new Error('none'); }, accessLog: () => { throw new Error('none'); } } as unknown as DataCatalog;
  const budget = { tryConnection: () => true, releaseConnections: () => undefined, healthFailed: () => false, overload: () => 0, overloaded: () => false };
  const set = new ListenerSet({ ...fakeEnv(), transport }, catalog, budget, { scaled: (_t, ms) => ms });
  const install = async (plan: ListenerPlan): Promise<void> => { set.install(plan); await Promise.resolve(); await new Promise(setImmediate); };
  await install(PLAN);
  return { set, bound, drained: () => drained, install, accept: () => { const s = new FakeSocket(); bound.at(-1)!.accept(s); return s; } };
}

test('a version of a listener that was replaced or removed is let go with its last connection', async () => {
  const { set, bound, drained, install, accept } = await listeners();
  const first = accept(), second = accept();
  await install({ ...PLAN, bufferLimit: 200 });
  assert.equal(bound.length, 1, 'the socket stays');
  assert.equal(set.versionCount, 2);
  first.sink.onClose('');
  assert.equal(set.versionCount, 2);
  second.sink.onClose('ECONNRESET');
  assert.equal(set.versionCount, 1);
  const third = accept();
  await install({ ...PLAN, bufferLimit: 300 });
  await install({ ...PLAN, bufferLimit: 400 });
  assert.equal(set.versionCount, 2, 'one that never had a connection is not kept');
  set.remove('l');
  assert.deepEqual([set.versionCount, drained()], [1, 0], 'what replaced versions have begun goes on undisturbed');
  set.drain();
  assert.equal(drained(), 1);
  third.sink.onClose('');
  assert.equal(set.versionCount, 0);
});
