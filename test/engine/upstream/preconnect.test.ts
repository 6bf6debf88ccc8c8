import assert from 'node:assert/strict';
import test from 'node:test';
import { HOST_FLAG } from '../../../engine/shm/host-table.ts';
import { BALANCER } from '../../../engine/upstream/balancer-config.ts';
import { PoolWorld, type Request } from './pool-world.ts';

const LIMITS = [1024, 1024, 1024, 3, 1024] as const;

test('with a predictive ratio the first request has connections begun to the hosts whose turn is next, and the next requests take these', () => {
  const w = new PoolWorld({ preconnect: { predictive: 3, enabled: null } }, [...LIMITS], 4);
  w.ask();
  // (0 waiting + 0 active + 1 coming) × 3 > 0, 1, 2 carried: three ahead, of which the request itself takes none.
  assert.equal(new Set(w.remotes).size, 4, w.remotes.join());
  for (let i = 0; i < 4; i++) w.connect(i);
  const [own, ...ahead] = [w.remotes[3]!, ...w.remotes.slice(0, 3)];
  const asked = [1, 2, 3].map(() => { const h = w.cluster.choose(w.ctx)!; assert.deepEqual(w.ask(undefined, h).log, ['stream'], 'a connection is there'); return h.text; });
  assert.deepEqual(asked, ahead);
  assert.ok(!asked.includes(own));
});

test('no connection is made ahead when there are enough, to an unhealthy or degraded host, or by a policy that looks at the request', () => {
  const begun = (predictive: number, more: object = {}, flags = 0): number => {
    const w = new PoolWorld({ preconnect: { predictive, enabled: null }, ...more }, [...LIMITS], 4);
    for (const i of [0, 1, 2, 3]) w.shared.hosts.setFlags(i, flags);
    w.ask();
    return w.sockets.length;
  };
  assert.equal(begun(1), 1);
  assert.equal(begun(2), 3);
  assert.equal(begun(3, { balancer: { ...BALANCER, kind: 'least-request' } }), 1);
  assert.equal(begun(3, {}, HOST_FLAG.DEGRADED_EDS), 1);
});

test('hosts chosen ahead are forgotten when hosts or their health move', () => {
  const w = new PoolWorld({ preconnect: { predictive: 3, enabled: null } }, [...LIMITS], 3);
  w.ask();
  w.install({ preconnect: { predictive: 3, enabled: null } }, [...LIMITS], [w.host(7)]);
  assert.equal(w.cluster.choose(w.ctx)!.index, 7);
});

test('a host whose metadata does not match gets connections for requests only, and what was left out is counted', () => {
  const enabled = { filter: 'envoy.lb', path: ['warm'], value: { kind: 'bool', value: true } as const, invert: false };
  const plan = { preconnectRatio: 2, preconnect: { predictive: 1, enabled } };
  const w = new PoolWorld(plan);
  w.install(plan, [...LIMITS], [w.host(0)]);
  w.ask();
  assert.deepEqual([w.sockets.length, w.count('upstream_cx_preconnect_skipped')], [1, 1]);
  w.install(plan, [...LIMITS], [w.host(1, { metadata: { 'envoy.lb': { warm: true } } })]);
  w.ask();
  assert.deepEqual([w.sockets.length, w.count('upstream_cx_preconnect_skipped')], [3, 1]);
});

test('what the pools carry together is known without a look at each: it is their sum after any steps, and nothing when all is over', () => {
  interface Inside { readonly waiters: Set<unknown>; readonly active: number; readonly connecting: Set<{ readonly assumedRoom: number }>; readonly ready: readonly { readonly room: number }[] }
  for (const protocol of ['http1', 'http2'] as const) {
    const w = new PoolWorld({ protocol, preconnect: { predictive: 2.5, enabled: null } }, [...LIMITS], 3), { tally } = w.cluster.predictor!, under: Request[] = [];
    const pools = new Set<Inside>(), hosts = [0, 1, 2].map(() => w.cluster.choose(w.ctx) as unknown as { allPools(): Iterable<Inside> });
    const sum = (): number[] => {
      for (const h of hosts) for (const p of h.allPools()) pools.add(p);
      let waiting = 0, active = 0, capacity = 0;
      for (const p of pools) { waiting += p.waiters.size; active += p.active; for (const c of p.connecting) capacity += c.assumedRoom; for (const c of p.ready) capacity += c.room; }
      return [waiting, active, capacity];
    };
    for (let i = 0; i < 300; i++) {
      const n = w.env.random.u32() % 8, at = w.sockets.length === 0 ? 0 : w.env.random.u32() % w.sockets.length, s = w.sockets[at];
      if (n < 3) under.push(w.ask());
      else if (n < 5 && s !== undefined) w.connect(at);
      else if (n === 5 && s !== undefined && s.destroyed === '') w.close(at, 'ECONNRESET');
      else { const r = under.pop(); if (r !== undefined && r.stream !== null) r.stream.reset('local'); else r?.waiting?.cancel(); w.env.later.run(); }
      assert.deepEqual([tally.waiting, tally.active, tally.capacity], sum(), `${protocol}, step ${i}`);
    }
    for (const r of under) r.waiting?.cancel();
    for (let i = 0; i < w.sockets.length; i++) if (w.sockets[i]!.destroyed === '') w.close(i);
    assert.deepEqual([tally.waiting, tally.active, tally.capacity], [0, 0, 0]);
  }
});
