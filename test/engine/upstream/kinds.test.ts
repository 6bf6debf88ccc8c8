import { unresolved } from '../../../engine/filters/http/dynamic-forward-proxy/failures.ts';
import { formatFlags } from '../../../engine/observe/response-flags.ts';
import assert from 'node:assert/strict';
import test from 'node:test';
import { RequestHeaders } from '../../../engine/headers/headers.ts';
import { ConnectionFacts, StreamFacts } from '../../../engine/observe/stream-facts.ts';
import { HOST_FLAG } from '../../../engine/shm/host-table.ts';
import { PoolWorld, Request } from './pool-world.ts';

const LIMITS = [9, 9, 9, 3, 9] as const;

function aggregate(): PoolWorld {
  const w = new PoolWorld({ kind: { kind: 'aggregate', clusters: ['first', 'second'] } }, LIMITS, 0);
  w.install({ name: 'first', statName: 'first', circuits: [2, 3] }, LIMITS, [w.host(0), w.host(1)]);
  w.install({ name: 'second', statName: 'second', circuits: [4, 5] }, LIMITS, [w.host(2)]);
  return w;
}
const tally = (w: PoolWorld, n = 200): Record<string, number> => { const out: Record<string, number> = {}; for (let i = 0; i < n; i++) { const k = w.cluster.choose(w.ctx)?.text ?? 'none'; out[k] = (out[k] ?? 0) + 1; } return out; };

test('an aggregate goes to its first member, and to the next as that loses health', () => {
  const w = aggregate();
  assert.deepEqual(tally(w), { '10.0.0.1:80': 100, '10.0.0.2:80': 100 });
  w.shared.hosts.setFlags(0, HOST_FLAG.FAILED_ACTIVE_HC);
  w.shared.words.bumpHealthEpoch();
  const half = tally(w, 1000);
  assert.ok(half['10.0.0.2:80']! > 640 && half['10.0.0.2:80']! < 760 && half['10.0.0.1:80'] === undefined, JSON.stringify(half)); // 1.4 × ½
  w.shared.hosts.setFlags(1, HOST_FLAG.FAILED_ACTIVE_HC);
  w.shared.words.bumpHealthEpoch();
  assert.deepEqual(tally(w), { '10.0.0.3:80': 200 });
});

test('an aggregate follows its members: new endpoints, a removed member; one that leads back to itself is harmless', () => {
  const w = aggregate();
  w.clusters.member('first')!.setHosts([]);
  w.clusters.remove('first');
  assert.deepEqual(tally(w), { '10.0.0.3:80': 200 });
  w.install({ name: 'second', statName: 'second', circuits: [4, 5], kind: { kind: 'aggregate', clusters: ['c', 'second'] } }, LIMITS, []);
  assert.deepEqual(tally(w, 1), { none: 1 });
});

test('connections and requests of an aggregate count with the member', () => {
  const w = aggregate(), host = w.cluster.choose(w.ctx)!, member = w.clusters.member('first')!;
  assert.equal(host.cluster, member);
  assert.equal(w.cluster.beginRequest(host, 'default'), true);
  w.ask(new Request(), host);
  assert.deepEqual([w.shared.circuits.value(2, 2), w.shared.circuits.value(0, 2), w.shared.circuits.value(2, 0)], [1, 0, 1]);
  w.cluster.endRequest(host, 'default');
  assert.equal(w.shared.circuits.value(2, 2), 0);
});

function original(plan: object = {}): { w: PoolWorld; to: (header?: string, restored?: string) => string } {
  const w = new PoolWorld({ kind: { kind: 'original-dst', header: 'x-to', metadata: null, port: 0, cleanupMs: 1000, ...plan }, hostRecord: 5 }, LIMITS, 0);
  return { w, to: (header, restored) => {
    const request = new RequestHeaders(), connection = new ConnectionFacts();
    if (header !== undefined) request.add('x-to', header);
    if (restored !== undefined) { connection.localRestored = true; connection.localIp = restored; connection.localPort = 99; }
    return w.cluster.choose({ ...w.ctx, request, facts: new StreamFacts(connection) })?.text ?? 'none';
  } };
}

