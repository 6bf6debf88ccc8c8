// RBAC decisions over facts: every rule, the three actions, policies in the order of their names, trees, and what is decided where nothing matches.
import assert from 'node:assert/strict';
import test from 'node:test';
import { deniedDetails, RbacEngine } from '../../../../engine/net/rbac/rbac-engine.ts';
import { ConnectionFacts, StreamFacts, type TlsFacts } from '../../../../engine/observe/stream-facts.ts';
import { RequestHeaders } from '../../../../engine/headers/headers.ts';
import type { StringMatcherPlan } from '../../../../engine/headers/string-matcher.ts';
import type { RbacAction, RbacRulePlan } from '../../../../engine/plan/rbac-plan.ts';

const ANY: RbacRulePlan = { kind: 'any' }, exact = (text: string): StringMatcherPlan => ({ kind: 'exact', text, ignoreCase: false });

function stream(over: { path?: string; header?: [string, string]; tls?: Partial<TlsFacts> } = {}): StreamFacts {
  const c = Object.assign(new ConnectionFacts(), { localIp: '10.0.0.1', localPort: 443, remoteIp: '192.0.2.7', directRemoteIp: '198.51.100.1', serverName: 'a.test', filterState: new Map([['k', 'connection']]) });
  if (over.tls !== undefined) c.tls = { peerCertificatePresented: true, peerUriSans: [], peerDnsSans: [], peerSubject: 'CN=x', ...over.tls } as TlsFacts;
  const s = new StreamFacts(c);
  s.remoteIp = '203.0.113.5';
  s.metadata = new Map([['ns', { a: { b: 'deep' } }]]);
  s.routeMetadata = { ns: { of: 'route' } };
  if (over.path !== undefined) { s.request = new RequestHeaders(); s.request.path = over.path; if (over.header !== undefined) s.request.add(...over.header); }
  return s;
}
const allows = (rule: RbacRulePlan, s: StreamFacts = stream()): boolean => new RbacEngine({ kind: 'policies', action: 'ALLOW', policies: [{ name: 'p', permissions: [rule], principals: [ANY] }] }).decide(s).allowed;

test('each rule looks at its own thing', () => {
  const range = (ip: string): { ip: string; bits: number } => ({ ip, bits: 24 });
  const yes: RbacRulePlan[] = [ANY, { kind: 'ip', of: 'destination', range: range('10.0.0.0') }, { kind: 'ip', of: 'source', range: range('192.0.2.0') }, { kind: 'ip', of: 'direct-remote', range: range('198.51.100.0') }, { kind: 'ip', of: 'remote', range: range('203.0.113.0') },
    { kind: 'port', from: 443, to: 444 }, { kind: 'server-name', name: exact('a.test') }, { kind: 'filter-state', key: 'k', string: exact('connection') },
    { kind: 'metadata', source: 'dynamic', filter: 'ns', path: ['a', 'b'], value: { kind: 'string', string: exact('deep') }, invert: false }, { kind: 'metadata', source: 'route', filter: 'ns', path: ['of'], value: { kind: 'string', string: exact('route') }, invert: false }];
  for (const rule of yes) { assert.ok(allows(rule), JSON.stringify(rule)); assert.ok(!allows({ kind: 'not', of: rule })); assert.ok(!allows({ kind: 'and', of: [rule, { kind: 'not', of: ANY }] })); assert.ok(allows({ kind: 'or', of: [{ kind: 'not', of: ANY }, rule] })); }
  for (const rule of [{ kind: 'ip', of: 'remote', range: range('192.0.2.0') }, { kind: 'port', from: 442, to: 443 }, { kind: 'path', path: exact('/') }, { kind: 'or', of: [] }, { kind: 'filter-state', key: 'other', string: exact('') }] as RbacRulePlan[]) assert.ok(!allows(rule), JSON.stringify(rule));
});

