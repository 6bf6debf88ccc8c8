import assert from 'node:assert/strict';
import test from 'node:test';
import type { SubsetPlan } from '../../../../engine/plan/cluster-plan.ts';
import { HOST_FLAG } from '../../../../engine/shm/host-table.ts';
import { subsetsOf } from '../../../../engine/upstream/lb/subset-tree.ts';
import { MetadataCriteria } from '../../../../engine/upstream/metadata-criteria.ts';
import { World, zone } from './hosts.ts';

const selector = (keys: string[], more: Partial<SubsetPlan['selectors'][number]> = {}): SubsetPlan['selectors'][number] => ({ keys, singleHost: false, fallback: 'NOT_DEFINED', fallbackKeys: [], ...more });
const PLAN: SubsetPlan = { fallback: 'NO_FALLBACK', defaultSubset: {}, selectors: [selector(['v']), selector(['stage', 'v'])], localityAware: false, scaleLocality: false, panicAny: false, listAsAny: false, metadataFallback: false, redundantKeys: false };
const want = (o: Record<string, never> | object): MetadataCriteria => MetadataCriteria.of(o as Record<string, never>);

function world(): World {
  const w = new World();
  w.add('v1prod', { lb: { v: '1', stage: 'prod' } }); w.add('v2prod', { lb: { v: '2', stage: 'prod' } }); w.add('v2dev', { lb: { v: '2', stage: 'dev' } }); w.add('bare');
  return w;
}
const names = (w: World, plan: Partial<SubsetPlan>, criteria: MetadataCriteria | null): string[] => Object.keys(w.tally(w.balancer({ subset: { ...PLAN, ...plan } }), 24, criteria)).sort();

test('a request goes only to hosts with the metadata that it asks for', () => {
  const w = world();
  assert.deepEqual(names(w, {}, want({ v: '1' })), ['v1prod']);
  assert.deepEqual(names(w, {}, want({ v: '2' })), ['v2dev', 'v2prod']);
  assert.deepEqual(names(w, {}, want({ v: '2', stage: 'dev' })), ['v2dev']);
  assert.deepEqual(names(w, {}, want({ v: 2 })), ['none'], 'a number is not a text');
  assert.deepEqual(names(w, {}, want({ stage: 'dev' })), ['none'], 'no selector has this key alone');
  assert.deepEqual(names(w, {}, null), ['none']);
  assert.equal(w.count('lb_subsets_selected'), 72);
});

test('where there is no such subset the fallback policy holds', () => {
  const w = world();
  assert.deepEqual(names(w, { fallback: 'ANY_ENDPOINT' }, want({ v: '3' })), ['bare', 'v1prod', 'v2dev', 'v2prod']);
  assert.deepEqual(names(w, { fallback: 'DEFAULT_SUBSET', defaultSubset: { stage: 'prod' } }, want({ v: '3' })), ['v1prod', 'v2prod']);
  assert.equal(w.count('lb_subsets_fallback'), 48);
  assert.deepEqual(names(w, { fallback: 'DEFAULT_SUBSET', defaultSubset: { stage: 'none' }, panicAny: true }, null), ['bare', 'v1prod', 'v2dev', 'v2prod']);
  assert.equal(w.count('lb_subsets_fallback_panic'), 24);
});

test('a selector may have a fallback of its own: any endpoint, the default subset, fewer keys, none', () => {
  const w = world(), of = (fallback: SubsetPlan['selectors'][number]['fallback'], fallbackKeys: string[] = []): Partial<SubsetPlan> => ({ fallback: 'ANY_ENDPOINT', defaultSubset: { v: '1' }, selectors: [selector(['stage', 'v'], { fallback, fallbackKeys }), selector(['v'])] });
  const miss = want({ v: '1', stage: 'dev' });
  assert.deepEqual(names(w, of('NO_FALLBACK'), miss), ['none']);
  assert.deepEqual(names(w, of('ANY_ENDPOINT'), miss).length, 4);
  assert.deepEqual(names(w, of('DEFAULT_SUBSET'), miss), ['v1prod']);
  assert.deepEqual(names(w, of('KEYS_SUBSET', ['v']), miss), ['v1prod']);
});

test('list_as_any: a host with a list belongs to the subset of each item', () => {
  const w = new World();
  w.add('both', { lb: { v: ['1', '2'] } }); w.add('one', { lb: { v: '1' } });
  assert.deepEqual(names(w, { listAsAny: true }, want({ v: '2' })), ['both']);
  assert.deepEqual(names(w, { listAsAny: true }, want({ v: '1' })), ['both', 'one']);
  assert.deepEqual(names(w, {}, want({ v: '2' })), ['none']);
});

test('metadata_fallback_policy FALLBACK_LIST tries one set of overrides after the other', () => {
  const w = world();
  assert.deepEqual(names(w, { metadataFallback: true }, want({ fallback_list: [{ v: '9' }, { v: '1' }, { v: '2' }] })), ['v1prod']);
  assert.deepEqual(names(w, { metadataFallback: true }, want({ stage: 'prod', fallback_list: [{ v: '2' }] })), ['v2prod']);
  assert.deepEqual(names(w, { metadataFallback: true }, want({ fallback_list: [{ v: '8' }] })), ['none']);
});

test('allow_redundant_keys: keys beyond a selector\'s are passed over', () => {
  const w = world();
  assert.deepEqual(names(w, {}, want({ v: '1', other: 'x' })), ['none']);
  assert.deepEqual(names(w, { redundantKeys: true }, want({ v: '1', other: 'x' })), ['v1prod']);
});

test('a subset keeps to its own priorities and health; single_host_per_subset has one host for each value', () => {
  const w = new World();
  w.add('a', { lb: { v: '1' }, flags: HOST_FLAG.FAILED_ACTIVE_HC }); w.add('b', { lb: { v: '1' }, priority: 1 }); w.add('c', { lb: { v: '2' } });
  assert.deepEqual(names(w, {}, want({ v: '1' })), ['b']);
  const single = { ...PLAN, selectors: [selector(['v'], { singleHost: true })] };
  assert.equal(subsetsOf(w.hosts, single).duplicates, 1);
  assert.deepEqual(names(w, single, want({ v: '2' })), ['c']);
});

test('locality weights hold within a subset if it is to be aware of them, scaled by what it has of each locality', () => {
  const w = new World();
  for (let i = 0; i < 4; i++) w.add(`a${i}`, { lb: { v: i === 0 ? '1' : '2' }, locality: zone('a'), localityWeight: 8 });
  w.add('b', { lb: { v: '1' }, locality: zone('b'), localityWeight: 2 });
  const share = (plan: Partial<SubsetPlan>): number => { const n = w.tally(w.balancer({ localityWeighted: true, subset: { ...PLAN, ...plan } }), 1000, want({ v: '1' })); return n['a0']! / 1000; };
  assert.ok(Math.abs(share({}) - 0.5) < 0.02);
  assert.ok(Math.abs(share({ localityAware: true }) - 0.8) < 0.02);
  assert.ok(Math.abs(share({ localityAware: true, scaleLocality: true }) - 0.5) < 0.02);
});