test('ORIGINAL_DST: by header, else by the restored address; nonsense is counted', () => {
  const { w, to } = original();
  assert.equal(to('10.1.1.1:8080'), '10.1.1.1:8080');
  assert.equal(to('[::1]:8080'), '[::1]:8080');
  for (const bad of ['10.1.1.1', 'example.com:80', '10.1.1.1:99999', '10.1.1.1:80 ', '::1:80', '']) assert.equal(to(bad), 'none', bad);
  assert.equal(w.count('original_dst_host_invalid'), 6);
  assert.equal(to(undefined), 'none');
  assert.equal(to(undefined, '10.2.2.2'), '10.2.2.2:99');
  assert.equal(original({ port: 7 }).to('10.1.1.1:8080'), '10.1.1.1:7');
  assert.equal(original({ header: '' }).to('10.1.1.1:8080'), 'none');
});

test('ORIGINAL_DST: a host that none has asked for over an interval is let go, and its idle connections', () => {
  const { w, to } = original();
  to('10.1.1.1:80');
  const request = new RequestHeaders();
  request.add('x-to', '10.1.1.1:80');
  const host = w.cluster.choose({ ...w.ctx, request })!;
  w.ask(new Request(), host); w.connect(0); w.answer(0);
  w.env.advance(1001);
  assert.equal(w.sockets[0]!.destroyed, '');
  w.env.advance(1001);
  assert.equal(w.sockets[0]!.destroyed, 'flush');
  assert.notEqual(w.cluster.choose({ ...w.ctx, request }), host);
});

test('a dynamic forward proxy goes to the host that the request names, at the address that control has found', () => {
  const w = new PoolWorld({ kind: { kind: 'dynamic-forward', cache: 'd', hostTtlMs: 10_000, ownName: true }, hostRecord: 5 }, LIMITS, 0), dns = w.clusters.dns;
  const to = (authority: string): string => { const request = new RequestHeaders(); request.authority = authority; const h = w.cluster.choose({ ...w.ctx, request }); return h === null ? 'none' : `${h.text} ${h.hostname}`; };
  assert.equal(to('a.example:8080'), 'none');
  const told: string[] = [], waiter = (n: string): { onResolved(a: { addresses: readonly string[] }): void } => ({ onResolved: (a) => { told.push(`${n} ${a.addresses.join()}`); } });
  const gone = waiter('gone');
  assert.equal(dns.resolve('d', 'a.example', waiter('1')), 'waiting');
  assert.equal(dns.resolve('d', 'a.example', gone), 'waiting');
  dns.cancel('d', 'a.example', gone);
  assert.deepEqual(w.wanted, ['d a.example']);
  dns.install('d', 'a.example', { addresses: ['10.9.9.9', '10.9.9.8'], error: '' });
  assert.deepEqual(told, ['1 10.9.9.9,10.9.9.8']);
  assert.equal(to('A.example:8080'), '10.9.9.9:8080 a.example');
  assert.equal(to('a.example'), '10.9.9.9:80 a.example');
  assert.equal(to('10.1.2.3:81'), '10.1.2.3:81 10.1.2.3');
  assert.equal(to('[::1]:81'), '[::1]:81 ::1');
  w.env.advance(600);
  to('a.example');
  assert.deepEqual(w.wanted, ['d a.example', 'd a.example'], 'a name in use is asked for again, so that control keeps it');
  dns.install('d', 'a.example', null);
  assert.equal(to('a.example'), 'none');
});

test('a name that does not resolve is told in the words of c-ares; of a cluster whose type has another name, as no host', () => {
  assert.deepEqual(['ENOTFOUND', 'ESERVFAIL', 'ETIMEOUT', 'anything'].map((e) => unresolved(e, true).details), ['cares_norecords:Domain_name_not_found', 'cares_failure:DNS_server_returned_general_failure', 'cares_failure:Timeout_while_contacting_DNS_servers', 'cares_failure:DNS_server_returned_general_failure'].map((w) => `dns_resolution_failure{${w}}`));
  const other = unresolved('ENOTFOUND', false);
  assert.deepEqual([other.body, formatFlags(other.flags), unresolved('ENOTFOUND', false) === other], ['no healthy upstream', 'UH', true]);
});
