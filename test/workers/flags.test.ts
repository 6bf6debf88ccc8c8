// The command line means what Envoy's does.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseFlags, type Flags } from '../../workers/flags.ts';
import { runWeir } from '../support/weir.ts';

const flags = (...argv: string[]): Flags => { const p = parseFlags(argv); if ('print' in p) throw new Error(p.print); return p.flags; };
const refusal = (...argv: string[]): string => { const p = parseFlags(argv); assert.ok('print' in p && p.code === 1, argv.join(' ')); return p.print.trim(); };

test('every flag of Envoy is taken, with its value', () => {
  const f = flags('-c', 'a.yaml', '--config-yaml=node: {}', '--concurrency', '3', '-l', 'warn', '--component-log-level', 'upstream:debug,http:trace', '--log-path', '/l', '--log-format', '%v', '--log-format-escaped', '--enable-fine-grain-logging', '--log-stacktrace-single-entry', '--skip-deprecated-logs',
    '--service-node', 'n', '--service-cluster', 'c', '--service-zone', 'z', '--admin-address-path', '/a', '--local-address-ip-version', 'v6', '--file-flush-interval-msec', '5', '--file-flush-min-size-kb', '7', '--drain-time-s', '4294967295', '--drain-strategy', 'immediate', '--parent-shutdown-time-s', '9',
    '--allow-unknown-static-fields', '--allow-unknown-fields', '--reject-unknown-dynamic-fields', '--ignore-unknown-dynamic-fields', '--stats-tag', 'a:b', '--stats-tag', 'c:d:e', '--disable-extensions', 'x/y,z/w', '--base-id', '4', '--use-dynamic-base-id', '--base-id-path', '/b', '--restart-epoch', '0', '--disable-hot-restart',
    '--skip-hot-restart-on-no-parent', '--skip-hot-restart-parent-stats', '--socket-path', '@s', '--socket-mode', '600', '--enable-mutex-tracing', '--enable-core-dump', '--cpuset-threads', '--mode', 'init_only');
  assert.deepEqual([f.configPath, f.configYaml, f.concurrency, f.logLevel, f.componentLogLevel, f.drainTimeS, f.drainStrategy, f.unknownDynamic, f.allowUnknown, f.localAddressIpVersion, f.fileFlushMinBytes, f.mode], ['a.yaml', 'node: {}', 3, 'warning', 'upstream:debug,http:trace', 4294967295, 'immediate', 'reject', true, 'v6', 7168, 'init_only']);
  assert.deepEqual([f.statsTags, f.disableExtensions], [[['a', 'b'], ['c', 'd:e']], ['x/y', 'z/w']]);
  assert.deepEqual([flags('-c', 'x').unknownDynamic, flags('-c', 'x', '--ignore-unknown-dynamic-fields').unknownDynamic, flags('-c', 'x', '--concurrency', '0').concurrency], ['warn', 'ignore', 1]);
});

test('what Envoy refuses is refused, in its words where they are a user\'s business', () => {
  for (const argv of [['--nosuch'], ['extra'], ['-c'], ['--concurrency', 'abc'], ['--concurrency', '-1'], ['--drain-time-s', '4294967296'], ['--service-node', 'a', '--service-node', 'b'], ['--transport', 'x']]) refusal(...argv);
  assert.equal(refusal('--mode', 'x'), "error: unknown mode 'x'");
  assert.equal(refusal('-l', 'x'), "error: invalid log level specified 'x'");
  assert.equal(refusal('--component-log-level', 'a:b'), "error: invalid log level specified 'b'");
  assert.equal(refusal('--component-log-level', 'a:debug:x'), "error: component log level not correctly specified 'a:debug:x'");
  assert.equal(refusal('--local-address-ip-version', 'v9'), "error: unknown IP address version 'v9'");
  assert.equal(refusal('--stats-tag', 'a'), "error: misformatted stats-tag 'a'");
  assert.equal(refusal('--stats-tag', 'a-x:b'), "error: misformatted stats-tag 'a-x:b' contains invalid char in 'a-x'");
  assert.equal(refusal('--stats-tag', 'a:b.c'), "error: misformatted stats-tag 'a:b.c' contains invalid char in 'b.c'");
  assert.equal(refusal('--restart-epoch', '1', '--use-dynamic-base-id'), 'error: cannot use --restart-epoch=1 with --use-dynamic-base-id');
  assert.match(refusal('--restart-epoch', '1'), /hot restart is not supported/);
});

test('--version, --help and --hot-restart-version print and end well', () => {
  for (const [argv, text] of [['--version', /version: \S+\/\d+\.\d+\.\d+/], ['--help', /--config-path/], ['--hot-restart-version', /^disabled$/]] as const) { const p = parseFlags([argv]); assert.ok('print' in p && p.code === 0 && text.test(p.print), argv); }
});

test('--mode validate: the OK line and exit status 0, or every fault with its place and 1; init_only starts and ends', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-flags-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = (name: string, text: string): string => { writeFileSync(join(dir, name), text); return join(dir, name); };
  const good = file('good.yaml', 'static_resources: {}\n');
  assert.deepEqual(await runWeir(['--mode', 'validate', '-c', good]), { code: 0, stdout: `configuration '${good}' OK\n`, stderr: '' });
  const bad = file('bad.yaml', 'nod: {id: x}\nstatic_resources:\n  clusterz: []\n  clusters:\n  - name: a\n    connect_timeout: 5\n  - name: b\n    type: STATICK\n');
  const r = await runWeir(['--mode', 'validate', '-c', bad]);
  assert.equal(r.code, 1);
  assert.deepEqual(r.stderr.trim().split('\n').map((l) => l.replace(dir, '')), [
    "/bad.yaml:1:1: nod: unknown field 'nod' (did you mean 'node'?)",
    "/bad.yaml:3:3: static_resources.clusterz: unknown field 'clusterz' (did you mean 'clusters'?)",
    "/bad.yaml:6:5: static_resources.clusters[0].connect_timeout: expected a duration such as '1.5s', not the number 5",
    "/bad.yaml:8:5: static_resources.clusters[1].type: the text 'STATICK' is not a value of DiscoveryType (did you mean 'STATIC'?)",
    `error initializing configuration '${bad.replace(dir, '')}': 4 errors`,
  ]);
  const allowed = await runWeir(['--mode', 'validate', '-c', file('unknown.yaml', 'nod: 1\n'), '--allow-unknown-static-fields']);
  assert.deepEqual([allowed.code, /unknown\.yaml:1:1: warning: nod: unknown field/.test(allowed.stdout)], [0, true]);
  assert.equal((await runWeir(['--mode', 'validate', '-c', join(dir, 'unknown.yaml'), '--allow-unknown-static-fields', '--strict'])).code, 1);
  const init = await runWeir(['--mode', 'init_only', '-c', good, '--base-id', '7', '--base-id-path', join(dir, 'id')]);
  assert.equal(init.code, 0, init.stderr);
  assert.equal(readFileSync(join(dir, 'id'), 'utf8'), '7');
  const chain = `static_resources: {listeners: [{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 0}}, filter_chains: [{filters: [{name: h, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: s, route_config: {}, http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]}]}\n`;
  const disabled = await runWeir(['--mode', 'validate', '-c', file('router.yaml', chain), '--disable-extensions', 'envoy.filters.http/envoy.filters.http.router']);
  assert.deepEqual([disabled.code, /'envoy\.filters\.http\.router' is disabled/.test(disabled.stderr)], [1, true]);
});
