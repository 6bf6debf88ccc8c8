// Which chain takes a connection: Envoy's order of criteria, the most specific first, and nothing widened again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FilterChainMatcher } from '../../../engine/net/filter-chain-match.ts';
import { ConnectionFacts } from '../../../engine/observe/stream-facts.ts';
import type { FilterChainMatchPlan } from '../../../engine/plan/listener-plan.ts';

const ANY: FilterChainMatchPlan = { destinationPort: -1, prefixRanges: [], serverNames: [], transportProtocol: '', applicationProtocols: [], directSourceRanges: [], sourceType: 'ANY', sourceRanges: [], sourcePorts: [] };
type Wanted = Partial<FilterChainMatchPlan>;
const matcher = (chains: Record<string, Wanted>, fallback: string | null = null): FilterChainMatcher<string> => new FilterChainMatcher(Object.entries(chains).map(([chain, m]) => ({ chain, match: { ...ANY, ...m } })), fallback);
const facts = (over: Partial<ConnectionFacts>): ConnectionFacts => Object.assign(new ConnectionFacts(), { localIp: '10.0.0.1', localPort: 443, remoteIp: '192.0.2.7', remotePort: 999, directRemoteIp: '192.0.2.7' }, over);

test('server names: exact, then the longest wildcard, then chains without names', () => {
  const m = matcher({ exact: { serverNames: ['a.example.com'] }, near: { serverNames: ['*.b.example.com'] }, far: { serverNames: ['*.example.com'] }, rest: {} });
  for (const [name, chain] of [['a.example.com', 'exact'], ['x.b.example.com', 'near'], ['y.x.b.example.com', 'near'], ['b.example.com', 'far'], ['x.a.example.com', 'far'], ['example.com', 'rest'], ['', 'rest'], ['example.org', 'rest']] as const) assert.equal(m.find(facts({ serverName: name })), chain, name);
});

test('a name that matches with the wrong protocol matches nothing, not the next best', () => {
  const m = matcher({ h2: { serverNames: ['a.test'], applicationProtocols: ['h2'] }, h1: { serverNames: ['a.test'], applicationProtocols: ['http/1.1', 'http/1.0'] }, rest: {} });
  const find = (...offered: string[]): string | null => m.find(facts({ serverName: 'a.test', requestedApplicationProtocols: offered }));
  assert.deepEqual([find('h2', 'http/1.1'), find('http/1.1', 'h2'), find('foo', 'http/1.0'), find('foo'), find()], ['h2', 'h1', 'h1', null, null]);
  assert.equal(m.find(facts({ serverName: 'b.test' })), 'rest');
});

test('ports and addresses of the destination come before names', () => {
  const m = matcher({ port: { destinationPort: 443, serverNames: ['a.test'] }, near: { destinationPort: 80, prefixRanges: [{ ip: '10.0.0.0', bits: 24 }] }, far: { destinationPort: 80, prefixRanges: [{ ip: '10.0.0.0', bits: 8 }], serverNames: ['a.test'] }, rest: {} }, 'default');
  assert.equal(m.find(facts({ serverName: 'a.test' })), 'port');
  assert.equal(m.find(facts({ serverName: 'b.test' })), 'default', 'the port is found, its names are not');
  assert.equal(m.find(facts({ localPort: 80, serverName: 'a.test' })), 'near');
  assert.equal(m.find(facts({ localPort: 80, localIp: '10.9.0.1', serverName: 'a.test' })), 'far');
  assert.equal(m.find(facts({ localPort: 8080 })), 'rest');
});

test('direct source, source type, source and source ports, in this order', () => {
  const m = matcher({ direct: { directSourceRanges: [{ ip: '192.0.2.0', bits: 24 }], sourcePorts: [1] }, local: { sourceType: 'SAME_IP_OR_LOOPBACK' }, external: { sourceType: 'EXTERNAL', sourceRanges: [{ ip: '198.51.100.0', bits: 24 }] }, port: { sourceType: 'EXTERNAL', sourcePorts: [999] } }, 'default');
  assert.equal(m.find(facts({ remotePort: 1 })), 'direct');
  assert.equal(m.find(facts({})), 'default', 'the direct source is found, its ports are not');
  const other = { directRemoteIp: '203.0.113.1' };
  assert.equal(m.find(facts({ ...other, remoteIp: '127.0.0.1' })), 'local');
  assert.equal(m.find(facts({ ...other, remoteIp: '10.0.0.1' })), 'local');
  assert.equal(m.find(facts({ ...other, remoteIp: '198.51.100.9' })), 'external');
  assert.equal(m.find(facts(other)), 'port');
});

test('a matcher tree names chains; what it does not name falls to the default chain', () => {
  const on = (action: number): { action: number; tree: null; keep: false } => ({ action, tree: null, keep: false });
  const m = new FilterChainMatcher(['a', 'b'].map((chain) => ({ chain, match: null })), 'default', { body: { kind: 'exact', input: { kind: 'server-name' }, entries: [['a.test', on(0)], ['b.test', on(1)], ['gone.test', on(-1)]] }, noMatch: null });
  assert.deepEqual(['a.test', 'b.test', 'gone.test', 'c.test'].map((serverName) => m.find(facts({ serverName }))), ['a', 'b', 'default', 'default']);
});