test('paths are looked at without query and fragment; a connection has no headers', () => {
  for (const path of ['/a', '/a?b=/c', '/a#b', '/a#?']) assert.ok(allows({ kind: 'path', path: exact('/a') }, stream({ path })), path);
  const role: RbacRulePlan = { kind: 'header', header: { name: 'x-role', match: { kind: 'string', string: exact('admin') }, invert: false, missingAsEmpty: false } };
  assert.ok(allows(role, stream({ path: '/', header: ['x-role', 'admin'] })));
  assert.ok(!allows(role, stream({ path: '/' })) && !allows(role));
});

test('an authenticated client is known by its URI SANs, its DNS SANs, or its subject', () => {
  const named = (name: string): RbacRulePlan => ({ kind: 'authenticated', name: exact(name) });
  const tls = { peerUriSans: ['spiffe://x'], peerDnsSans: ['x.test'] };
  for (const name of ['spiffe://x', 'x.test', 'CN=x']) assert.ok(allows(named(name), stream({ tls })), name);
  assert.ok(!allows(named('other'), stream({ tls })));
  assert.ok(allows({ kind: 'authenticated', name: null }, stream({ tls })));
  for (const s of [stream(), stream({ tls: { peerCertificatePresented: false } })]) assert.ok(!allows({ kind: 'authenticated', name: null }, s));
});

test('actions: ALLOW and DENY decide, LOG only tells; the first policy by name is the one', () => {
  const decide = (action: RbacAction, ...names: string[]): unknown => new RbacEngine({ kind: 'policies', action, policies: names.map((name) => ({ name, permissions: [ANY], principals: [ANY] })) }).decide(stream());
  assert.deepEqual(decide('ALLOW', 'a', 'b'), { allowed: true, policy: 'a', logHint: null });
  assert.deepEqual(decide('ALLOW'), { allowed: false, policy: '', logHint: null });
  assert.deepEqual(decide('DENY', 'a'), { allowed: false, policy: 'a', logHint: null });
  assert.deepEqual(decide('DENY'), { allowed: true, policy: '', logHint: null });
  assert.deepEqual(decide('LOG', 'a'), { allowed: true, policy: 'a', logHint: true });
  assert.deepEqual(decide('LOG'), { allowed: true, policy: '', logHint: false });
  assert.deepEqual([deniedDetails(''), deniedDetails('two words')], ['rbac_access_denied_matched_policy[none]', 'rbac_access_denied_matched_policy[two_words]']);
});

test('in a tree the action found decides; where none is found the answer is no', () => {
  const on = (name: string, action: RbacAction): { action: unknown; tree: null; keep: boolean } => ({ action: { name, action }, tree: null, keep: false });
  const engine = (server: string): boolean => { const s = stream(); s.connection.serverName = server; return new RbacEngine({ kind: 'tree', tree: { body: { kind: 'exact', input: { kind: 'server-name' }, entries: [['yes', on('y', 'ALLOW')], ['no', on('n', 'DENY')], ['log', on('l', 'LOG')]] }, noMatch: null } }).decide(s).allowed; };
  assert.deepEqual(['yes', 'no', 'log', 'other'].map(engine), [true, false, true, false]);
});

test('a policy matches only where its condition is true; what cannot be worked out is not', () => {
  const decide = (text: string, features = { conversion: false, concat: false, functions: false }): boolean => new RbacEngine({ kind: 'policies', action: 'ALLOW', policies: [{ name: 'p', permissions: [ANY], principals: [ANY], condition: { text, features } }] }).decide(stream({ path: '/a' })).allowed;
  for (const text of ['true', 'request.url_path == "/a"', 'connection.requested_server_name == "a.test"', 'source.address == "" || request.path.startsWith("/")']) assert.ok(decide(text), text);
  for (const text of ['false', '"text"', 'request.headers["none"] == "x"', '"a" + "b" == "ab"', '[1] + [2] == [1, 2]']) assert.ok(!decide(text), text);
  assert.ok(decide('"a" + "b" == "ab"', { conversion: false, concat: true, functions: false }));
  assert.ok(decide('"A".lowerAscii() == "a"', { conversion: false, concat: false, functions: true }));
});
