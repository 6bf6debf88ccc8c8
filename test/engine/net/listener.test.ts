// Listeners of a worker over sockets without a kernel: which versions are kept, how they drain, how many connections they take.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DataCatalog, DownstreamConnection } from '../../../engine/net/connection.ts';
import { ipAddress } from '../../../engine/net/address.ts';
import { ListenerSet } from '../../../engine/net/listener.ts';
import type { ProcessLimits } from '../../../engine/net/shared-limits.ts';
import type { ListenOptions, Transport, TransportSocket } from '../../../engine/net/transport/transport.ts';
import type { FilterChainPlan, ListenerPlan } from '../../../engine/plan/listener-plan.ts';
import { fakeEnv, FakeSocket, type FakeEnv } from '../../support/fake-socket.ts';

const CHAIN: FilterChainPlan = { name: 'c', match: null, filters: [{ kind: 'f', body: null }], transportSocket: null, connectTimeoutMs: 0, metadata: null };
const PLAN: ListenerPlan = {
  name: 'l', address: ipAddress('127.0.0.1', 80), additional: [], internal: false, useOriginalDst: false, exactBalance: false, mptcp: false, statPrefix: '', bindToPort: true, reusePort: true, backlog: 1, bufferLimit: 100, acceptsPerTurn: 0, transparent: false,
  freebind: false, ipv6Only: true, options: [], keepalive: null, ignoreGlobalLimit: false, bypassOverload: false, direction: 'UNSPECIFIED', drainType: 'DEFAULT', chains: [CHAIN], matcher: null, defaultChain: null, listenerFilters: [], listenerFiltersTimeoutMs: 0, continueOnTimeout: false,
  accessLogs: [], udp: null, metadata: null,
};

interface Bound { readonly options: ListenOptions; readonly accept: (s: TransportSocket) => void; closed: boolean }
const MINUTE = { ms: 60_000, gradual: false };

/** What all workers share: counts under a name. */
function shared(): ProcessLimits {
  const names: string[] = [], held: number[] = [];
  return {
    claim: (name) => { const at = names.indexOf(name); return at >= 0 ? at : names.push(name) - 1; }, take: () => 0, seats: (most) => most, seat: () => -1,
    tryHold: (record, limit) => { if ((held[record] ?? 0) >= limit) return false; held[record] = (held[record] ?? 0) + 1; return true; },
    release: (record) => { held[record]!--; },
  };
}

/** A worker's set over a transport that binds nothing. */
async function listeners(limits = shared()): Promise<{ readonly set: ListenerSet; readonly env: FakeEnv; readonly bound: Bound[]; install(plan: ListenerPlan): Promise<void>; accept(): FakeSocket; draining(): boolean }> {
  const bound: Bound[] = [], env = fakeEnv();
  let last: DownstreamConnection | null = null;
  const transport = { name: 'native', listen: (options: ListenOptions, accept: Bound['accept']) => { const b = { options, accept, closed: false }; bound.push(b); return Promise.resolve({ local: options.address, pause() {}, resume() {}, close() { b.closed = true; } }); } } as unknown as Transport;
  const catalog = { networkFilter: () => ({ terminal: true, create: (c: DownstreamConnection) => { last = c; return {}; } }) } as unknown as DataCatalog;
  const budget = { tryConnection: () => true, releaseConnections: () => undefined, healthFailed: () => false, overload: () => 0, overloaded: () => false };
  const set = new ListenerSet({ ...env, transport }, catalog, budget, { scaled: (_t, ms) => ms }, limits);
  const install = async (plan: ListenerPlan): Promise<void> => { set.install(plan); await new Promise(setImmediate); };
  await install(PLAN);
  return { set, env, bound, install, accept: () => { const s = new FakeSocket(); bound.at(-1)!.accept(s); return s; }, draining: () => last!.draining };
}

test('a version of a listener that was replaced or removed is let go with its last connection', async () => {
  const { set, bound, install, accept } = await listeners();
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
  set.remove('l', MINUTE);
  assert.equal(set.versionCount, 1);
  third.sink.onClose('');
  assert.equal(set.versionCount, 0);
});

test('a removed listener accepts no more; its connections drain, of whatever version, and are closed when the drain time is over', async () => {
  const { set, env, bound, install, accept, draining } = await listeners();
  const before = accept();
  await install({ ...PLAN, bufferLimit: 200 });
  const after = accept();
  set.remove('l', { ms: 60_000, gradual: true });
  assert.ok(bound[0]!.closed && !draining(), 'no answer ends its connection at the beginning');
  env.advance(59_000);
  assert.ok(Array.from({ length: 20 }, draining).includes(true), 'most do near the end');
  assert.deepEqual([before.destroyed, after.destroyed], ['', '']);
  env.advance(1_000);
  assert.deepEqual([before.destroyed, after.destroyed, set.versionCount], ['now', 'now', 0]);
});

test('drain_listeners: a graceful sequence is begun once, concerns listeners that come meanwhile, and stops those of its direction at its end', async () => {
  const { set, env, bound, install, accept, draining } = await listeners();
  accept();
  set.drainListeners({ inboundOnly: true, graceful: true, skipExit: false }, MINUTE);
  assert.ok(!draining(), 'this one is not inbound');
  set.drainListeners({ inboundOnly: false, graceful: false, skipExit: true }, MINUTE);
  assert.ok(draining());
  await install({ ...PLAN, bufferLimit: 200 });
  accept();
  assert.ok(draining(), 'a new version too');
  set.drainListeners({ inboundOnly: false, graceful: true, skipExit: false }, MINUTE);
  env.advance(120_000);
  assert.ok(!bound[0]!.closed, 'one that never stops is under way');
  set.drainListeners({ inboundOnly: false, graceful: false, skipExit: false }, MINUTE);
  assert.ok(bound[0]!.closed);
});

test("a listener's connection_limit counts the connections of all workers and versions, also of before it was set", async () => {
  const limits = shared(), a = await listeners(limits), b = await listeners(limits), open = a.accept();
  for (const w of [a, b]) w.env.runtime.install({ 'envoy.resource_limits.listener.l.connection_limit': 3 });
  const sockets = [a.accept(), b.accept(), b.accept(), a.accept()];
  assert.deepEqual([open, ...sockets].map((s) => s.destroyed), ['', '', '', 'now', 'now']);
  await a.install({ ...PLAN, bufferLimit: 200 });
  assert.equal(a.accept().destroyed, 'now', 'a new version has no limit of its own');
  open.sink.onClose('');
  assert.equal(b.accept().destroyed, '');
  a.env.runtime.install({});
  assert.equal(a.accept().destroyed, '');
});
