// What tests of peers that do not read share: a backend that gives more than anybody takes, or takes nothing, and how much a process has grown.
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { until } from './weir.ts';

export const MIB = 1 << 20;
export const rssMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

/** Answers every head with 16 MiB as fast as it is taken; with `deaf`, reads one head and nothing more. */
export async function generousBackend(deaf: boolean): Promise<{ port: number; stop: () => void }> {
  const piece = Buffer.alloc(64 * 1024, 'x'), sockets = new Set<Socket>();
  const server = createServer((s) => {
    sockets.add(s);
    s.on('error', () => {});
    s.once('data', () => {
      if (deaf) { s.pause(); return; }
      s.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${16 * MIB}\r\n\r\n`);
      let left = 16 * MIB;
      const more = (): void => { while (left > 0) { left -= piece.length; if (!s.write(piece)) { s.once('drain', more); return; } } };
      more();
    });
  });
  const port = await new Promise<number>((r) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => r((server.address() as AddressInfo).port)));
  return { port, stop: () => { for (const s of sockets) s.destroy(); server.close(); } };
}

/** Waits until memory stays where it is, and gives how much it has grown. */
export async function settled(pid: number, base: number): Promise<number> {
  let last = -1, grown = 0;
  await until('memory stays where it is', async () => { await new Promise((r) => setTimeout(r, 400)); grown = rssMb(pid) - base; const still = Math.abs(grown - last) < 2; last = grown; return still; }, 20_000);
  return grown;
}
