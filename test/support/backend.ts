// Upstream servers for flow tests: a plain HTTP one that says what it saw, a WebSocket echo, and a recording one that keeps the raw bytes.
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export interface Backend { readonly port: number; stop(): Promise<void> }

function listen(server: NetServer | Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

/** An HTTP backend; without `handler` it answers 'NAME METHOD PATH BODYLENGTH'. */
export async function httpBackend(name = 'a', handler?: (req: IncomingMessage, res: ServerResponse) => void): Promise<Backend & { readonly seen: string[] }> {
  const seen: string[] = [];
  const server = createHttpServer({ keepAliveTimeout: 120_000 }, (req, res) => {
    seen.push(`${req.method} ${req.url}`);
    if (handler) return handler(req, res);
    let length = 0;
    req.on('data', (c: Buffer) => { length += c.length; });
    req.on('end', () => { const body = `${name} ${req.method} ${req.url} ${length}`; res.writeHead(200, { 'content-length': body.length }); res.end(body); });
  });
  const port = await listen(server);
  return { port, seen, stop: () => new Promise((r) => { server.closeAllConnections(); server.close(() => r()); }) };
}

/** Echoes WebSocket messages. */
export async function websocketBackend(): Promise<Backend> {
  const server = createHttpServer();
  const ws = new WebSocketServer({ server });
  ws.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const port = await listen(server);
  return { port, stop: () => new Promise((r) => { for (const c of ws.clients) c.terminate(); server.closeAllConnections(); server.close(() => r()); }) };
}

/** Keeps every byte of every connection and answers each complete-looking head with an empty 200; what it was sent shows which requests a proxy framed. */
export async function recordingBackend(): Promise<Backend & { readonly received: () => string; clear(): void }> {
  let all = '';
  const sockets = new Set<Socket>();
  const server = createServer((s) => {
    sockets.add(s);
    let pending = '';
    s.on('error', () => {});
    s.on('close', () => sockets.delete(s));
    s.on('data', (b: Buffer) => {
      const text = b.toString('latin1');
      all += text; pending += text;
      for (let i = pending.indexOf('\r\n\r\n'); i >= 0; i = pending.indexOf('\r\n\r\n')) { const head = pending.slice(0, i); pending = pending.slice(i + 4); if (/transfer-encoding: chunked/.test(head)) return; // no chunked one of these is ever whole
 s.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'); }
    });
  });
  const port = await listen(server);
  return { port, received: () => all, clear: () => { all = ''; }, stop: () => new Promise((r) => { for (const s of sockets) s.destroy(); server.close(() => r()); }) };
}
