// The index over a virtual host's routes gives every route that can match, in order.
import { PathTemplate } from '../../../../engine/router/match/path-template.ts';
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { PathMatchPlan } from '../../../../engine/plan/route-plan.ts';
import { RouteIndex } from '../../../../engine/router/match/route-index.ts';

const all = (index: RouteIndex, path: string): number[] => { const out: number[] = []; index.begin(path); for (let n = index.next(); n >= 0; n = index.next()) out.push(n); return out; };
const FILL: PathMatchPlan[] = Array.from({ length: 40 }, () => ({ kind: 'prefix', text: '/zz', ignoreCase: false }));

test('few routes, or routes of which most have no text to begin with, are not indexed', () => {
  assert.equal(RouteIndex.of(FILL.slice(0, 5)), null);
  assert.equal(RouteIndex.of(Array.from({ length: 40 }, () => ({ kind: 'regex', regex: 'a' }))), null);
  assert.notEqual(RouteIndex.of(FILL), null);
});

test('what a scan would match is among what the index gives, and both are in order', () => {
  const text = fc.stringMatching(/^\/[ab/]{0,4}$/);
  const path = fc.oneof(fc.record({ kind: fc.constantFrom('prefix' as const, 'path' as const, 'separated' as const), text, ignoreCase: fc.constant(false) }), fc.record({ kind: fc.constant('prefix' as const), text, ignoreCase: fc.constant(true) }), fc.constant<PathMatchPlan>({ kind: 'regex', regex: '.*' }), fc.constant<PathMatchPlan>({ kind: 'connect' }));
  fc.assert(fc.property(fc.array(path, { maxLength: 12 }), fc.stringMatching(/^\/[ab/]{0,6}(\?[ab]*)?$/), (list, asked) => {
    const plans: PathMatchPlan[] = [...list, ...FILL], index = RouteIndex.of(plans)!, given = all(index, asked);
    assert.deepEqual(given, [...given].sort((a, b) => a - b));
    const bare = asked.split('?')[0]!;
    plans.forEach((p, n) => {
      const can = p.kind === 'regex' || p.kind === 'connect' || p.kind === 'template' || p.ignoreCase || (p.kind === 'prefix' ? asked.startsWith(p.text) : p.kind === 'path' ? bare === p.text : bare.startsWith(p.text) && (bare.length === p.text.length || bare[p.text.length] === '/'));
      if (can) assert.ok(given.includes(n), `${JSON.stringify(p)} for ${asked}`);
    });
  }), { numRuns: 500 });
});

// What Envoy 1.40 answered for each of them.
test("a '*' within a literal of a path template repeats what stands before it, as in Envoy", () => {
  const paths = ['/x', '/xa', '/xab', '/x/a', '/a', '/ab', '/a/b', '/', '/x*', '/xy', '/xay', '/a/x/b', '/a/xz/b', '/a/b/c'];
  for (const [template, wanted] of [
    ['/x*', ['/x', '/']], ['/x*y', ['/xy']], ['/{a}*', ['/x', '/xa', '/xab', '/a', '/ab', '/', '/x*', '/xy', '/xay']], ['/{a=*}*', ['/x', '/xa', '/xab', '/a', '/ab', '/', '/x*', '/xy', '/xay']], ['/x**', []], ['/a/x*/b', ['/a/x/b']],
    ['/x{a}', ['/xa', '/xab', '/x*', '/xy', '/xay']],
  ] as const) assert.deepEqual(paths.filter((p) => new PathTemplate(template).matches(p)), wanted, template);
  const long = `/${'a'.repeat(50_000)}/`;
  assert.equal(new PathTemplate('/{a}*').matches(long), false, 'in linear time');
});
