// Matcher trees: every kind of node over the facts of connections and streams, in Envoy's order.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RequestHeaders } from '../../../../engine/headers/headers.ts';
import { MatchTree } from '../../../../engine/net/match/match-tree.ts';
import { ConnectionFacts, StreamFacts, type MetadataValue } from '../../../../engine/observe/stream-facts.ts';
import type { MatchInputPlan, MatchTreePlan, OnMatchPlan, PredicatePlan } from '../../../../engine/plan/match-plan.ts';

const go = (action: string, keep = false): OnMatchPlan => ({ action, tree: null, keep });
const into = (tree: MatchTreePlan, keep = false): OnMatchPlan => ({ action: null, tree, keep });
const tree = (body: MatchTreePlan['body'], noMatch: OnMatchPlan | null = null): MatchTreePlan => ({ body, noMatch });
const header = (name: string): MatchInputPlan => ({ kind: 'request-header', name });
const is = (input: MatchInputPlan, text: string): PredicatePlan => ({ kind: 'string', input, string: { kind: 'exact', text, ignoreCase: false } });

function stream(o: { headers?: Record<string, string>; path?: string; metadata?: Record<string, { [k: string]: MetadataValue }>; connection?: Partial<ConnectionFacts>; remoteIp?: string } = {}): StreamFacts {
  const s = new StreamFacts(Object.assign(new ConnectionFacts(), { remoteIp: '10.0.0.9', remotePort: 99, localIp: '192.168.0.1', localPort: 8080, ...o.connection }));
  s.remoteIp = o.remoteIp ?? s.connection.remoteIp;
  s.request = Object.assign(new RequestHeaders(), { path: o.path ?? '/', method: 'GET', authority: 'h' });
  for (const [k, v] of Object.entries(o.headers ?? {})) for (const one of v.split('|')) s.request.add(k, one);
  if (o.metadata !== undefined) s.metadata = new Map(Object.entries(o.metadata));
  return s;
}
const find = (plan: MatchTreePlan, s: StreamFacts): string | null => new MatchTree(plan, (a) => a as string).match(s.connection, s);

test('a list: the first entry that leads to an action; a subtree without one counts as no match; on_no_match in the end', () => {
  const plan = tree({ kind: 'list', entries: [
    { predicate: is(header('a'), '1'), on: into(tree({ kind: 'list', entries: [{ predicate: is(header('b'), '1'), on: go('a and b') }] })) },
    { predicate: is(header('a'), '1'), on: go('a') }, { predicate: is(header('c'), '1'), on: go('c') },
  ] }, go('none'));
  assert.equal(find(plan, stream({ headers: { a: '1', b: '1' } })), 'a and b');
  assert.equal(find(plan, stream({ headers: { a: '1' } })), 'a');
  assert.equal(find(plan, stream({ headers: { c: '1' } })), 'c');
  assert.equal(find(plan, stream()), 'none');
  assert.equal(find(tree(plan.body), stream()), null);
});

test('keep_matching passes an entry over, its subtree too', () => {
  const yes = is(header('a'), '1');
  assert.equal(find(tree({ kind: 'list', entries: [{ predicate: yes, on: go('kept', true) }, { predicate: yes, on: into(tree({ kind: 'none' }, go('kept')), true) }, { predicate: yes, on: go('taken') }] }), stream({ headers: { a: '1' } })), 'taken');
  assert.equal(find(tree({ kind: 'none' }, go('x', true)), stream()), null);
});

test('and, or, not; a missing value matches nothing, so its negation everything', () => {
  const a = is(header('a'), '1'), b = is(header('b'), '1');
  const at = (predicate: PredicatePlan, headers: Record<string, string>): boolean => find(tree({ kind: 'list', entries: [{ predicate, on: go('y') }] }), stream({ headers })) === 'y';
  assert.deepEqual([at({ kind: 'and', of: [a, b] }, { a: '1' }), at({ kind: 'and', of: [a, b] }, { a: '1', b: '1' }), at({ kind: 'or', of: [a, b] }, { b: '1' }), at({ kind: 'not', of: a }, {}), at({ kind: 'not', of: a }, { a: '1' })], [false, true, true, true, false]);
});

test('repeated headers are joined; pseudo headers, query parameters', () => {
  const at = (input: MatchInputPlan, text: string, o: Parameters<typeof stream>[0]): boolean => find(tree({ kind: 'list', entries: [{ predicate: is(input, text), on: go('y') }] }), stream(o)) === 'y';
  assert.equal(at(header('a'), '1,2', { headers: { a: '1|2' } }), true);
  assert.equal(at(header(':path'), '/x?q=1', { path: '/x?q=1' }), true);
  assert.equal(at({ kind: 'query', name: 'q' }, 'a b', { path: '/x?p&q=a%20b&q=c' }), true);
  assert.equal(at({ kind: 'query', name: 'p' }, '', { path: '/x?p&q=1' }), true);
  assert.equal(at({ kind: 'query', name: 'z' }, '', { path: '/x?p' }), false);
});

