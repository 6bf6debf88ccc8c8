// A load of GETs over kept connections, cheap enough to run beside a proxy: bare sockets, answers by content-length only. Paced or as fast as answers come.
import { connect, type Socket } from 'node:net';

export interface LoadResult {
  /** Answers by status; 0: the connection broke before a whole answer. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly total: number;
  readonly byBody: ReadonlyMap<string, number>;
  /** Everything but 2xx. */
  readonly errors: number;
}

export interface LoadOptions {
  readonly port: number; readonly path?: string; readonly connections: number;
  /** Requests per second over all connections; 0: one after the other. */
  readonly rate?: number;
  /** Ends after so many requests, or when `until` resolves. */
  readonly requests?: number;
  readonly until?: Promise<unknown>;
  /** Told of each answer. */
  readonly onAnswer?: (status: number, atMs: number) => void;
}

class Client {
  private socket: Socket | null = null;
  private text = '';
  private waiting = false;
  private readonly options: LoadOptions; private readonly done: (status: number, body: string) => void; private readonly request: string;
  constructor(options: LoadOptions, done: (status: number, body: string) => void) { this.options = options; this.done = done; this.request = `GET ${options.path ?? '/'} HTTP/1.1\r\nhost: load\r\n\r\n`; }

  get busy(): boolean { return this.waiting; }
  send(): void {
    this.waiting = true;
    if (this.socket === null) {
      const s = this.socket = connect(this.options.port, '127.0.0.1');
      s.setNoDelay(true);
      s.on('error', () => {});
      s.on('data', (b: Buffer) => { this.text += b.toString('latin1'); this.look(); });
      s.on('close', () => { if (this.socket !== s) return; this.socket = null; this.text = ''; if (this.waiting) this.end(0, ''); });
    }
    this.socket.write(this.request);
  }

  private look(): void {
    const head = this.text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.text.slice(0, head + 2))?.[1] ?? NaN);
    if (Number.isNaN(length)) { this.socket!.destroy(); return; } // not one of these answers
    if (this.text.length < head + 4 + length) return;
    const status = Number(this.text.slice(9, 12)), body = this.text.slice(head + 4, head + 4 + length), closes = /\r\nconnection: close/i.test(this.text.slice(0, head));
    this.text = this.text.slice(head + 4 + length);
    if (closes) { const s = this.socket!; this.socket = null; s.destroy(); }
    this.end(status, body);
  }
  private end(status: number, body: string): void { this.waiting = false; this.done(status, body); }
  close(): void { const s = this.socket; this.socket = null; this.waiting = false; s?.destroy(); }
}

/** Runs a load to its end; what is under way then is waited for. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const statuses = new Map<number, number>(), byBody = new Map<string, number>();
  const rate = options.rate ?? 0, most = options.requests ?? Infinity;
  let sent = 0, answered = 0, stopping = false, finish = (): void => {};
  const over = new Promise<void>((r) => { finish = r; });
  const bump = <K>(m: Map<K, number>, k: K): void => { m.set(k, (m.get(k) ?? 0) + 1); };
  const idle: Client[] = [];
  let timer: NodeJS.Timeout | null = null;
  const look = (): void => { if ((stopping || sent >= most) && answered === sent) { if (timer !== null) clearInterval(timer); for (const c of clients) c.close(); finish(); } };
  const go = (c: Client): void => { if (stopping || sent >= most) return; sent++; c.send(); };
  const clients: Client[] = Array.from({ length: options.connections }, () => {
    const c: Client = new Client(options, (status, body) => {
      answered++;
      bump(statuses, status);
      if (body.length < 100) bump(byBody, body);
      options.onAnswer?.(status, performance.now());
      if (rate > 0) idle.push(c); else go(c);
      look();
    });
    return c;
  });
  void options.until?.then(() => { stopping = true; look(); });
  if (rate === 0) for (const c of clients) go(c);
  else {
    idle.push(...clients);
    const start = performance.now();
    timer = setInterval(() => { const due = Math.floor(((performance.now() - start) * rate) / 1000); while (sent < Math.min(due, most) && idle.length > 0 && !stopping) go(idle.pop()!); look(); }, 5);
  }
  await over;
  let errors = 0;
  for (const [s, n] of statuses) if (s < 200 || s > 299) errors += n;
  return { statuses, byBody, total: answered, errors };
}
