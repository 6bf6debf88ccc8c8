import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import test from 'node:test';
import { ControlDnsCache } from '../../../../engine/control/dns/dns-cache.ts';
import { serverOrder, SystemResolver, type Resolution } from '../../../../engine/control/dns/resolver.ts';
import type { PlanRecord } from '../../../../engine/plan/records.ts';
import { SYSTEM_SERVERS } from '../../../../engine/upstream/dns-config.ts';
import type { DnsCachePlan } from '../../../../engine/upstream/kinds/dns-cache-config.ts';

const PLAN: DnsCachePlan = { name: 'd', dns: { family: 'AUTO', refreshMs: 60_000, respectTtl: true, jitterMs: 0, failure: { baseMs: 2000, maxMs: 10_000 }, servers: SYSTEM_SERVERS }, hostTtlMs: 100_000, maxHosts: 2, minRefreshMs: 5000, queryTimeoutMs: 5000, preresolve: [] };

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

test('named DNS servers are asked in turn where they rotate; as a fallback only where the system has none', () => {
  const named = { ...SYSTEM_SERVERS, named: ['1.1.1.1:53', '2.2.2.2:53'] }, system = ['9.9.9.9'];
  assert.deepEqual([serverOrder(SYSTEM_SERVERS, system, 0), serverOrder(named, system, 1)], [[], ['1.1.1.1:53', '2.2.2.2:53']]);
  assert.deepEqual([0, 1, 2].map((turn) => serverOrder({ ...named, rotate: true }, system, turn)[0]), ['1.1.1.1:53', '2.2.2.2:53', '1.1.1.1:53']);
  assert.deepEqual([serverOrder({ ...named, asFallback: true }, system, 0), serverOrder({ ...named, asFallback: true }, ['127.0.0.1'], 0)], [[], ['1.1.1.1:53', '2.2.2.2:53']]);
  assert.deepEqual(serverOrder({ ...SYSTEM_SERVERS, rotate: true }, ['a', 'b', 'c'], 4), ['b', 'c', 'a']);
});

/** A DNS server that answers every question for an A record with 10.0.0.7, and with nothing for others, or never. */
async function dnsServer(silent: boolean): Promise<{ readonly name: string; asked: number; close(): void }> {
  const socket = createSocket('udp4'), server = { name: '', asked: 0, close: () => { socket.close(); } };
  socket.on('message', (m, from) => {
    server.asked++;
    if (silent) return;
    let end = 12;
    while (m[end] !== 0) end += m[end]! + 1;
    const four = m.readUInt16BE(end + 1) === 1, head = Buffer.from(m.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2); head.writeUInt16BE(four ? 1 : 0, 6); head.writeUInt16BE(0, 10);
    socket.send(Buffer.concat([head, m.subarray(12, end + 5), four ? Buffer.from('c00c00010001000000070004' + '0a000007', 'hex') : Buffer.alloc(0)]), from.port, from.address);
  });
  await new Promise<void>((done) => { socket.bind(0, '127.0.0.1', done); });
  server.name = `127.0.0.1:${socket.address().port}`;
  return server;
}

test('query_timeout and query_tries bound a query, whose sockets are made anew after it; families that the machine has no interface for are left out', async () => {
  const silent = await dnsServer(true), good = await dnsServer(false), machine = { servers: () => ['127.0.0.1'], families: () => ({ v4: false, v6: true }), nowMs: () => 0 }, resolver = new SystemResolver(machine);
  const ask = (servers: Partial<typeof SYSTEM_SERVERS>): Promise<Resolution> => resolver.resolve('a.example', { ...PLAN.dns, family: 'V4_ONLY', servers: { ...SYSTEM_SERVERS, ...servers } });
  try {
    assert.deepEqual(await ask({ named: [silent.name], timeoutMs: 20, tries: 2, renewOnTimeout: true }), { ok: false, error: 'ETIMEOUT', empty: false });
    assert.equal(silent.asked, 2);
    assert.deepEqual(await ask({ named: [good.name] }), { ok: true, addresses: ['10.0.0.7'], ttlMs: 7000 });
    assert.equal((await ask({ named: [good.name], routableOnly: true })).ok, false);
  } finally { silent.close(); good.close(); }
});
