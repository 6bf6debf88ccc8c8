// Descriptors of requests: what each action gives, which lack of a value leaves out an entry and which the whole descriptor.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RequestHeaders } from '../../../../engine/headers/headers.ts';
import { RateLimitPolicy } from '../../../../engine/http/rate-limit/rate-limits.ts';
import type { Route } from '../../../../engine/http/route.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';
import type { OperatorEnv } from '../../../../engine/observe/format/operators.ts';
import { parseFormat } from '../../../../engine/observe/format/parse.ts';
import { ManualClock } from '../../../../engine/loop/clock.ts';
import { Runtime } from '../../../../engine/loop/runtime.ts';
import type { RateLimitActionPlan, RateLimitValuePlan } from '../../../../engine/plan/rate-limit-plan.ts';

function stream(): StreamFacts {
  const s = new StreamFacts(new ConnectionFacts());
  s.remoteIp = '192.0.2.77';
  s.request = new RequestHeaders();
  s.request.path = '/a?user=amy&empty=';
  s.request.add('x-user', 'bob'); s.request.add('x-user', 'eve');
  s.metadata = new Map([['ns', { tier: 'gold', n: 1 }]]);
  s.routeMetadata = { ns: { tier: 'route' } };
  return s;
}
const runtime = new Runtime(), ENV = { runtime, clock: new ManualClock(), operators: {} as OperatorEnv }, ROUTE = { clusterName: () => 'there' } as unknown as Route;
const of = (...actions: RateLimitActionPlan[]): unknown => new RateLimitPolicy({ stage: 0, actions, hits: null, tells: null }, ENV).descriptor(stream(), 'here', ROUTE)?.entries ?? null;
const text = (value: string): RateLimitValuePlan => ({ text: value, format: null, always: false, fallback: '' });
const user = (header: string, skip: boolean): RateLimitActionPlan => ({ kind: 'header', header, key: 'u', skip });

test('each action gives its entry', () => {
  assert.deepEqual(of({ kind: 'generic', key: 'generic_key', value: text('x') }, { kind: 'source-cluster' }, { kind: 'remote-address', bits4: -1, bits6: -1, masked: false }, { kind: 'remote-address', bits4: 26, bits6: 128, masked: true }, user('x-user', false), { kind: 'query', parameter: 'user', key: 'q', skip: false },
    { kind: 'metadata', key: 'm', source: 'dynamic', filter: 'ns', path: ['tier'], fallback: '', skip: false }, { kind: 'metadata', key: 'r', source: 'route', filter: 'ns', path: ['tier'], fallback: '', skip: false }, { kind: 'metadata', key: 'f', source: 'dynamic', filter: 'ns', path: ['none'], fallback: 'else', skip: false }), [
    ['generic_key', 'x'], ['source_cluster', 'here'], ['remote_address', '192.0.2.77'], ['masked_remote_address', '192.0.2.64/26'], ['u', 'bob'], ['q', 'amy'], ['m', 'gold'], ['r', 'route'], ['f', 'else']]);
});

test('without a value an entry that may be skipped is left out, else there is no descriptor', () => {
  const fixed: RateLimitActionPlan = { kind: 'generic', key: 'k', value: text('v') };
  assert.deepEqual(of(fixed, user('x-none', true)), [['k', 'v']]);
  for (const lacking of [user('x-none', false), { kind: 'query', parameter: 'other', key: 'q', skip: false }, { kind: 'metadata', key: 'm', source: 'dynamic', filter: 'ns', path: ['n'], fallback: '', skip: false }] as RateLimitActionPlan[]) assert.equal(of(fixed, lacking), null);
});

test('value matches count when they come out as expected', () => {
  const match = (expect: boolean, name: string): RateLimitActionPlan => ({ kind: 'header-match', key: 'h', value: text('yes'), expect, headers: [{ name, match: { kind: 'present', present: true }, invert: false, missingAsEmpty: false }] });
  assert.deepEqual([of(match(true, 'x-user')), of(match(false, 'x-user')), of(match(true, 'x-none')), of(match(false, 'x-none'))], [[['h', 'yes']], null, null, [['h', 'yes']]]);
  const query = (present: boolean): RateLimitActionPlan => ({ kind: 'query-match', key: 'q', value: text('yes'), expect: true, query: [{ name: 'user', string: { kind: 'exact', text: 'amy', ignoreCase: false }, present: true }, { name: 'other', string: null, present }] });
  assert.deepEqual([of(query(false)), of(query(true))], [[['q', 'yes']], null]);
});

test('the cluster that a request goes to, and a client of some ranges, or of none of them', () => {
  const match = (ip: string, invert: boolean): RateLimitActionPlan => ({ kind: 'remote-address-match', key: 'ours', value: text('yes'), ranges: [{ ip: '10.0.0.0', bits: 8 }, { ip, bits: 24 }], invert });
  assert.deepEqual(of({ kind: 'destination-cluster' }, match('192.0.2.0', false)), [['destination_cluster', 'there'], ['ours', 'yes']]);
  assert.deepEqual([of(match('192.0.3.0', false)), of(match('192.0.2.0', true)), of(match('192.0.3.0', true))], [null, null, [['ours', 'yes']]]);
});

test('a value is a format where the runtime says so, of a remote address always; without any value there is a default or no descriptor', () => {
  const format = (always: boolean, fallback: string, header: string): RateLimitActionPlan => ({ kind: 'remote-address-match', key: 'k', ranges: [], invert: true, value: { text: 'as it stands', format: parseFormat(`%REQ(${header})%`), always, fallback } });
  const all = (): unknown => [of(format(true, '', 'x-user')), of(format(true, 'none', 'x-none')), of(format(true, '', 'x-none')), of(format(false, '', 'x-user'))];
  assert.deepEqual(all(), [[['k', 'bob']], [['k', 'none']], null, [['k', 'as it stands']]]);
  runtime.install({ 'envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value': true });
  assert.deepEqual(all(), [[['k', 'bob']], [['k', 'none']], null, [['k', 'bob']]]);
  runtime.install({});
});

test('an input of matcher trees and an expression give entries', () => {
  assert.deepEqual(of({ kind: 'input', key: 'i', input: { kind: 'request-header', name: 'x-user' } }, { kind: 'expression', key: 'e', text: "request.path + ''", skip: true }, { kind: 'expression', key: 'n', text: 'size(request.path)', skip: false }, { kind: 'expression', key: 'x', text: "request.headers['x-none']", skip: true }), [['i', 'bob,eve'], ['e', '/a?user=amy&empty='], ['n', '18']]);
  assert.equal(of({ kind: 'input', key: 'i', input: { kind: 'request-header', name: 'x-none' } }), null);
  assert.equal(of({ kind: 'expression', key: 'x', text: "request.headers['x-none']", skip: false }), null);
});

test('hits are a number or what a format gives; no number that may be gives no descriptor', () => {
  const hits = (format: string, value: string): unknown => { const s = stream(); s.request!.set('x-hits', value); return new RateLimitPolicy({ stage: 0, actions: [], hits: { number: 1, format: format === '' ? null : parseFormat(format), refill: false }, tells: null }, ENV).descriptor(s, '', null)?.hits ?? null; };
  assert.deepEqual(['2', '1.7', '0', '-1', 'abc', '', '2000000000'].map((v) => hits('%REQ(x-hits)%', v)), [2, 1, 0, null, null, null, null]);
  assert.equal(hits('', ''), 1);
});
