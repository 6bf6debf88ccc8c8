// Stats of a virtual host that went away: its slots were given back, and nothing claims new ones.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock } from '../../../engine/loop/clock.ts';
import { Runtime } from '../../../engine/loop/runtime.ts';
import { RequestHeaders } from '../../../engine/headers/headers.ts';
import { ConnectionFacts, StreamFacts } from '../../../engine/observe/stream-facts.ts';
import { ThreadStatStore, type StatClaim } from '../../../engine/observe/stats/thread-stat-store.ts';
import { pack } from '../../../engine/plan/plan-wire.ts';
import { packVirtualHost } from '../../../engine/plan/route-wire.ts';
import type { RouteTablePlan, VirtualHostPlan } from '../../../engine/plan/route-plan.ts';
import type { StatStore } from '../../../engine/observe/stats/stat-block.ts';
import { AlternativeStats } from '../../../engine/router/request-stats.ts';
import type { RouteEntry } from '../../../engine/router/route-entry.ts';
import { RouteTables } from '../../../engine/router/route-table.ts';
import { FORWARD, NO_LEVEL } from './router-peer.ts';

const NOBODY = { statName: 'a', statStore: undefined as never };

function virtualHost(name: string): VirtualHostPlan {
  const route = { name: 'r', match: { path: { kind: 'prefix', text: '/', ignoreCase: false }, headers: [], query: [], grpc: false, fraction: null, tls: null, metadata: [], cookies: [], filterState: [] }, level: NO_LEVEL, metadata: null, filterConfigs: [], bufferLimit: -1, statPrefix: 'p', action: FORWARD } as const;
  return { name, level: NO_LEVEL, requireTls: 'NONE', routes: [route], matcher: null, includeAttemptCount: false, includeAttemptCountInResponse: false, metadata: null, filterConfigs: [], virtualClusters: [{ name: 'all', headers: [] }], bufferLimit: -1, includeTimeoutRetry: false, retry: null, hedge: null, mirrors: [], rateLimits: [] };
}

function tables(): { readonly cell: { readonly current: { match(h: RequestHeaders, f: StreamFacts, random: number): unknown } | null }; readonly store: ThreadStatStore; readonly claims: StatClaim[]; readonly all: RouteTables; install(...names: string[]): void; match(name: string): RouteEntry } {
  const claims: StatClaim[] = [], store = new ThreadStatStore(new SharedArrayBuffer(1 << 16), (c) => claims.push(c)), all = new RouteTables({ runtime: new Runtime(), clock: new ManualClock(), operators: {} as never, stats: store }), cell = all.cell('t');
  return {
    cell, store, claims, all,
    install(...names) {
      const plan: RouteTablePlan = { name: 't', counted: names.map((n) => ({ name: n, scopes: [] })), level: NO_LEVEL, mostSpecificWins: false, ignorePort: false, hostHeader: '', ignorePathParameters: false, internalOnly: [], filterConfigs: [], mirrors: [], virtualHosts: names.map((n) => ({ domains: [n], packed: packVirtualHost(virtualHost(n)) })) };
      all.install('t', pack(plan));
    },
    match(name) { const h = new RequestHeaders(); Object.assign(h, { method: 'GET', path: '/', authority: name, scheme: 'http' }); return cell.current!.match(h, new StreamFacts(new ConnectionFacts()), 0) as RouteEntry; },
  };
}
const count = (r: RouteEntry): void => r.requestStats('all', '', new AlternativeStats())!.charge(200, NOBODY, false, false, -1);

test('a request that is counted first after its virtual host is gone claims no stat slots, which nobody would give back', () => {
  const t = tables();
  t.install('v', 'w');
  count(t.match('v'));
  assert.ok(t.claims.length > 0);
  const late = t.match('w');
  t.install('v');
  assert.deepEqual(t.store.letGo('vhost.w')?.claims, []);
  t.claims.length = 0;
  count(late);
  assert.deepEqual(t.claims, []);
  assert.equal(t.store.wants('vhost.w'), 0, 'its owner is not there anew');
  count(t.match('v'));
  assert.ok(t.claims.length === 0 && t.store.wants('vhost.v') > 0, 'what there is goes on in its own slots');
});

test('a virtual host that a draining connection meets first after the table went is not counted', () => {
  const t = tables();
  t.install('v');
  t.all.remove('t');
  count(t.match('v'));
  assert.deepEqual([t.claims, t.store.wants('vhost.v')], [[], 0]);
});

test('an unknown alternative stat name looks at few of those that are full already, and takes the place of one whose cluster is gone', () => {
  const column = new Float64Array(4096), claimed: string[] = [];
  let looks = 0, gone = false;
  const store = (of: () => boolean): StatStore => ({ column, get released(): boolean { looks++; return of(); }, claim: () => 0, claimOne: (n: string) => { claimed.push(n); return 1; }, claimHistogram: () => 0, extend: () => 0, owned: () => null as never });
  const alternatives = new AlternativeStats(), charge = (statName: string, alternative: string, statStore: StatStore): void => alternatives.charge({ statName, statStore }, alternative, 200, false, false, -1);
  const old = store(() => gone), living = store(() => false);
  for (let i = 0; i < 500; i++) charge('old', `n${i}`, old);
  for (let i = 0; i < 1000; i++) charge('new', `m${i}`, living);
  assert.ok(!claimed.includes('cluster.new.m999.upstream_rq_200'), 'full');
  looks = 0;
  charge('new', 'x', living);
  assert.ok(looks <= 4, `${looks} looks`);
  gone = true;
  for (let i = 0; i < 10 && !claimed.includes('cluster.new.y.upstream_rq_200'); i++) for (let n = 0; n < 100; n++) charge('new', 'y', living);
  assert.ok(claimed.includes('cluster.new.y.upstream_rq_200'));
});
