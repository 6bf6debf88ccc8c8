// Every field that a configuration can reach: set alone in a configuration that is valid without it, it changes the plan, is a warning, or is refused by name.
// A field that somebody reads and nothing comes of is a fault: implement it, `m.noop` or `m.unsupported` it. Where the sample alone is at fault (the field works only
// beside another), give it a better one in scripts/fields/known-samples.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { EXTENSIONS } from '../../../engine/catalog-config.ts';
import { messageType } from '../../../engine/proto/registry.ts';
import { CHECKED_ONLY } from '../../../scripts/fields/known-samples.ts';
import { compileJson, FieldWalk } from '../../../scripts/fields/walk.ts';

// Extension types that are known to be taken; gen-tables tries all of the API's.
const listed = [...readFileSync(new URL('../../../engine/proto/field-status.md', import.meta.url), 'utf8').matchAll(/^### (\S+)/gm)].map((m) => m[1]!).filter((n) => /^envoy\.extensions|FilterConfig$/.test(n) && messageType(n) !== undefined);
const found = new FieldWalk([...new Set([...listed, ...EXTENSIONS.keys()])].filter((n) => messageType(n) !== undefined)).run().summary();

test('no field is parsed and ignored', (t) => {
  const count = (s: string): number => found.filter((f) => f.status === s).length;
  t.diagnostic(`${count('implemented')} implemented, ${count('read')} checked only, ${count('no-op')} without effect (warned), ${count('refused')} refused, ${count('unknown')} with an error of another kind`);
  assert.ok(found.length > 700, `${found.length} fields were reached`);
  const isName = (f: { message: string; field: string }): boolean => f.field === 'name' && messageType(f.message)!.fields.some((x) => x.name === 'typed_config'); // of an extension
  const ignored = found.filter((f) => f.status === 'read' && !isName(f) && !(`${f.message}.${f.field}` in CHECKED_ONLY));
  assert.deepEqual(ignored.map((f) => `${f.message}.${f.field} at ${f.path}`), []);
});

test('every exception to it is still one', () => {
  const read = new Set(found.filter((f) => f.status === 'read').map((f) => `${f.message}.${f.field}`));
  assert.deepEqual(Object.keys(CHECKED_ONLY).filter((f) => !read.has(f)), []);
});

test('the walk sees a field that is read without an effect, one that is warned of, and one that is refused', () => {
  const status = (field: string): string | undefined => found.find((f) => `${f.message}.${f.field}` === field)?.status;
  assert.equal(status('envoy.config.accesslog.v3.AccessLog.name'), 'read');
  assert.equal(status('envoy.config.bootstrap.v3.Bootstrap.perf_tracing_file_path'), 'no-op');
  assert.equal(status('envoy.config.bootstrap.v3.Bootstrap.hds_config'), 'refused');
  assert.equal(status('envoy.config.route.v3.RouteMatch.prefix'), 'implemented');
  assert.equal(compileJson({ hds_config: {} }).reports[0]!.severity, 'error');
});
