// A TCP server that misbehaves as the path of the request says: '/ok' answers well, '/reset-head' resets in the middle of a head, and so on (see FAULTS); what
// follows a second slash or '?' is the test's own.
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What each path does once the request's head is there. Who half-closes reads on and answers nothing more. */
const FAULTS: { readonly [path: string]: (s: Socket) => void } = {
  '/ok': (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  '/hang': () => {},
  '/close': (s) => s.end(),
  '/half-close': (s) => s.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  '/half-close-later': (s) => { s.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'); setTimeout(() => s.end(), 5); },
  '/reset': (s) => s.resetAndDestroy(),
  '/reset-head': (s) => { s.write('HTTP/1.1 200 OK\r\ncontent-le'); setImmediate(() => s.resetAndDestroy()); },
  '/reset-body': (s) => { s.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'); setTimeout(() => s.resetAndDestroy(), 30); },
  '/close-body': (s) => { s.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'); setTimeout(() => s.end(), 30); },
  '/close-chunk': (s) => { s.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc'); setTimeout(() => s.end(), 30); },
  '/garbage': (s) => s.write('\x00\x01\x02 what is this\r\n\r\n'),
  '/huge-head': (s) => s.write(`HTTP/1.1 200 OK\r\nx-huge: ${'x'.repeat(200_000)}\r\n\r\n`),
  '/two-lengths': (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk'),
  '/bad-chunk': (s) => s.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n'),
  '/extra': (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen'),
  '/slow-head': (s) => { const text = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'; let i = 0; const t = setInterval(() => { if (s.destroyed || i >= text.length) { clearInterval(t); return; } s.write(text[i++]!); }, 40); },
  '/slow-body': (s) => { s.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n'); const t = setInterval(() => { if (s.destroyed) clearInterval(t); else s.write('x'); }, 40); },
};
export const FAULT_PATHS: readonly string[] = Object.keys(FAULTS);

export class ChaosBackend {
  port = 0;
  requests = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer({ allowHalfOpen: true }, (s) => {
    let text = '';
    this.sockets.add(s);
    s.on('error', () => {});
    s.on('end', () => s.end());
    s.on('close', () => this.sockets.delete(s));
    s.on('data', (b: Buffer) => {
      text += b.toString('latin1');
      for (let i = text.indexOf('\r\n\r\n'); i >= 0; i = text.indexOf('\r\n\r\n')) {
        const path = /^\S+ (\/[^/? ]*)/.exec(text)?.[1] ?? '';
        text = text.slice(i + 4);
        this.requests++;
        if (s.writableEnded) continue;
        (FAULTS[path] ?? FAULTS['/ok']!)(s);
      }
    });
  });
  start(address = '127.0.0.1', port = 0): Promise<this> { return new Promise((r) => this.server.listen(port, address, () => { this.port = (this.server.address() as AddressInfo).port; r(this); })); }
  stop(): Promise<void> { for (const s of this.sockets) s.destroy(); return new Promise((r) => this.server.close(() => r())); }
}
