// The admin endpoint over node:http, in the control thread. A table of paths; what changes something takes POST alone. First part: /ready, /server_info, /stats,
// /reset_counters, /reopen_logs, /healthcheck/*, /drain_listeners, /quitquitquit, /help. Ends with close().
import { createServer, type Server } from 'node:http';
import type { AdminSource } from './admin-source.ts';
import { statsAnswer } from './stats.ts';

export type AdminAnswer = { readonly status: number; readonly body: string } | { readonly status: number; readonly json: unknown };
interface Endpoint { readonly help: string; readonly post: boolean; answer(source: AdminSource, query: URLSearchParams): AdminAnswer }

const OK: AdminAnswer = { status: 200, body: 'OK\n' };
const read = (help: string, answer: Endpoint['answer']): Endpoint => ({ help, post: false, answer });
const change = (help: string, act: (source: AdminSource, query: URLSearchParams) => void): Endpoint => ({ help, post: true, answer: (s, q) => { act(s, q); return OK; } });

const ENDPOINTS = new Map<string, Endpoint>([
  ['/drain_listeners', change('drain listeners', (s, q) => s.drainListeners(q.has('graceful'), q.has('inboundonly'), q.has('skip_exit')))],
  ['/healthcheck/fail', change('cause the server to fail health checks', (s) => s.failHealthCheck(true))],
  ['/healthcheck/ok', change('cause the server to pass health checks', (s) => s.failHealthCheck(false))],
  ['/help', read('print out list of admin commands', () => ({ status: 200, body: help() }))],
  ['/quitquitquit', change('exit the server', (s) => s.quit())],
  ['/ready', read('print server state, return 200 if LIVE, otherwise return 503', (s) => ({ status: s.state() === 'LIVE' ? 200 : 503, body: `${s.state()}\n` }))],
  ['/reopen_logs', change('reopen access logs', (s) => s.reopenLogs())],
  ['/reset_counters', change('reset all counters to zero', (s) => s.stats.resetCounters())],
  ['/server_info', read('print server version/status information', (s) => ({ status: 200, json: s.serverInfo() }))],
  ['/stats', read('print server stats', (s, q) => statsAnswer(s.stats, q))],
]);

function help(): string { return `admin commands are:\n${[...ENDPOINTS].map(([path, e]) => `  ${path}${e.post ? ' (POST)' : ''}: ${e.help}\n`).join('')}`; }

/** Answers one request; pure but for what the source does. */
export function answerAdmin(source: AdminSource, method: string, target: string): AdminAnswer {
  const at = target.indexOf('?'), path = at < 0 ? target : target.slice(0, at);
  const endpoint = ENDPOINTS.get(path);
  if (endpoint === undefined) return { status: 404, body: `invalid path. ${help()}` };
  if (endpoint.post && method !== 'POST') return { status: 405, body: `Method ${method} not allowed, POST required.` };
  return endpoint.answer(source, new URLSearchParams(at < 0 ? '' : target.slice(at + 1)));
}

/** A server that answers from `source`; the caller listens and closes. */
export function makeAdminServer(source: AdminSource): Server {
  return createServer((request, response) => {
    const answer = answerAdmin(source, request.method ?? 'GET', request.url ?? '/');
    request.resume();
    response.writeHead(answer.status, { 'content-type': 'json' in answer ? 'application/json' : 'text/plain; charset=UTF-8', 'cache-control': 'no-cache, max-age=0', 'x-content-type-options': 'nosniff' });
    response.end('json' in answer ? JSON.stringify(answer.json, null, 1) : answer.body);
  });
}
