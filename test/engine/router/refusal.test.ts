// What a cluster refuses before a host is chosen: the answer, its mark, what is counted.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ResponseHeaders } from '../../../engine/headers/headers.ts';
import type { LocalReply } from '../../../engine/http/filter.ts';
import { CLUSTER } from '../../../engine/observe/stats/schemas.ts';
import { FLAG } from '../../../engine/router/failure.ts';
import { refuse } from '../../../engine/router/refusal.ts';
import type { RouterFactory } from '../../../engine/router/router-factory.ts';
import type { Cluster } from '../../../engine/upstream/upstream.ts';
import { RouterPeer } from './router-peer.ts';

test('a cluster that refuses is asked for no host; the client is told why by a header, unless those are suppressed', () => {
  for (const [why, details, flag, header] of [['maintenance', 'maintenance_mode', 'UO', 'x-envoy-overloaded'], ['drop', 'drop_overload', 'DO', 'x-envoy-drop-overload'], ['drop-all', 'unconditional_drop_overload', 'UDO', 'x-envoy-unconditional-drop-overload']] as const) {
    const p = new RouterPeer();
    p.cluster.refuses = why;
    assert.deepEqual([p.head().out, p.cluster.charged, p.cluster.streams.length], [[`local 503 ${details}`], [503], 0]);
    const reply = (suppressEnvoyHeaders: boolean): LocalReply => refuse(why, p.cluster as unknown as Cluster, p.entry, p.request, p.facts, { plan: { suppressEnvoyHeaders }, alternatives: p.router.alternatives, parts: p.router.parts } as unknown as RouterFactory);
    const headers = new ResponseHeaders(), marked = reply(false);
    marked.headers!(headers, null as never);
    assert.deepEqual([marked.body, marked.flags, headers.flat, reply(true).headers], [details.replaceAll('_', ' '), FLAG[flag], [header, 'true'], null]);
  }
});

test('a mirror that its cluster refuses is counted there as its own requests are', () => {
  for (const [why, maintained] of [['maintenance', 1], ['drop', 0]] as const) {
    const p = new RouterPeer({ forward: { mirrors: [{ cluster: 'm', header: '', fraction: null, suffix: true, host: '', mutations: [] }] } }), counted: number[] = [];
    let asked = 0;
    p.cluster.stats.inc = (i) => { counted.push(i); };
    // The request itself asks first.
    p.cluster.refusal = () => (asked++ === 0 ? null : why);
    p.head();
    assert.deepEqual([p.cluster.charged, counted.filter((i) => i === CLUSTER.upstream_rq_maintenance_mode).length], [[503], maintained]);
  }
});
