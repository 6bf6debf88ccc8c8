// Secrets on their way to the workers: sealed, kept while their files do not fit, sent again only when they have changed.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import test from 'node:test';
import { SecretManager } from '../../../../engine/control/secrets/secret-manager.ts';
import { UnreadableResources } from '../../../../engine/control/xds/resource-file.ts';
import { TicketRotation } from '../../../../engine/control/secrets/ticket-rotation.ts';
import { stapleProblem } from '../../../../engine/net/tls/ocsp.ts';
import { SecretStore } from '../../../../engine/net/tls/secret-store.ts';
import { PROCESS_TICKETS, type CertificateSecretPlan } from '../../../../engine/plan/tls-plan.ts';
import { pack, unpack } from '../../../../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../../../../engine/plan/records.ts';
import { unseal } from '../../../../engine/plan/sealed.ts';
import { Ring } from '../../../../engine/shm/ring.ts';
import type { SecretSource } from '../../../../engine/proto/config-message.ts';
import { certificateSecret, VALIDATION } from '../../../support/tls-pair.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';
import { certificates } from '../../../support/certificates.ts';

const certs = certificates(), KEY = Buffer.alloc(32, 9);

function made(): { manager: SecretManager; sent: PlanRecord[]; warnings: string[]; touch(path: string): void; watched: Map<string, () => void>; stats: Map<string, number | string>; waiting: Set<() => void> } {
  const sent: PlanRecord[] = [], warnings: string[] = [], watched = new Map<string, () => void>(), stats = new Map<string, number | string>(), waiting = new Set<() => void>();
  const manager = new SecretManager({ emit: (r) => sent.push(...r), watch: (path, onChange) => { watched.set(path, onChange); return () => watched.delete(path); }, warn: (m) => warnings.push(m), info: () => {}, stat: (name, _kind, change) => { stats.set(name, change.set ?? Number(stats.get(name) ?? 0) + (change.add ?? 0)); }, wallMs: () => 5, after: (_ms, task) => { waiting.add(task); return () => waiting.delete(task); }, key: KEY });
  return { manager, sent, warnings, watched, stats, waiting, touch: (path) => watched.get(path)?.() };
}
const source = (load: () => unknown, files: string[] = ['cert.pem', 'key.pem']): SecretSource => ({ key: 'k', kind: 'certificate', name: '', files, paths: { chain: 'cert.pem' }, load });

test('a secret goes out sealed: nothing of its key can be read, and only under the key of the process', () => {
  const { manager, sent } = made();
  manager.apply([source(() => certificateSecret(certs.server))]);
  const [r] = sent;
  assert.ok(r?.kind === 'secret');
  const bytes = Buffer.from(r.body), line = certificateSecret(certs.server).key.split('\n')[1]!;
  assert.equal(bytes.includes(line), false);
  assert.equal(bytes.includes('PRIVATE KEY'), false);
  const store = new SecretStore(KEY), before = store.version;
  store.install('k', r.body);
  assert.notEqual(store.version, before);
  assert.deepEqual(store.get('k'), { ...certificateSecret(certs.server) });
  assert.throws(() => unseal(Buffer.alloc(32, 8), r.body));
  bytes[20]! ^= 1;
  assert.throws(() => unseal(KEY, bytes));
});

test('nothing of a key stays in the shared memory that a secret went through: neither PEM nor DER nor the private number', () => {
  const { manager, sent } = made(), secret = certificateSecret(certs.server), memory = new SharedArrayBuffer(Ring.bytes(64 * 1024)), ring = new Ring(memory);
  manager.apply([source(() => secret)]);
  for (const r of sent) ring.write(pack(r));
  const store = new SecretStore(KEY), arrived = unpack<PlanRecord>(ring.read()!);
  assert.ok(arrived.kind === 'secret');
  store.install('k', arrived.body);
  assert.deepEqual(store.get('k'), { ...secret });
  const shared = Buffer.from(memory), key = createPrivateKey(secret.key), traces = [...secret.key.trim().split('\n'), key.export({ type: 'pkcs8', format: 'der' }), Buffer.from((key.export({ format: 'jwk' }) as { d: string }).d, 'base64url')];
  assert.ok(shared.includes(Buffer.from(arrived.body.subarray(0, 32))), 'the sealed record is there');
  for (const t of traces) assert.equal(shared.includes(t), false);
});

test('a pair that does not fit keeps the one before; the next change is looked at again; what has not changed is not sent', () => {
  const { manager, sent, warnings, touch } = made();
  let now: () => unknown = () => certificateSecret(certs.server);
  manager.apply([source(() => now())]);
  touch('key.pem');
  assert.equal(sent.length, 1);
  now = () => { throw new Error('KEY_VALUES_MISMATCH'); };
  touch('cert.pem');
  assert.equal(sent.length, 1);
  assert.match(warnings[0]!, /KEY_VALUES_MISMATCH; the one before stays/);
  assert.equal(manager.records().length, 1);
  now = () => certificateSecret(certs.second);
  touch('key.pem');
  assert.equal(sent.length, 2);
  assert.match(manager.describe()[0]!.chain[0]!.certificate.subject, /second/);
});

