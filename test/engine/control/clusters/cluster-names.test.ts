import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterNames } from '../../../../engine/control/clusters/cluster-names.ts';
import type { Resolution } from '../../../../engine/control/dns/resolver.ts';
import type { CompiledCluster } from '../../../../engine/upstream/config.ts';
import type { DnsPlan } from '../../../../engine/upstream/dns-config.ts';
import { SYSTEM_SERVERS } from '../../../../engine/upstream/dns-config.ts';

const PLAN: DnsPlan = { family: 'AUTO', refreshMs: 5000, respectTtl: false, jitterMs: 0, failure: null, servers: SYSTEM_SERVERS };
const good = (ttlMs: number, ...addresses: string[]): Resolution => ({ ok: true, addresses, ttlMs });
const FAILED: Resolution = { ok: false, error: 'ETIMEOUT', empty: false }, EMPTY: Resolution = { ok: false, error: 'ENOTFOUND', empty: true };

/** The names of a cluster, with a resolver, timers and chance that a test drives. */
class World {
  unit = 0.5;
  readonly asked: { readonly name: string; readonly done: (r: Resolution) => void }[] = [];
  readonly delays: number[] = [];
  readonly counts: Record<string, number> = {};
  private again: () => void = () => {};
  readonly names: ClusterNames;
  constructor(dns: Partial<DnsPlan> = {}, discovery: CompiledCluster['discovery'] = 'strict-dns', names: readonly string[] = ['a'], before: ClusterNames | null = null) {
    const of = { dns: { ...PLAN, ...dns }, discovery, endpoints: names.map((ip) => ({ address: { kind: 'ip', family: 4, ip, port: 80 } })) } as unknown as CompiledCluster, count = (what: string): void => { this.counts[what] = (this.counts[what] ?? 0) + 1; };
    this.names = new ClusterNames(of, before, {
      after: (ms, task) => { this.delays.push(ms); this.again = task; return () => { count('cancelled'); }; }, resolver: { resolve: (name) => new Promise((done) => { this.asked.push({ name, done }); }) },
      random: { unit: () => this.unit, u32: () => 0, uuid: () => '' }, count, changed: () => count('changed'), settled: () => count('settled'),
    });
    this.names.start();
  }
  async answer(r: Resolution): Promise<void> { this.asked.shift()!.done(r); await Promise.resolve(); await Promise.resolve(); }
  /** Answers each in turn, a timer apart. */
  async answers(...all: Resolution[]): Promise<number[]> { for (const [i, r] of all.entries()) { if (i > 0) this.again(); await this.answer(r); } return this.delays; }
}

test('a failure is tried again at random within a span that doubles up to max_interval; a success ends that', async () => {
  const w = new World({ failure: { baseMs: 1000, maxMs: 3000 } });
  assert.deepEqual(await w.answers(FAILED, FAILED, FAILED, FAILED, good(-1, '1.1.1.1'), FAILED), [500, 1000, 1500, 1500, 5000, 500]);
  assert.deepEqual([w.counts['update_failure'], w.counts['update_success'], w.names.addresses(0)], [5, 1, ['1.1.1.1']]);
});

test('without dns_failure_refresh_rate a failure is tried again as a success is', async () => assert.deepEqual(await new World().answers(FAILED, FAILED), [5000, 5000]));

test('the TTL is followed where it is respected and not 0; jitter comes on top, but not after failures', async () => {
  assert.deepEqual(await new World({ respectTtl: true, jitterMs: 1001 }).answers(good(100, '1.1.1.1'), good(0, '1.1.1.1'), good(-1, '1.1.1.1'), FAILED), [600, 5500, 5500, 5000]);
  assert.deepEqual(await new World().answers(good(100, '1.1.1.1')), [5000]);
});

test('a name without addresses leaves STRICT_DNS without hosts, and is a failure to LOGICAL_DNS, which keeps what it has', async () => {
  const strict = new World(), logical = new World({}, 'logical-dns');
  await strict.answers(good(-1, '1.1.1.1'), EMPTY);
  await logical.answers(good(-1, '1.1.1.1'), EMPTY, FAILED);
  assert.deepEqual([strict.names.addresses(0), strict.counts['update_success'], strict.counts['changed']], [[], 2, 2]);
  assert.deepEqual([logical.names.addresses(0), logical.counts['update_success'], logical.counts['update_failure'], logical.counts['changed']], [['1.1.1.1'], 1, 2, 1]);
});

test('the same addresses in another order are no change to STRICT_DNS; a LOGICAL_DNS host, which has them all in their order, is another', async () => {
  const strict = new World(), logical = new World({}, 'logical-dns'), both = [good(-1, '1.1.1.1', '2.2.2.2', '3.3.3.3'), good(-1, '1.1.1.1', '3.3.3.3', '2.2.2.2')];
  await strict.answers(...both); await logical.answers(...both);
  assert.deepEqual([strict.counts['changed'], strict.counts['update_no_rebuild'], logical.counts['changed'], logical.names.addresses(0)], [1, 1, 2, ['1.1.1.1', '3.3.3.3', '2.2.2.2']]);
});

test('settled once every name was asked for; a changed cluster has the addresses of the names that stay, and nothing comes after its end', async () => {
  const w = new World({}, 'strict-dns', ['a', 'b']);
  await w.answer(good(-1, '1.1.1.1'));
  assert.deepEqual([w.counts['settled'], w.names.busy], [undefined, true]);
  await w.answer(FAILED);
  assert.deepEqual([w.counts['settled'], w.names.busy], [1, false]);
  const next = new World({}, 'strict-dns', ['c', 'a'], w.names);
  assert.deepEqual([next.names.addresses(0), next.names.addresses(1)], [[], ['1.1.1.1']]);
  next.names.close();
  await next.answer(good(-1, '3.3.3.3'));
  assert.deepEqual([next.names.addresses(0), next.delays], [[], []]);
});
