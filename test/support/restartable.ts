// An HTTP backend that a test can kill and bring back on its port, with answers that it can make fail, hang or slow.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class RestartableBackend {
  readonly name: string;
  port = 0;
  requests = 0;
  /** Answers under way, and their highest number at a time. */
  active = 0;
  most = 0;
  /** What becomes of a request; by default 200 with the backend's name. */
  answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => { this.say(res, 200); };
  private server: Server | null = null;
  constructor(name: string) { this.name = name; }

  say(res: ServerResponse, status: number, body = this.name): void { res.writeHead(status, { 'content-length': Buffer.byteLength(body) }); res.end(body); }

  start(): Promise<this> {
    const server = this.server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
      this.requests++;
      this.most = Math.max(this.most, ++this.active);
      res.on('close', () => { this.active--; });
      req.resume();
      this.answer(req, res);
    });
    return new Promise((resolve, reject) => { server.once('error', reject); server.listen(this.port, '127.0.0.1', () => { this.port = (server.address() as AddressInfo).port; resolve(this); }); });
  }

  /** Ends at once: connections are reset, the port refuses. */
  kill(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return Promise.resolve();
    return new Promise((r) => { server.close(() => r()); server.closeAllConnections(); });
  }

  static many(count: number): Promise<RestartableBackend[]> { return Promise.all(Array.from({ length: count }, (_, i) => new RestartableBackend(`b${i}`).start())); }
}