test('a secret that no configuration names any more is taken away, and its files are let go', () => {
  const { manager, sent, watched } = made();
  manager.apply([source(() => certificateSecret(certs.server))]);
  assert.deepEqual([...watched.keys()], ['cert.pem', 'key.pem']);
  manager.apply([]);
  assert.deepEqual(sent.at(-1), { kind: 'secret-removed', name: 'k' });
  assert.equal(watched.size, 0);
  assert.deepEqual(manager.records(), []);
});

test('a secret by discovery has the stats of its subscription; files that it names count as rotations of keys', () => {
  const { manager, stats, touch, waiting } = made();
  let now: () => unknown = () => { throw new UnreadableResources('no YAML'); };
  const discovery = { files: ['sds.yaml'], fetchTimeoutMs: 15_000, version: '' };
  manager.apply([{ ...source(() => now(), ['sds.yaml', 'key.pem']), name: 'pair', discovery }]);
  const of = (...names: string[]): unknown[] => names.map((n) => stats.get(`sds.pair.${n}`));
  assert.deepEqual(of('update_attempt', 'update_failure', 'update_rejected', 'update_success', 'version_text'), [1, 1, 0, 0, '']);
  for (const task of waiting) task();
  assert.deepEqual(of('init_fetch_timeout'), [1]);
  now = () => { throw new Error('KEY_VALUES_MISMATCH'); };
  touch('sds.yaml');
  assert.deepEqual(of('update_attempt', 'update_rejected'), [2, 1]);
  now = () => { discovery.version = 'v1'; return certificateSecret(certs.server); };
  touch('sds.yaml'); touch('sds.yaml');
  assert.deepEqual(of('update_attempt', 'update_success', 'update_time', 'version_text', 'key_rotation_failed'), [4, 2, 5, 'v1', 0]);
  now = () => { throw new Error('KEY_VALUES_MISMATCH'); };
  touch('key.pem');
  assert.deepEqual(of('update_attempt', 'update_rejected', 'key_rotation_failed'), [4, 1, 1]);
});

test('a certificate whose OCSP response no server may have is rejected, and the one before stays; where no server has it nobody minds', () => {
  const files = ['sds.yaml'], bad = (): unknown => ({ ...certificateSecret({ ...certs.server, staple: Buffer.from([0]) }) });
  for (const policies of [new Set(['LENIENT_STAPLING'] as const), new Set<never>()]) {
    let now: () => unknown = () => certificateSecret(certs.server), last: unknown = null;
    const { manager, sent, warnings, stats, touch } = made();
    manager.apply([{ ...source(() => last = now(), files), name: 'pair', discovery: { files, fetchTimeoutMs: 0, version: '' }, policies, problem: (policy) => stapleProblem(last as CertificateSecretPlan, policy) }]);
    now = bad;
    touch('sds.yaml');
    assert.equal(sent.length, policies.size > 0 ? 1 : 2);
    assert.equal(stats.get('sds.pair.update_rejected') ?? 0, policies.size);
    if (policies.size > 0) assert.match(warnings[0]!, /Data contained more than a single OCSP response; the one before stays/);
  }
});

test('authorities of all trust domains are described, for /certs and the days until the first one expires', () => {
  const { manager } = made(), spiffe = [certs.ca, certs.other].map((p, i) => ({ domain: `${i}.test`, ca: p.cert, crl: '' }));
  manager.apply([{ ...source(() => ({ kind: 'validation', validation: { ...VALIDATION, spiffe } }), ['ca.pem']), kind: 'validation', paths: { ca: '0.test: ca.pem' } }]);
  assert.deepEqual(manager.describe().flatMap((s) => s.ca.map((c) => [c.path, c.certificate.subject])), [['0.test: ca.pem', 'CN=ca'], ['0.test: ca.pem', 'CN=other-ca']]);
});

test('a secret of the bootstrap has no stats of a subscription', () => {
  const { manager, stats } = made();
  manager.apply([{ ...source(() => certificateSecret(certs.server)), name: 'pair' }]);
  assert.deepEqual([...stats.keys()], []);
});

test('the process\'s own ticket keys are rotated every two days: the one before opens for two more', () => {
  const timers = new ManualTimers(), sent: PlanRecord[] = [], store = new SecretStore(KEY);
  const rotation = new TicketRotation({ emit: (r) => sent.push(...r), after: timers.after, key: KEY });
  const keys = (records: readonly PlanRecord[]): string[] => { const [r] = records; assert.ok(r?.kind === 'secret'); store.install(r.name, r.body); const s = store.get(PROCESS_TICKETS); assert.ok(s?.kind === 'tickets'); return s.keys.map((k) => Buffer.from(k).toString('hex')); };
  const [first] = keys(rotation.records());
  timers.advance(48 * 3_600_000 - 1);
  assert.equal(sent.length, 0);
  timers.advance(1);
  const [second, before] = keys(sent.splice(0));
  assert.equal(before, first);
  assert.notEqual(second, first);
  timers.advance(48 * 3_600_000);
  const third = keys(sent.splice(0));
  assert.deepEqual([third.length, third[1]], [2, second]);
  assert.deepEqual(keys(rotation.records()), third);
});
