import assert from 'node:assert/strict';
import test from 'node:test';
import { RequestHeaders } from '../../../engine/headers/headers.ts';
import type { Route, RouteTable } from '../../../engine/http/route.ts';
import { ScopedRoutes, scopeFragment } from '../../../engine/http/scoped-routes.ts';
import { ConnectionFacts, StreamFacts } from '../../../engine/observe/stream-facts.ts';

const request = (headers: Record<string, string>): RequestHeaders => { const r = new RequestHeaders(); for (const [k, v] of Object.entries(headers)) r.add(k, v); return r; };
const element = { header: 'x-scope', separator: ';', index: 0, key: 'tenant', keySeparator: '=' };

test('a fragment by the key of an element, or by its index; what a header has not, no scope has', () => {
  const by = (value: string, plan: object = {}): string | null => scopeFragment({ ...element, ...plan }, request({ 'x-scope': value }));
  assert.deepEqual([by('a=b;tenant=two;c'), by('tenant'), by('tenant=a=b'), by('x'), by('')], ['two', '', 'a=b', null, null]);
  assert.deepEqual([by('a;b', { key: null, index: 1 }), by('a;b', { key: null, index: 2 }), by('a;b', { key: null, separator: '' })], ['b', null, 'a;b']);
  assert.equal(scopeFragment(element, request({})), null);
});

test('the table of the whole key is asked; others, and half keys, have no route', () => {
  const table = (name: string): RouteTable => ({ name, match: () => ({ name }) as Route, internalOnly: () => [] });
  const scopes = new ScopedRoutes({ name: 's', fragments: [element, { header: 'x-env', separator: '', index: 0, key: null, keySeparator: '' }], tables: [{ fragments: ['one', 'prod'], routesKey: 'a' }, { fragments: ['one', 'test'], routesKey: 'b' }] }, (key) => ({ current: key === 'b' ? null : table(key) }));
  const facts = new StreamFacts(new ConnectionFacts());
  const ask = (headers: Record<string, string>): string | undefined => scopes.match(request(headers), facts, 0)?.name;
  assert.deepEqual([ask({ 'x-scope': 'tenant=one', 'x-env': 'prod' }), ask({ 'x-scope': 'tenant=one', 'x-env': 'test' }), ask({ 'x-scope': 'tenant=one', 'x-env': 'dev' }), ask({ 'x-scope': 'tenant=one' })], ['a', undefined, undefined, undefined]);
});
