import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerAdmin, foreign } from '../../../engine/admin/admin-server.ts';
import { ENDPOINTS } from '../../../engine/admin/endpoints.ts';
import { Query } from '../../../engine/admin/query.ts';
import { ask, FakeSource } from './fake-source.ts';

test('readiness, methods, unknown paths', async () => {
  const s = new FakeSource();
  assert.deepEqual(await ask(s, '/ready'), { status: 200, body: 'LIVE\n', type: 'text' });
  assert.deepEqual(await ask(s, '/quitquitquit'), { status: 405, body: 'Method GET not allowed, POST required.', type: 'text' });
  assert.deepEqual(s.done, []);
  const unknown = await ask(s, '/nosuch');
  assert.equal(unknown.status, 404);
  assert.ok(unknown.body.startsWith('invalid path. admin commands are:\n  /: Admin home page\n'));
  assert.equal((await ask(s, '/READY')).status, 404);
});

test('every endpoint that changes something refuses GET, and help lists them in order', async () => {
  const s = new FakeSource();
  for (const e of ENDPOINTS) if (e.changes) assert.equal((await ask(s, e.path)).status, 405, e.path);
  const paths = ENDPOINTS.map((e) => e.path);
  assert.deepEqual(paths, [...paths].sort());
  assert.match((await ask(s, '/help')).body, /^ {2}\/runtime_modify \(POST\): /m);
});

test('paths outside of allow_paths are 403', async () => {
  const a = await answerAdmin(new FakeSource(), 'GET', '/stats', '', (p) => p === '/ready');
  assert.deepEqual([a.status, a.body], [403, 'request to path /stats not allowed']);
});

test('a query keeps plus signs, decodes percent escapes and takes the first of a name', () => {
  const q = new Query('filter=a+b%2Bc&flag&filter=other&bad=%zz');
  assert.equal(q.get('filter'), 'a+b+c');
  assert.equal(q.get('flag'), '');
  assert.equal(q.get('bad'), '%zz');
  assert.equal(q.get('none'), undefined);
});

test('drain, health check and quit do what they say; quit comes after the answer', async () => {
  const s = new FakeSource();
  await ask(s, '/drain_listeners?graceful&inboundonly', 'POST');
  await ask(s, '/healthcheck/fail', 'POST');
  const a = await answerAdmin(s, 'POST', '/quitquitquit');
  assert.deepEqual(s.done, ['drain {"graceful":true,"inboundOnly":true,"skipExit":false}', 'fail true']);
  a.after?.();
  assert.equal(s.done.at(-1), 'quit');
});

test('logging: all, one, several, and one bad name or level changes none', async () => {
  const s = new FakeSource(), post = (q: string): ReturnType<typeof ask> => ask(s, `/logging${q}`, 'POST');
  assert.equal((await post('')).body, 'active loggers:\n  admin: info\n  http: info\n  router: info\n');
  assert.match((await post('?http=debug')).body, / {2}http: debug\n/);
  assert.match((await post('?paths=http:error,router:trace')).body, / {2}http: error\n {2}router: trace\n/);
  for (const [q, fault] of [['?level=nonsense', 'unknown logger level'], ['?nosuch=debug', 'unknown logger name'], ['?paths=http:warning,nosuch:debug', 'unknown logger name'], ['?a=b&c=d', 'invalid number of parameters'], ['?paths=http', 'empty logger name or empty logger level']] as const) {
    const r = await post(q);
    assert.equal(r.status, 400);
    assert.ok(r.body.startsWith(`error: ${fault}\n\nusage: /logging?<name>=<level>`), r.body);
  }
  assert.equal(s.levels.get('http'), 'error');
  assert.match((await post('?level=off')).body, /admin: off\n {2}http: off/);
});

test('runtime shows layers; modify takes query and form, and is refused without an admin layer', async () => {
  const s = new FakeSource();
  assert.deepEqual(JSON.parse((await ask(s, '/runtime')).body), { layers: ['base', 'admin'], entries: { a: { layer_values: ['', 'x'], final_value: 'x' }, b: { layer_values: ['1', ''], final_value: '1' } } });
  assert.equal((await ask(s, '/runtime_modify?a=1', 'POST', 'b=2%203')).body, 'OK\n');
  assert.deepEqual([...s.admin], [['a', '1'], ['b', '2 3']]);
  assert.match((await ask(s, '/runtime_modify', 'POST')).body, /^usage: \/runtime_modify\?key1=value1/);
  s.adminLayer = false;
  assert.equal((await ask(s, '/runtime_modify?a=1', 'POST')).status, 503);
});

