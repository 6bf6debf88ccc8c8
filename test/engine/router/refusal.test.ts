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
import type { ResetReason } from '../../../engine/codec/codec.ts';
import { formatFlags } from '../../../engine/observe/response-flags.ts';
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

test('a stream that the upstream resets is told by the code: of a protocol error 502, of CONNECT in the words of HTTP/2', () => {
  const reset = (reason: ResetReason): string[] => { const p = new RouterPeer().head(); p.upstream(0).sink.onReset(reason, null); return [...p.out, formatFlags(p.facts.flags)]; };
  assert.deepEqual(reset('protocol-error'), ['local 502 upstream_reset_before_response_started{protocol_error}', 'UPE']);
  assert.deepEqual(reset('connect-error'), ['local 503 upstream_reset_before_response_started{remote_error_with_CONNECT_request}', 'UR']);
});

test('the load shed point of filters is asked when a request has its host: what the proxy answers itself is answered still', () => {
  const shed = (o: ConstructorParameters<typeof RouterPeer>[0], hosts = true): RouterPeer => { const p = new RouterPeer(o); Object.assign((p.filter as unknown as { s: object }).s, { shedsLoad: true }); if (!hosts) p.cluster.hosts.length = 0; return p.head(); };
  const refused = shed({});
  assert.deepEqual([refused.out, refused.cluster.streams.length, refused.left], [['local 503 overload'], 0, '0 requests, 0 retries, 0 timers']);
  assert.deepEqual(shed({}, false).out, ['local 503 no_healthy_upstream']);
});

test('grpc-timeout tells the upstream what is left: of max_grpc_timeout, less the offset; of the try; of a bounded stream', () => {
  const sent = (forward: NonNullable<ConstructorParameters<typeof RouterPeer>[0]>['forward'], asked: string, grpc = true, retry?: { perTryTimeoutMs: number }): string | undefined => {
    const p = new RouterPeer({ forward: forward!, ...(retry === undefined ? {} : { retry }) });
    p.head(true, { ...(asked === '' ? {} : { 'grpc-timeout': asked }), ...(grpc ? { 'content-type': 'application/grpc' } : {}) });
    return p.request.get('grpc-timeout');
  };
  const old = { maxGrpcTimeoutMs: 1000, grpcTimeoutOffsetMs: 100 };
  assert.deepEqual([sent(old, '500m'), sent(old, '60S'), sent(old, ''), sent(old, '500m', false), sent({}, '60S')], ['400m', '1000m', '1000m', '500m', '60S']);
  assert.equal(sent({ maxGrpcTimeoutMs: 30_000 }, '20S', true, { perTryTimeoutMs: 2000 }), '2000m');
  const bounded = (forward: object, asked: string, otherwise: number): (number | string | undefined)[] => { const p = new RouterPeer({ forward: { newTimeouts: true, ...forward } }); p.request.add('content-type', 'application/grpc'); if (asked !== '') p.request.add('grpc-timeout', asked); return [p.entry.streamDurationMs(p.request, otherwise), p.request.get('grpc-timeout')]; };
  const cap = { grpcHeaderMaxMs: 1000, grpcHeaderOffsetMs: 100 };
  assert.deepEqual([bounded(cap, '60S', 0), bounded(cap, '500m', 0), bounded(cap, '50m', 0), bounded(cap, '', 7000)], [[900, '900m'], [400, '400m'], [1, '0m'], [7000, '7000m']]);
  assert.deepEqual([bounded({ maxStreamDurationMs: 2000 }, '60S', 0), bounded({ maxStreamDurationMs: 0 }, '60S', 7000), bounded({}, '60S', 0)], [[2000, '2000m'], [0, undefined], [0, '60S']]);
});
