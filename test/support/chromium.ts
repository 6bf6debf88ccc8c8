// A headless Chromium over its DevTools protocol, for pages of the admin interface. Where no Chromium is installed (WEIR_CHROMIUM names one), `find` gives null.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';

export function findChromium(): string | null {
  if (process.env['WEIR_CHROMIUM'] !== undefined) return process.env['WEIR_CHROMIUM'];
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'headless_shell']) { try { return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(); } catch { /* the next one */ } }
  return null;
}

export class Chromium {
  private readonly child: ChildProcess;
  private readonly socket: WebSocket;
  private readonly dir: string;
  private next = 1;
  private readonly waiting = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  private session = '';
  /** URLs that the page asked for, and what its console and exceptions said. */
  readonly requested: string[] = [];
  readonly complaints: string[] = [];

  private constructor(child: ChildProcess, socket: WebSocket, dir: string) {
    this.child = child; this.socket = socket; this.dir = dir;
    socket.on('message', (data: Buffer) => this.receive(JSON.parse(data.toString()) as Record<string, never>));
  }

  static async start(path: string): Promise<Chromium> {
    const dir = mkdtempSync(join(tmpdir(), 'weir-chromium-'));
    const child = spawn(path, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server', '--remote-debugging-port=0', `--user-data-dir=${dir}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const url = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stderr!.on('data', (b: Buffer) => { said += b; const m = /DevTools listening on (ws:\S+)/.exec(said); if (m) resolve(m[1]!); });
      child.once('exit', () => reject(new Error(`chromium ended: ${said}`)));
    });
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => { socket.once('open', () => resolve()); socket.once('error', reject); });
    return new Chromium(child, socket, dir);
  }

  private receive(m: { id?: number; method?: string; params?: Record<string, unknown>; result?: unknown; error?: { message: string } }): void {
    if (m.id !== undefined) { this.waiting.get(m.id)?.(m as never); this.waiting.delete(m.id); return; }
    const p = m.params as { request?: { url: string }; exceptionDetails?: { text: string }; type?: string; entry?: { level: string; text: string } } | undefined;
    if (m.method === 'Network.requestWillBeSent') this.requested.push(p!.request!.url);
    if (m.method === 'Runtime.exceptionThrown') this.complaints.push(p!.exceptionDetails!.text);
    if (m.method === 'Log.entryAdded' && p!.entry!.level === 'error') this.complaints.push(p!.entry!.text);
  }

  private send<T>(method: string, params: object = {}): Promise<T> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, (a) => { if (a.error === undefined) resolve(a.result as T); else reject(new Error(a.error.message)); });
      this.socket.send(JSON.stringify({ id, method, params, ...(this.session === '' ? {} : { sessionId: this.session }) }));
    });
  }

  async open(url: string): Promise<void> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    this.session = (await this.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    for (const domain of ['Network', 'Runtime', 'Log', 'Page']) await this.send(`${domain}.enable`);
    await this.send('Page.navigate', { url });
  }

  async evaluate<T>(expression: string): Promise<T> { return (await this.send<{ result: { value: T } }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })).result.value; }
  /** PNG of the page. */
  async screenshot(): Promise<Buffer> { return Buffer.from((await this.send<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true })).data, 'base64'); }

  async stop(): Promise<void> {
    this.socket.close();
    this.child.kill('SIGKILL');
    await new Promise((r) => { if (this.child.exitCode !== null || this.child.signalCode !== null) r(null); else this.child.once('exit', r); });
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