test('connection inputs', () => {
  const s = stream({ connection: { serverName: 'sni.x', transportProtocol: 'tls', requestedApplicationProtocols: ['h2'], directRemoteIp: '10.9.9.9' }, remoteIp: '1.2.3.4' });
  const table: [MatchInputPlan['kind'], string | null][] = [['destination-ip', '192.168.0.1'], ['destination-port', '8080'], ['source-ip', '1.2.3.4'], ['direct-source-ip', '10.9.9.9'], ['server-name', 'sni.x'], ['transport-protocol', 'tls'], ['application-protocol', "'h2'"], ['source-type', null], ['dns-san', null], ['status', null]];
  for (const [kind, want] of table) {
    const input = { kind } as MatchInputPlan;
    assert.equal(find(tree({ kind: 'exact', input, entries: [[want ?? '', go('y')]] }), s), want === null ? null : 'y', kind);
  }
  const c = stream({ connection: { remoteIp: '127.0.0.1' } }).connection;
  assert.equal(new MatchTree(tree({ kind: 'exact', input: { kind: 'source-type' }, entries: [['local', go('y')]] }), (a) => a as string).match(c, null), 'y', 'without a stream');
});

test('exact and prefix maps: the longest prefix first, a shorter one where its tree finds nothing', () => {
  const prefixes = tree({ kind: 'prefix', input: header(':path'), entries: [['/', go('root')], ['/a', go('a')], ['/a/b', into(tree({ kind: 'exact', input: header('x'), entries: [['1', go('deep')]] }))], ['', go('any')]] }, go('none'));
  assert.equal(find(prefixes, stream({ path: '/a/b/c', headers: { x: '1' } })), 'deep');
  assert.equal(find(prefixes, stream({ path: '/a/b/c' })), 'a');
  assert.equal(find(prefixes, stream({ path: '/z' })), 'root');
  assert.equal(find(prefixes, stream({ path: 'z' })), 'any');
  assert.equal(find(tree({ kind: 'exact', input: header('x'), entries: [['1', go('one')]] }, go('none')), stream({ headers: { x: '2' } })), 'none');
});

test('address ranges: the most specific first; exclusive stops the search', () => {
  const entries = (exclusive: boolean) => [
    { ranges: [{ ip: '10.0.0.0', bits: 8 }, { ip: 'fd00::', bits: 8 }], exclusive: false, on: go('wide') },
    { ranges: [{ ip: '10.1.0.0', bits: 16 }], exclusive, on: into(tree({ kind: 'exact', input: header('x'), entries: [['1', go('narrow')]] })) },
  ];
  const at = (ip: string, exclusive = false, headers: Record<string, string> = {}): string | null => find(tree({ kind: 'ranges', input: { kind: 'source-ip' }, entries: entries(exclusive) }, go('none')), stream({ remoteIp: ip, headers }));
  assert.deepEqual([at('10.1.2.3', false, { x: '1' }), at('10.1.2.3'), at('10.1.2.3', true), at('10.2.0.1'), at('fd12::1'), at('11.0.0.1'), at('')], ['narrow', 'wide', 'none', 'wide', 'wide', 'none', 'none']);
});

test('domains: exact, then the longest wildcard, then any', () => {
  const plan = tree({ kind: 'domains', input: { kind: 'server-name' }, entries: [{ domains: ['a.example.com'], on: go('exact') }, { domains: ['*.example.com'], on: go('suffix') }, { domains: ['*.com'], on: go('com') }, { domains: ['*'], on: go('any') }] });
  const at = (serverName: string): string | null => find(plan, stream({ connection: { serverName } }));
  assert.deepEqual([at('A.example.com'), at('b.example.com'), at('x.y.example.com'), at('b.com'), at('org'), at('')], ['exact', 'suffix', 'suffix', 'com', 'any', null]);
});

test('metadata by value, list and alternative; addresses by range', () => {
  const at = (predicate: PredicatePlan, s: StreamFacts): boolean => find(tree({ kind: 'list', entries: [{ predicate, on: go('y') }] }), s) === 'y';
  const s = stream({ metadata: { ns: { roles: ['a', 'b'], n: 3 } } });
  const value = (path: string[], v: Extract<PredicatePlan, { kind: 'value' }>['value'], invert = false): PredicatePlan => ({ kind: 'value', input: { kind: 'metadata', filter: 'ns', path }, value: v, invert });
  const text = (t: string): Extract<PredicatePlan, { kind: 'value' }>['value'] => ({ kind: 'string', string: { kind: 'exact', text: t, ignoreCase: false } });
  assert.equal(at(value(['roles'], { kind: 'list', one: text('b') }), s), true);
  assert.equal(at(value(['roles'], { kind: 'list', one: text('c') }), s), false);
  assert.equal(at(value(['roles'], { kind: 'list', one: text('c') }, true), s), true);
  assert.equal(at(value(['n'], { kind: 'or', of: [text('3'), { kind: 'range', from: 3, to: 4 }] }), s), true);
  assert.equal(at(value(['none'], { kind: 'present', present: false }), s), true);
  assert.equal(at({ kind: 'ip', input: { kind: 'source-ip' }, ranges: [{ ip: '10.0.0.0', bits: 24 }] }, s), true);
  assert.equal(at({ kind: 'ip', input: { kind: 'source-ip' }, ranges: [{ ip: '10.0.1.0', bits: 24 }] }, s), false);
});

test('a prefix map gives what trying every prefix gives', () => {
  const keys = fc.uniqueArray(fc.stringMatching(/^[ab]{0,4}$/), { maxLength: 8 });
  fc.assert(fc.property(keys, fc.stringMatching(/^[ab]{0,6}$/), (list, value) => {
    const best = list.filter((k) => value.startsWith(k)).sort((x, y) => y.length - x.length)[0] ?? null;
    assert.equal(find(tree({ kind: 'prefix', input: header('v'), entries: list.map((k) => [k, go(`=${k}`)] as const) }), stream({ headers: { v: value } })), best === null ? null : `=${best}`);
  }), { numRuns: 500 });
});
