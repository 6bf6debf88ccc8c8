import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { LayerPlan } from '../../../../engine/control/compile/process-config.ts';
import { flatten, parseValue, RuntimeLayers } from '../../../../engine/control/runtime/layers.ts';

function layers(plans: LayerPlan[], cluster = ''): { r: RuntimeLayers; stats: Map<string, number>; warnings: string[] } {
  const stats = new Map<string, number>(), warnings: string[] = [];
  const r = new RuntimeLayers(plans, cluster, { set: (n, _k, v) => { stats.set(n, v); }, add: (n) => { stats.set(n, (stats.get(n) ?? 0) + 1); }, warn: (m) => { warnings.push(m); } });
  return { r, stats, warnings };
}

function folder(t: TestContext): string { const dir = mkdtempSync(join(tmpdir(), 'weir-runtime-')); t.after(() => rmSync(dir, { recursive: true, force: true })); return dir; }

test('values: numbers, booleans, fractions in percent, text', () => {
  assert.deepEqual(['12', '1.5', 'true', 'false', 'hello', '', '{numerator: 3, denominator: TEN_THOUSAND}', '{"numerator":5}'].map(parseValue), [12, 1.5, true, false, 'hello', '', 0.03, 5]);
  const faults: string[] = [];
  const l = flatten({ a: { b: 1, c: { d: 'x' } }, f: { numerator: 3, denominator: 'HUNDRED' }, bad: [1], none: null }, (k) => faults.push(k));
  assert.deepEqual([...l].map(([k, e]) => [k, e.value]), [['a.b', 1], ['a.c.d', 'x'], ['f', 3]]);
  assert.deepEqual(faults, ['bad', 'none']);
});

test('later layers win, the admin layer is changed and taken back, the table shows every layer', () => {
  const { r, stats } = layers([{ name: 'one', kind: 'static', values: { a: 1, t: 'x' } }, { name: 'two', kind: 'static', values: { a: 2 } }, { name: 'mine', kind: 'admin' }]);
  assert.deepEqual(r.values(), { a: 2, t: 'x' });
  assert.equal(r.modify([['a', '3'], ['new', 'y']]), true);
  assert.deepEqual(r.values(), { a: 3, t: 'x', new: 'y' });
  assert.deepEqual([...r.table().entries], [['a', ['1', '2', '3']], ['t', ['x', '', '']], ['new', ['', '', 'y']]]);
  assert.equal(stats.get('runtime.admin_overrides_active'), 1);
  r.modify([['a', ''], ['new', '']]);
  assert.deepEqual(r.values(), { a: 2, t: 'x' });
  assert.deepEqual([stats.get('runtime.num_keys'), stats.get('runtime.num_layers'), stats.get('runtime.admin_overrides_active')], [2, 3, 0]);
  assert.equal(layers([{ name: 'one', kind: 'static', values: {} }]).r.modify([['a', '1']]), false);
});

test('a disk layer: files are keys, comments are left out, the link is swapped, an unreadable one keeps what was', (t) => {
  const dir = folder(t), link = join(dir, 'current');
  for (const [v, value] of [['v1', '5'], ['v2', '6']] as const) {
    mkdirSync(join(dir, v, 'envoy', 'router'), { recursive: true });
    mkdirSync(join(dir, v, 'override', 'front'), { recursive: true });
    writeFileSync(join(dir, v, 'envoy', 'router', 'share'), `# a comment\n${value}\n`);
    writeFileSync(join(dir, v, 'override', 'front', 'only'), 'here');
  }
  symlinkSync(join(dir, 'v1'), link);
  const { r, stats, warnings } = layers([{ name: 'disk', kind: 'disk', root: link, subdirectory: 'envoy', appendCluster: false }, { name: 'over', kind: 'disk', root: link, subdirectory: 'override', appendCluster: true }], 'front');
  assert.deepEqual(r.values(), { 'router.share': 5, only: 'here' });
  assert.deepEqual(r.watched, [link, link]);
  unlinkSync(link); symlinkSync(join(dir, 'v2'), link);
  r.load();
  assert.equal(r.values()['router.share'], 6);
  assert.equal(stats.get('runtime.override_dir_exists'), 2);
  let deep = join(dir, 'v2', 'envoy');
  for (let i = 0; i < 20; i++) deep = join(deep, 'd');
  mkdirSync(deep, { recursive: true });
  r.load();
  assert.equal(stats.get('runtime.load_error'), 1);
  assert.equal(r.values()['router.share'], 6);
  assert.match(warnings[0]!, /Walk recursion depth exceeded/);
});
