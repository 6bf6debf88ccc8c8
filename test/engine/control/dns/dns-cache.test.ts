import assert from 'node:assert/strict';
import test from 'node:test';
import { ControlDnsCache } from '../../../../engine/control/dns/dns-cache.ts';
import type { Resolution } from '../../../../engine/control/dns/resolver.ts';
import type { PlanRecord } from '../../../../engine/plan/records.ts';
import type { DnsCachePlan } from '../../../../engine/upstream/kinds/dns-cache-config.ts';

const PLAN: DnsCachePlan = { name: 'd', dns: { family: 'AUTO', refreshMs: 60_000, respectTtl: true, jitterMs: 0, failure: { baseMs: 2000, maxMs: 10_000 }, resolvers: [] }, hostTtlMs: 100_000, maxHosts: 2, minRefreshMs: 5000, queryTimeoutMs: 5000, preresolve: [] };

/** A cache with a resolver and timers that a test drives. */
class World {
  now = 1000;
  readonly records: PlanRecord[] = [];
  readonly asked: { name: string; done: (r: Resolution) => void }[] = [];
  readonly stats = new Map<string, number>();
  private timers: { at: number; task: () => void }[] = [];
  readonly cache: ControlDnsCache;
  constructor(plan: Partial<DnsCachePlan> = {}) {
    this.cache = new ControlDnsCache({ ...PLAN, ...plan }, {
      emit: (r) => { this.records.push(...r); }, wallMs: () => this.now, random: { unit: () => 1, u32: () => 0, uuid: () => '' }, resolver: { resolve: (name) => new Promise((done) => { this.asked.push({ name, done }); }) },
      after: (ms, task) => { const t = { at: this.now + ms, task }; this.timers.push(t); return () => { this.timers = this.timers.filter((x) => x !== t); }; },
      stat: (name, _kind, c) => { this.stats.set(name.slice('dns_cache.d.'.length), c.set ?? (this.stats.get(name.slice('dns_cache.d.'.length)) ?? 0) + (c.add ?? 0)); },
    });
  }
  async answer(r: Resolution): Promise<void> { this.asked.shift()!.done(r); await Promise.resolve(); await Promise.resolve(); }
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.now = next.at;
      next.task();
    }
    this.now = until;
  }
  last(): unknown { const r = this.records.at(-1); return r?.kind === 'dns' ? r.answer : undefined; }
}
const good = (ttlMs: number, ...addresses: string[]): Resolution => ({ ok: true, addresses, ttlMs });

test('a name is looked up once, whoever asks, and all workers are told', async () => {
  const w = new World();
  w.cache.wanted('a'); w.cache.wanted('a');
  assert.equal(w.asked.length, 1);
  await w.answer(good(-1, '10.0.0.1'));
  assert.deepEqual([w.last(), w.cache.records().length, w.stats.get('dns_query_success'), w.stats.get('num_hosts')], [{ addresses: ['10.0.0.1'], error: '' }, 1, 1, 1]);
});

test('it is refreshed as its TTL says, but not below the least; a failure keeps the last addresses, and is tried again with back-off', async () => {
  const w = new World();
  w.cache.wanted('a');
  await w.answer(good(1000, '10.0.0.1'));
  w.advance(4999);
  assert.equal(w.asked.length, 0);
  w.advance(1);
  await w.answer({ ok: false, error: 'ESERVFAIL', empty: false });
  assert.deepEqual(w.last(), { addresses: ['10.0.0.1'], error: '' });
  w.advance(2000);
  await w.answer({ ok: false, error: 'ESERVFAIL', empty: false });
  w.advance(3999);
  assert.equal(w.asked.length, 0);
  w.advance(1);
  await w.answer(good(20_000, '10.0.0.2'));
  assert.deepEqual([w.last(), w.stats.get('host_address_changed'), w.stats.get('dns_query_failure')], [{ addresses: ['10.0.0.2'], error: '' }, 1, 2]);
});

test('a name that never resolved, and a query that takes too long', async () => {
  const w = new World();
  w.cache.wanted('a');
  await w.answer({ ok: false, error: 'ENOTFOUND', empty: true });
  assert.deepEqual(w.last(), { addresses: [], error: 'ENOTFOUND' });
  w.cache.wanted('b');
  w.advance(5000);
  assert.deepEqual([w.last(), w.stats.get('dns_query_timeout')], [{ addresses: [], error: 'timeout' }, 1]);
});

test('a name that nobody uses is forgotten after host_ttl; one in use stays', async () => {
  const w = new World();
  w.cache.wanted('a');
  await w.answer(good(-1, '10.0.0.1'));
  w.advance(59_000);
  w.cache.wanted('a');
  w.advance(1000);
  await w.answer(good(-1, '10.0.0.1'));
  w.advance(60_000);
  await w.answer(good(-1, '10.0.0.1'));
  w.advance(60_000);
  assert.deepEqual([w.last(), w.asked.length, w.stats.get('host_removed'), w.stats.get('num_hosts')], [null, 0, 1, 0]);
});

test('more names than max_hosts overflow, and are not kept', () => {
  const w = new World();
  for (const n of ['a', 'b', 'c']) w.cache.wanted(n);
  assert.deepEqual(w.records.map((r) => (r.kind === 'dns' ? r.answer?.error : '')), ['overflow', undefined]);
  assert.deepEqual([w.stats.get('host_overflow'), w.stats.get('num_hosts')], [1, 2]);
});
