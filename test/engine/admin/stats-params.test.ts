import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Query } from '../../../engine/admin/query.ts';
import { statsParams, type StatsParams } from '../../../engine/admin/stats-params.ts';
import { compileRegex } from '../../../engine/headers/string-matcher.ts';
import { ask, FakeSource } from './fake-source.ts';

test('a filter of plain characters finds the same names as RE2 does', () => {
  const part = fc.constantFrom('a', 'b', '.', '^', '$', '|', '(', ')', '_', '-', 'rq', '1'), names = fc.array(fc.constantFrom('a', 'b', '.', '_', '-', 'rq', '1'), { maxLength: 6 }).map((p) => p.join(''));
  fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 7 }).map((p) => p.join('')), fc.array(names, { maxLength: 8 }), (pattern, list) => {
    const p = statsParams(new Query(`filter=${encodeURIComponent(pattern)}`));
    let re: ReturnType<typeof compileRegex>;
    try { re = compileRegex(pattern); } catch { assert.equal('status' in p && p.status, 400); return; }
    assert.ok(!('status' in p));
    for (const n of list) assert.equal((p as StatsParams).shown(n), re.matcher(n).find(), `${pattern} on ${n}`);
  }), { numRuns: 2000 });
});

test('any request target gets an answer', async () => {
  const s = new FakeSource(), target = fc.oneof(fc.webPath(), fc.constantFrom('/stats', '/stats/prometheus', '/config_dump', '/clusters', '/logging', '/runtime_modify', '/drain_listeners')).chain((path) => fc.tuple(fc.constant(path), fc.webQueryParameters({ size: 'small' })));
  await fc.assert(fc.asyncProperty(target, fc.constantFrom('GET', 'POST', 'HEAD', 'x'), async ([path, query], method) => {
    const { status } = await ask(s, `${path}?${query}`, method);
    assert.ok([200, 400, 404, 405, 503].includes(status), String(status));
  }), { numRuns: 500 });
});
