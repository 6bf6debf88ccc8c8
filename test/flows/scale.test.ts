// Runs alone: it measures time or load.
// Size: 10,000 clusters × 10 endpoints with 10,000 virtual hosts × 3 routes. The aim is 3 s and 300 MB; reached are 225 MB once heaps are packed, of which 120 MB are there
// with an empty configuration (Envoy 1.40: 4.6 s, 768 MB), and two thirds of the CPU that it took when it was 7 to 11 s on all threads of a busy machine. The bounds here catch a step
// back on a slow one; the figures are printed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

test('10,000 clusters and virtual hosts are ready within seconds, and the last one routes', async (t) => {
  const a = await httpBackend('last');
  const port = await freePort();
  const hosts: string[] = [], clusters: string[] = [clusterYaml('a', [a.port])];
  for (let i = 0; i < 10_000; i++) {
    hosts.push(`{name: v${i}, domains: ["h${i}.example.com"], routes: [{match: {path: "/a"}, route: {cluster: c${i}}}, {match: {prefix: "/b"}, route: {cluster: c${i}}}, {match: {prefix: "/"}, route: {cluster: c${i}}}]}`);
    clusters.push(clusterYaml(`c${i}`, i === 9999 ? [a.port] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
  }
  const began = performance.now();
  const weir = await startWeir(bootstrapYaml([{ port, virtualHosts: `[${hosts.join(', ')}]` }], clusters), { concurrency: 2, readyMs: 60_000 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const readyMs = performance.now() - began, stat = readFileSync(`/proc/${weir.child.pid}/stat`, 'utf8').split(' '), cpuMs = (Number(stat[13]) + Number(stat[14])) * 10;
  const answer = await ask(port, '/x', { headers: { host: 'h9999.example.com' } });
  assert.equal(answer.body, 'last GET /x 0');
  const memory = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${weir.child.pid}/smaps_rollup`, 'utf8'))![1]) / 1024;
  const clustersBegan = performance.now();
  const { body } = await ask(weir.admin, '/stats?filter=^cluster\\.c9999\\.membership_total', { timeoutMs: 30_000 });
  assert.match(body, /cluster\.c9999\.membership_total: 1/);
  const pss = await until('control\'s heap is packed', () => { const m = memory(); return m < 300 ? m : 0; }, 30_000);
  t.diagnostic(`ready in ${readyMs.toFixed(0)} ms (${cpuMs} ms of CPU), ${pss.toFixed(0)} MB with 2 workers, one filtered /stats ${(performance.now() - clustersBegan).toFixed(0)} ms`);
  // Whatever else the machine computes, the work is the same.
  assert.ok(cpuMs < 15_000, `${cpuMs} ms of CPU until ready`);
});
