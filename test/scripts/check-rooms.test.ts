// The check of the walls must see what it is there for: planted faults.
import assert from 'node:assert/strict';
import test from 'node:test';
import { cycleIn, faultsOf, loadTable } from '../../scripts/check-rooms.ts';

const table = loadTable();

test('the table of rooms is a DAG, and a planted cycle is seen', () => {
  assert.equal(cycleIn(table.rooms), null);
  assert.match(cycleIn({ a: ['b'], b: ['c'], c: ['a'] }) ?? '', /a → b → c → a/);
});

test('an import through a wall is a fault with its line', () => {
  assert.deepEqual(faultsOf('engine/codec/h1/reader.ts', "// head\nimport { x } from '../../loop/clock.ts';\n", table), ['engine/codec/h1/reader.ts:2: codec may not import loop (engine/loop/clock.ts)']);
  assert.deepEqual(faultsOf('engine/control/compile/x.ts', "import type { Y } from '../../http/route.ts';", table).length, 1);
  assert.deepEqual(faultsOf('engine/codec/h1/reader.ts', "import { x } from '../../base/fault.ts';", table), []);
});

test('only a config.ts may import proto', () => {
  assert.equal(faultsOf('engine/router/router.ts', "import type { ConfigMessage } from '../proto/config-message.ts';", table).length, 1);
  assert.equal(faultsOf('engine/router/config.ts', "import type { ConfigMessage } from '../proto/config-message.ts';", table).length, 0);
});

test('words and packages have homes, comments do not count', () => {
  assert.equal(faultsOf('engine/http/stream.ts', 'const t = Date.now();', table).length, 1);
  assert.equal(faultsOf('engine/http/stream.ts', '// Date.now() is not for here', table).length, 0);
  assert.equal(faultsOf('engine/upstream/cluster.ts', 'Atomics.add(a, 0, 1);', table).length, 1);
  assert.equal(faultsOf('engine/router/router.ts', "import net from 'node:net';", table).length, 1);
});

test('no async function on the request path', () => {
  assert.equal(faultsOf('engine/http/stream.ts', 'async function f() { await g(); }', table).length, 2);
  assert.equal(faultsOf('engine/control/dns/resolver.ts', 'async function f() { await g(); }', table).length, 0);
});
