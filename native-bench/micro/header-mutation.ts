// Header mutations of a route: constants, and values made of formats.
import Benchmark from 'benchmark';
import { RequestHeaders } from '../../engine/headers/headers.ts';
import { ConnectionFacts, StreamFacts } from '../../engine/observe/stream-facts.ts';
import type { RouteEntry } from '../../engine/router/route-entry.ts';
import { httpBootstrap, inProcess, printed } from './in-process.ts';

const mutations = (values: readonly string[]): string => `{name: v, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: backend}, request_headers_to_add: [${values.map((v, i) => `{header: {key: x-added-${i}, value: "${v}"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}`).join(', ')}], request_headers_to_remove: [x-drop-a, x-drop-b]}]}`;
const suite = new Benchmark.Suite();
for (const [name, values] of [['5 constants, 2 removed', ['a', 'b', 'c', 'd', 'e']], ['5 formats, 2 removed', ['%REQ(x-header-3)%', '%UPSTREAM_CLUSTER%', '%PROTOCOL%', 'a %REQ(:PATH)% b', '%REQ(:METHOD)%']]] as const) {
  const worker = await inProcess(httpBootstrap({ virtualHosts: mutations(values) }), () => {});
  const table = worker.routes.cell(worker.routeKeys[0]!).current!, facts = new StreamFacts(new ConnectionFacts());
  const request = (): RequestHeaders => { const h = new RequestHeaders(); h.method = 'GET'; h.authority = 'x'; h.path = '/path'; for (let i = 0; i < 10; i++) h.add(`x-header-${i}`, 'value'); h.add('x-drop-a', '1'); return h; };
  const route = table.match(request(), facts, 7) as RouteEntry;
  suite.add(`${name} (with making the request)`, () => { const h = request(); facts.request = h; route.finalizeRequest(h, facts, true); if (!h.has('x-added-4') || h.has('x-drop-a')) throw new Error('not changed'); });
}
suite.add('making the request alone', () => { const h = new RequestHeaders(); h.method = 'GET'; h.authority = 'x'; h.path = '/path'; for (let i = 0; i < 10; i++) h.add(`x-header-${i}`, 'value'); h.add('x-drop-a', '1'); });
printed(suite).run();
