// Choosing a route: the cost must not depend on the number of virtual hosts, and grow slowly with the routes of one.
import Benchmark from 'benchmark';
import { RequestHeaders } from '../../engine/headers/headers.ts';
import { ConnectionFacts, StreamFacts } from '../../engine/observe/stream-facts.ts';
import { httpBootstrap, inProcess, printed } from './in-process.ts';

const hosts = (n: number): string => Array.from({ length: n }, (_, i) => `{name: v${i}, domains: ["h${i}.example.com", "*.w${i}.example.com"], routes: [{match: {prefix: "/"}, route: {cluster: backend}}]}`).join(', ');
const routes = (n: number): string => `{name: v, domains: ["*"], routes: [${Array.from({ length: n }, (_, i) => `{match: {prefix: "/service/${i}/"}, route: {cluster: backend}}`).join(', ')}, {match: {prefix: "/"}, route: {cluster: backend}}]}`;
const headers = `{name: v, domains: ["*"], routes: [{match: {prefix: "/", headers: [{name: x-a, string_match: {exact: "1"}}], query_parameters: [{name: q, string_match: {exact: "2"}}]}, route: {cluster: backend}}, {match: {safe_regex: {regex: "/item/[0-9]+/.*"}}, route: {cluster: backend}}, {match: {prefix: "/"}, route: {cluster: backend}}]}`;

const suite = new Benchmark.Suite(), facts = new StreamFacts(new ConnectionFacts());
async function add(name: string, virtualHosts: string, authority: string, path: string): Promise<void> {
  const worker = await inProcess(httpBootstrap({ virtualHosts }), () => {});
  const table = worker.routes.cell(worker.routeKeys[0]!).current!, h = new RequestHeaders();
  h.method = 'GET'; h.authority = authority; h.path = path;
  for (let i = 0; i < 10; i++) h.add(`x-header-${i}`, 'value');
  suite.add(name, () => { if (table.match(h, facts, 7) === null) throw new Error('no route'); });
}
for (const n of [10, 1000, 10_000]) { await add(`${n} virtual hosts, exact`, hosts(n), `h${n - 1}.example.com`, '/'); await add(`${n} virtual hosts, wildcard`, hosts(n), `a.w${n - 1}.example.com`, '/'); }
for (const n of [10, 100, 1000]) await add(`the last of ${n} routes`, routes(n), 'x', `/service/${n - 1}/a`);
await add('headers, query, a regex', headers, 'x', '/item/12/a?q=1');
printed(suite).run();
