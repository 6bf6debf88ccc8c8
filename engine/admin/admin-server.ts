// The admin interface over node:http, in the control thread. Finds the endpoint, holds back what allow_paths or the method forbid, and writes answers piece by piece as
// the client takes them, one piece a turn, so that a large one never stalls this thread. Ends with the server's close().
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AnsweredRequest } from '../control/admin-traffic.ts';
import type { AdminSource } from './admin-source.ts';
import { helpText, type AdminAnswer } from './endpoint.ts';
import { ENDPOINTS } from './endpoints.ts';
import { Query } from './query.ts';

// Imported as a module, node:http would load fetch and WebSocket too, as it names them.
const { createServer } = process.getBuiltinModule('node:http');
const BY_PATH = new Map(ENDPOINTS.map((e) => [e.path, e]));
const TYPES = { text: 'text/plain; charset=UTF-8', json: 'application/json', html: 'text/html; charset=UTF-8', binary: 'application/octet-stream' } as const;
/** Bytes of a form that /runtime_modify takes. */
const FORM_LIMIT = 64 << 10;

export interface AdminServerOptions {
  readonly source: AdminSource;
  /** Whether a path may be asked for at all (admin.allow_paths). */
  readonly allowed: (path: string) => boolean;
  /** Runs `task` in a later turn. */
  readonly soon: (task: () => void) => void;
  /** Told of every request, and again when its answer is out, for access logs and stats. */
  readonly onBegan: () => void;
  readonly onAnswered: (request: AnsweredRequest) => void;
}

/** Answers one request; pure but for what the source does. `form`: the body of a posted form, ''. */
export function answerAdmin(source: AdminSource, method: string, target: string, form = '', allowed: (path: string) => boolean = () => true): AdminAnswer | Promise<AdminAnswer> {
  const at = target.indexOf('?'), path = at < 0 ? target : target.slice(0, at);
  if (!allowed(path)) return { status: 403, body: `request to path ${path} not allowed` };
  const endpoint = BY_PATH.get(path);
  if (endpoint === undefined) return { status: 404, body: `invalid path. ${helpText(ENDPOINTS)}` };
  if (endpoint.changes && method !== 'POST') return { status: 405, body: `Method ${method} not allowed, POST required.` };
  return endpoint.answer(source, new Query([at < 0 ? '' : target.slice(at + 1), form].filter(Boolean).join('&')));
}

function readForm(request: IncomingMessage, done: (form: string) => void): void {
  if (request.method !== 'POST' || !/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) { request.resume(); done(''); return; }
  let form = '';
  request.setEncoding('latin1');
  request.on('data', (c: string) => { if (form.length <= FORM_LIMIT) form += c; });
  request.on('end', () => done(form.length > FORM_LIMIT ? '' : form));
}

/** Answers are ASCII as a rule, and bytes of that are a plain copy: a string of unknown content is measured and encoded by the socket. */
function encoded(piece: string): Buffer { return Buffer.from(piece, /^[\0-\x7f]*$/.test(piece) ? 'latin1' : 'utf8'); }

function send(response: ServerResponse, method: string, answer: AdminAnswer, soon: AdminServerOptions['soon'], done: (bytes: number) => void): void {
  response.writeHead(answer.status, { 'content-type': TYPES[answer.type ?? 'text'], 'cache-control': 'no-cache, max-age=0', 'x-content-type-options': 'nosniff', server: 'envoy' });
  let sent = 0;
  response.once('close', () => { done(sent); answer.after?.(); });
  const { body } = answer;
  if (method === 'HEAD') { response.end(); return; }
  if (typeof body === 'string' || body instanceof Uint8Array) { sent = body.length; response.end(body); return; }
  const pieces = body[Symbol.iterator]();
  const step = (): void => {
    if (response.destroyed) { pieces.return?.(); return; }
    const next = pieces.next();
    if (next.done === true) { response.end(); return; }
    sent += next.value.length;
    if (next.value === '' || response.write(encoded(next.value))) soon(step); else response.once('drain', step);
  };
  step();
}

/** Whether a browser says that a page of another origin sent this. */
export function foreign(request: Pick<IncomingMessage, 'headers'>): boolean {
  const { origin, host = '' } = request.headers, site = request.headers['sec-fetch-site'];
  if (origin !== undefined) return origin !== `http://${host}` && origin !== `https://${host}`;
  return site === 'cross-site' || site === 'same-site';
}

/** A server that answers from `source`; the caller listens and closes. */
export function makeAdminServer(o: AdminServerOptions, nowMs: () => number): Server {
  return createServer((request, response) => {
    o.onBegan();
    const startMs = nowMs(), method = request.method ?? 'GET';
    const finish = (answer: AdminAnswer): void => send(response, method, answer, o.soon, (bytesSent) => o.onAnswered({ message: request, status: answer.status, bytesSent, startMs, endMs: nowMs() }));
    // A browser that is led here by a page of another site must not change anything.
    if (method === 'POST' && foreign(request)) { request.resume(); finish({ status: 403, body: 'a request from a page of another origin is not allowed' }); return; }
    readForm(request, (form) => {
      // A fault of ours costs one answer, not the control thread.
      try { void Promise.resolve(answerAdmin(o.source, method, request.url ?? '/', form, o.allowed)).then(finish, (e: unknown) => finish({ status: 500, body: `${String(e)}\n` })); } catch (e) { finish({ status: 500, body: `${String(e)}\n` }); }
    });
  });
}