test('listeners and clusters in text and JSON, as Envoy prints them', async () => {
  const s = new FakeSource();
  s.listenerList = [{ name: 'in', address: { kind: 'ip', family: 4, ip: '127.0.0.1', port: 80 }, additional: [{ kind: 'pipe', path: '/x', mode: 0 }] }];
  assert.equal((await ask(s, '/listeners')).body, 'in::127.0.0.1:80\nin::/x\n');
  assert.deepEqual(JSON.parse((await ask(s, '/listeners?format=json')).body), { listener_statuses: [{ name: 'in', local_address: { socket_address: { address: '127.0.0.1', port_value: 80 } }, additional_local_addresses: [{ pipe: { path: '/x' } }] }] });
  const t = { connections: 1, pending: 2, requests: 3, retries: 4 };
  const host = { address: { kind: 'ip', family: 4, ip: '10.0.0.1', port: 8080 } as const, hostname: 'h', weight: 3, priority: 1, canary: true, locality: { region: 'r', zone: '', subZone: '' }, flags: 1 + 512, eds: 'DRAINING', stats: [{ name: 'cx_active', gauge: true, value: 1 }, { name: 'rq_total', gauge: false, value: 0 }], successRate: -1, localOriginSuccessRate: -1 };
  s.clusterList = [{ name: 'c', observabilityName: 'obs', edsServiceName: '', addedViaApi: false, thresholds: [t, t], outlier: null, hosts: [host] }, { name: 'd', observabilityName: 'd', edsServiceName: '', addedViaApi: false, thresholds: [t, t], outlier: null, hosts: [] }];
  const lines = (await ask(s, '/clusters')).body.split('\n');
  for (const l of ['c::observability_name::obs', 'c::default_priority::max_connections::1', 'c::high_priority::max_retries::4', 'c::added_via_api::false', 'c::10.0.0.1:8080::cx_active::1', 'c::10.0.0.1:8080::health_flags::/failed_active_hc/eds_status_draining', 'c::10.0.0.1:8080::canary::true', 'c::10.0.0.1:8080::success_rate::-1', 'd::observability_name::d']) assert.ok(lines.includes(l), l);
  const { cluster_statuses: [c, d] } = JSON.parse((await ask(s, '/clusters?format=json')).body) as { cluster_statuses: [Record<string, unknown>, Record<string, unknown>] };
  assert.deepEqual((c['host_statuses'] as unknown[])[0], { address: { socket_address: { address: '10.0.0.1', port_value: 8080 } }, stats: [{ type: 'GAUGE', name: 'cx_active', value: '1' }, { name: 'rq_total' }], health_status: { failed_active_health_check: true, eds_health_status: 'DRAINING' }, weight: 3, hostname: 'h', priority: 1, locality: { region: 'r' } });
  assert.equal('host_statuses' in d, false);
  assert.deepEqual((await ask(s, '/clusters?filter=^d$')).body.split('\n').filter((l) => !l.startsWith('d::')), ['']);
  assert.equal((await ask(s, '/clusters?filter=(')).status, 400);
});

test('the home page has every command as a link or a form, posts what changes something, and fetches nothing from elsewhere', async () => {
  const { body, type } = await ask(new FakeSource(), '/');
  assert.equal(type, 'html');
  for (const e of ENDPOINTS) if (e.path !== '/') assert.ok(body.includes(`action="${e.path.slice(1)}" method="${e.changes ? 'post' : 'get'}"`), e.path);
  assert.doesNotMatch(body, /https?:\/\//);
});

test('a page of another origin is told from tools and from the own page', () => {
  const host = '127.0.0.1:9901', of = (headers: Record<string, string>): boolean => foreign({ headers: { host, ...headers } });
  assert.deepEqual([of({}), of({ origin: `http://${host}` }), of({ 'sec-fetch-site': 'same-origin' }), of({ origin: 'http://evil.example' }), of({ origin: 'null' }), of({ 'sec-fetch-site': 'cross-site' })], [false, false, false, true, true, true]);
});

test('profilers are switched by y and n, and say so where they are not as asked; V8 has no peak and no TCMalloc', async () => {
  const source = new FakeSource(), post = async (target: string): Promise<unknown> => { const { status, body } = await ask(source, target, 'POST'); return [status, body]; };
  assert.deepEqual(await post('/allocprofiler?enable=n'), [400, 'Allocation profiler is not started']);
  assert.deepEqual([await post('/allocprofiler?enable=y'), await post('/allocprofiler?enable=n')], [[200, 'OK\n'], [200, '{"head":{}}']]);
  for (const p of ['alloc', 'cpu', 'heap']) assert.deepEqual(await post(`/${p}profiler?enable=x`), [400, '?enable=<y|n>\n']);
  assert.equal((await ask(source, '/peak_heap_dump')).status, 501);
  assert.match((await ask(source, '/memory/tcmalloc')).body, /2 of +3 bytes in use, +1 free: new_space/);
});
