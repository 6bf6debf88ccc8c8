// Virtual hosts come out of the wire as they went in.
import assert from 'node:assert/strict';
import test from 'node:test';
import { COMPILERS } from '../../../engine/catalog-config.ts';
import { compileBootstrap } from '../../../engine/control/compile/bootstrap.ts';
import { unpack } from '../../../engine/plan/plan-wire.ts';
import type { RouteTablePlan, VirtualHostPlan } from '../../../engine/plan/route-plan.ts';
import { packVirtualHost, unpackVirtualHost } from '../../../engine/plan/route-wire.ts';
import { EXAMPLES } from '../../../scripts/faults/measure.ts';

const flags = { serviceNode: '', serviceCluster: '', serviceZone: '', allowUnknown: false, skipDeprecatedLogs: true, statsTags: [], disableExtensions: [] };
const hosts: VirtualHostPlan[] = EXAMPLES.flatMap((e) => compileBootstrap({ file: e.file, bytes: Buffer.from(e.text), overlay: '', concurrency: 1, flags }, COMPILERS).routes)
  .flatMap((r) => unpack<RouteTablePlan>(r.packed!).virtualHosts.map((v) => unpackVirtualHost(v.packed)));

test('a plan of every example, and one with every field set otherwise, comes out as it went in', () => {
  assert.ok(hosts.length > 15);
  for (const h of hosts) assert.deepEqual(unpackVirtualHost(packVirtualHost(h)), h);
  const flip = (v: unknown): unknown => (typeof v === 'boolean' ? !v : typeof v === 'number' ? v + 7 : typeof v === 'string' ? `${v}x` : v === null ? 1 : Array.isArray(v) ? [...(v as unknown[]).map(flip), 'more'] : Object.fromEntries(Object.entries(v as object).map(([k, x]) => [k, k === 'kind' ? x : flip(x)])));
  for (const h of hosts) { const other = { ...(flip({ ...h, routes: 0 }) as VirtualHostPlan), routes: h.routes.map((r) => flip(r) as VirtualHostPlan['routes'][number]) }; assert.deepEqual(unpackVirtualHost(packVirtualHost(other)), other); }
});

test('a usual route takes few bytes', () => {
  const usual = hosts.find((h) => h.name === 'backend')!;
  assert.equal(usual.routes.length, 2);
  assert.ok(packVirtualHost(usual).length < 250, `${packVirtualHost(usual).length} bytes`);
});
