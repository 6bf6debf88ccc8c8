// A client of TLS handshakes, run by works.ts on the load's core: `handshakes.ts PORT SECONDS full|resumed VERSION`. A few connections at a time, each with one
// request over HTTP/1.1, closed after the answer. Prints how many there were, and how many failed or were not what was asked for (a full one in place of a resumed one).
import { connect, type TLSSocket } from 'node:tls';

const [port, seconds, kind, version] = process.argv.slice(2) as [string, string, 'full' | 'resumed', 'TLSv1.2' | 'TLSv1.3'];
const AT_ONCE = 8;
const end = performance.now() + Number(seconds) * 1000;
let connections = 0, errors = 0;

/** One connection; gives the session to resume with. */
function once(session: Buffer | undefined): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let latest = session, settled = false;
    const socket: TLSSocket = connect({ port: Number(port), host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false, minVersion: version, maxVersion: version, ALPNProtocols: ['http/1.1'], ...(session === undefined ? {} : { session }) });
    const done = (good: boolean): void => {
      if (settled) return;
      settled = true;
      connections++;
      if (!good) errors++;
      socket.destroy();
      resolve(good && kind === 'resumed' ? latest : undefined);
    };
    socket.on('session', (s) => { latest = s; });
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'));
    socket.on('data', () => done(socket.isSessionReused() === (session !== undefined)));
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
  });
}

async function client(): Promise<void> {
  let session: Buffer | undefined;
  do session = await once(session); while (performance.now() < end);
}

await Promise.all(Array.from({ length: AT_ONCE }, client));
console.log(`${connections} connections, ${errors} errors`);
