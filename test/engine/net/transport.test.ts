// All transport behaviour, on both implementations.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createConnection, createServer } from 'node:net';
import { mkdtempSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { formatAddress, ipAddress, type Address } from '../../../engine/net/address.ts';
import { createTransport } from '../../../engine/net/transport/choose.ts';
import { loadAddon } from '../../../engine/net/transport/native.ts';
import type { ConnectOptions, ListenerSocket, SocketSink, Transport, TransportSocket } from '../../../engine/net/transport/transport.ts';

const LISTEN = { backlog: 128, reusePort: false, transparent: false, freebind: false, ipv6Only: false, maxAcceptsPerTurn: 0, options: [], mptcp: false, share: null };
const to = (remote: Address): ConnectOptions => ({ remote, bind: null, freebind: false, options: [], noDelay: true, keepalive: null });

class Peer implements SocketSink {
  socket!: TransportSocket;
  text = ''; bytes = 0; ended = false; connected = false; blocked = 0; drained = 0;
  closed: string | null = null;
  onBytes: (b: Buffer, s: number, e: number) => void = () => {};
  private readonly waits: [() => boolean, () => void][] = [];
  onConnect(): void { this.connected = true; this.check(); }
  onData(b: Buffer, s: number, e: number): void { this.bytes += e - s; if (this.text.length < 100_000) this.text += b.latin1Slice(s, e); this.onBytes(b, s, e); this.check(); }
  onEnd(): void { this.ended = true; this.check(); }
  onBlocked(): void { this.blocked++; this.check(); }
  onDrained(): void { this.drained++; this.check(); }
  onClose(error: string): void { this.closed = error; this.check(); }
  until(test: () => boolean): Promise<void> { return test() ? Promise.resolve() : new Promise((r) => { this.waits.push([test, r]); }); }
  private check(): void { for (let i = this.waits.length - 1; i >= 0; i--) if (this.waits[i]![0]()) this.waits.splice(i, 1)[0]![1](); }
}

async function pair(t: Transport, address: Address = ipAddress('127.0.0.1', 0)): Promise<{ client: Peer; server: Peer; listener: ListenerSocket }> {
  const server = new Peer();
  let accepted: () => void;
  const ready = new Promise<void>((r) => { accepted = r; });
  const listener = await t.listen({ ...LISTEN, address }, (s) => { server.socket = s; s.sink = server; accepted(); });
  assert.ok(!('error' in listener), JSON.stringify(listener));
  const client = new Peer();
  client.socket = t.connect(to(listener.local), client);
  await Promise.all([client.until(() => client.connected), ready]);
  return { client, server, listener };
}

const kinds: ('native' | 'node')[] = loadAddon() === null ? ['node'] : ['native', 'node'];
if (kinds.length === 1) test('the native transport', { skip: 'its addon is not built here (no C compiler)' }, () => {});

for (const kind of kinds) {
  const make = (after: { after(f: () => void): void }): Transport => {
    const t = createTransport(kind, { onTurnStart() {}, onTurnEnd() {} }, (e) => { throw e; });
    after.after(() => t.close());
    return t;
  };

  test(`${kind}: bytes go both ways, addresses are known, FIN is seen while the other way still works`, async (c) => {
    const { client, server } = await pair(make(c));
    client.socket.writeLatin1('hello\xff');
    await server.until(() => server.text === 'hello\xff');
    assert.equal(formatAddress(client.socket.local), formatAddress(server.socket.remote));
    client.socket.end();
    await server.until(() => server.ended);
    server.socket.writeLatin1('late');
    await client.until(() => client.text === 'late');
    server.socket.destroy('flush');
    await client.until(() => client.ended || client.closed !== null);
  });

  test(`${kind}: bytes of a turn are forwarded as they came`, async (c) => {
    const { client, server } = await pair(make(c));
    server.onBytes = (b, s, e) => { server.socket.writeLatin1('<'); server.socket.write(b, s, e); server.socket.writeLatin1('>'); };
    client.socket.writeLatin1('abc');
    await client.until(() => client.text === '<abc>');
  });

  test(`${kind}: a reader that pauses blocks the writer, bounded, until it resumes; nothing is lost`, async (c) => {
    const { client, server } = await pair(make(c));
    server.socket.pause();
    client.socket.highMark = 256 * 1024;
    const chunk = Buffer.alloc(1 << 20, 'x');
    const total = 24 << 20;
    let sent = 0;
    while (sent < total && client.blocked === 0) { client.socket.write(chunk, 0, chunk.length); sent += chunk.length; await new Promise((r) => setImmediate(r)); }
    assert.ok(client.blocked > 0, 'the writer is told');
    assert.ok(client.socket.pendingBytes > 256 * 1024);
    server.socket.resume();
    await client.until(() => client.drained > 0);
    await server.until(() => server.bytes === sent);
  });

  test(`${kind}: a small mark blocks and drains too, and what is written meanwhile, byte by byte, comes in its order`, async (c) => {
    const { client, server } = await pair(make(c));
    server.socket.pause();
    client.socket.highMark = 1000;
    const chunk = Buffer.alloc(4000, 'x');
    let sent = 0;
    while (sent < 64 << 20 && client.blocked === 0) { client.socket.write(chunk, 0, chunk.length); sent += chunk.length; await new Promise((r) => setImmediate(r)); }
    const text = Buffer.from('0123456789'.repeat(1000));
    let tail = '';
    server.onBytes = (b, s, e) => { tail = (tail + b.latin1Slice(s, e)).slice(-text.length); };
    for (let i = 0; i < text.length; i++) { client.socket.write(text, i, i + 1); if (i % 1000 === 0) await new Promise((r) => setImmediate(r)); }
    assert.ok(client.socket.pendingBytes >= text.length);
    server.socket.resume();
    await server.until(() => server.bytes === sent + text.length);
    assert.equal(tail, text.toString());
    await client.until(() => client.drained > 0);
    assert.equal(client.blocked, client.drained);
  });

  test(`${kind}: a refused connection and a reset are told with their errno`, async (c) => {
    const t = make(c);
    const { client, server, listener } = await pair(t);
    server.socket.destroy('reset');
    await client.until(() => client.closed !== null);
    assert.equal(client.closed, 'ECONNRESET');
    listener.close();
    const port = await new Promise<number>((r) => { const s = createServer().listen(0, '127.0.0.1', () => { const p = (s.address() as { port: number }).port; s.close(() => r(p)); }); });
    const nobody = new Peer();
    nobody.socket = t.connect(to(ipAddress('127.0.0.1', port)), nobody);
    await nobody.until(() => nobody.closed !== null);
    assert.equal(nobody.closed, 'ECONNREFUSED');
  });

  test(`${kind}: unix sockets, abstract ones, and IPv6`, async (c) => {
    const t = make(c);
    for (const address of [{ kind: 'pipe', path: join(mkdtempSync(join(tmpdir(), 'weir-')), 's'), mode: 0 }, { kind: 'pipe', path: `@weir-${process.pid}-${kind}`, mode: 0 }, ipAddress('::1', 0)] as Address[]) {
      const { client, server } = await pair(t, address);
      client.socket.writeLatin1('x');
      await server.until(() => server.text === 'x');
    }
  });

  test(`${kind}: connections to a listener that takes none wait, unread, and are taken when it goes on`, async (c) => {
    const t = make(c), servers: Peer[] = [];
    const listener = await t.listen({ ...LISTEN, address: ipAddress('127.0.0.1', 0) }, (s) => { const p = new Peer(); p.socket = s; s.sink = p; servers.push(p); });
    assert.ok(!('error' in listener));
    listener.pause();
    const clients = await Promise.all([0, 1, 2].map(async () => { const p = new Peer(); p.socket = t.connect(to(listener.local), p); await p.until(() => p.connected); p.socket.writeLatin1('early'); return p; }));
    clients[2]!.socket.destroy('reset');
    await new Promise((r) => setTimeout(r, 20));
    assert.equal(servers.length, 0);
    listener.resume();
    for (let i = 0; i < 100 && servers.filter((s) => s.text === 'early').length < 2; i++) await new Promise((r) => setTimeout(r, 5));
    // The one that was reset may be told of first.
    const taken = servers.filter((s) => s.text === 'early');
    assert.ok(taken.length >= 2);
    for (const s of taken) s.socket.writeLatin1('late');
    await Promise.all(clients.slice(0, 2).map((p) => p.until(() => p.text === 'late')));
  });

  test(`${kind}: an address in use is told`, async (c) => {
    const t = make(c);
    const { listener } = await pair(t);
    const again = await t.listen({ ...LISTEN, address: listener.local }, () => {});
    assert.deepEqual(again, { error: 'EADDRINUSE' });
  });

  test(`${kind}: 32 MiB each way through an echo arrive whole`, async (c) => {
    const { client, server } = await pair(make(c));
    server.onBytes = (b, s, e) => server.socket.write(b, s, e);
    const piece = Buffer.alloc(1 << 20);
    for (let i = 0; i < piece.length; i++) piece[i] = (i * 31) & 255;
    let sum = 0, expected = 0;
    client.onBytes = (b, s, e) => { for (let i = s; i < e; i += 997) sum += b[i]!; };
    for (let i = 0; i < 32; i++) { client.socket.write(piece, 0, piece.length); expected += piece.length; await client.until(() => client.bytes > expected - (8 << 20)); }
    await client.until(() => client.bytes === expected);
    assert.ok(sum > 0);
  });

  test(`${kind}: a wake outside of a turn runs one, a timer too`, async (c) => {
    let turns = 0;
    let seen: () => void = () => {};
    const t = createTransport(kind, { onTurnStart() { turns++; }, onTurnEnd() { seen(); } }, (e) => { throw e; });
    c.after(() => t.close());
    await new Promise<void>((r) => { seen = r; t.wake(); });
    const before = turns;
    await new Promise<void>((r) => { seen = r; t.wakeIn(5); });
    assert.ok(turns > before);
  });

  test(`${kind}: a turn that is told not to be taken is taken at the end of the one that comes before it`, async (c) => {
    // As a worker's loop does; a turn that node's own loop brings (a datagram) may ask for another one at once, and then for a timer's.
    let due = 0, asked = false, turns = 0;
    let fired: () => void = () => {};
    const t: Transport = createTransport(kind, { onTurnStart() { turns++; if (due > 0 && performance.now() >= due) { due = 0; fired(); } }, onTurnEnd() { if (due > 0 && !asked) asked = t.wakeIn(Math.max(0, due - performance.now())); } }, (e) => { throw e; });
    c.after(() => t.close());
    const socket = await t.datagrams({ bind: ipAddress('127.0.0.1', 0), family: 4, reusePort: false }, () => { due = performance.now() + 50; t.wake(); });
    assert.ok(!('error' in socket));
    await new Promise<void>((r) => { fired = r; const from = createSocket('udp4'); from.send('x', socket.local.port, '127.0.0.1', () => from.close()); });
    assert.ok(turns > 1);
  });

  test(`${kind}: an exception of one sink does not lose the events of the others`, async (c) => {
    const caught: unknown[] = [];
    const t = createTransport(kind, { onTurnStart() {}, onTurnEnd() {} }, (e) => { caught.push(e); });
    c.after(() => t.close());
    const { client, server, listener } = await pair(t);
    server.onBytes = () => { throw new Error('a bug'); };
    client.socket.writeLatin1('x');
    const other = createConnection((listener.local as { port: number }).port, '127.0.0.1');
    await new Promise((r) => other.once('connect', r));
    await server.until(() => server.bytes > 0);
    other.destroy();
    assert.equal(caught.length, 1);
  });

  // Told by the edge of the end; node:net does not look at a connection that is paused, so its errors are asked for now and then (through koffi).
  test(`${kind}: a reset that comes with bytes whose reader then pauses is told of`, async (c) => {
    const t = make(c);
    let seen: Peer, told: () => void;
    const listener = await t.listen({ ...LISTEN, address: ipAddress('127.0.0.1', 0) }, (s) => { seen = new Peer(); seen.socket = s; s.sink = seen; seen.onBytes = () => s.pause(); void seen.until(() => seen.closed !== null).then(told); });
    for (let i = 0; i < (kind === 'native' ? 20 : 1); i++) {
      const over = new Promise<void>((r) => { told = r; }), peer = createConnection(((listener as ListenerSocket).local as { port: number }).port, '127.0.0.1');
      peer.on('error', () => {});
      peer.on('connect', () => { peer.write(Buffer.alloc(512 * 1024)); peer.resetAndDestroy(); });
      await over;
      assert.equal(seen!.closed, 'ECONNRESET');
    }
  });

  test(`${kind}: both ends closed while the reader is paused: what is on the way is still read`, async (c) => {
    const { client, server } = await pair(make(c));
    server.socket.pause();
    client.socket.write(Buffer.alloc(200_000, 'z'), 0, 200_000);
    client.socket.end();
    server.socket.end();
    await client.until(() => client.ended);
    await new Promise((r) => setTimeout(r, 20));
    assert.equal(server.closed, null);
    server.socket.resume();
    await server.until(() => server.bytes === 200_000 && server.ended);
  });

  test(`${kind}: a flush to a peer that does not read can be watched and cut`, async (c) => {
    const { client, server } = await pair(make(c));
    client.socket.pause();
    const chunk = Buffer.alloc(1 << 20, 'x');
    for (let i = 0; i < 16; i++) server.socket.write(chunk, 0, chunk.length);
    server.socket.destroy('flush');
    await new Promise((r) => setTimeout(r, 20));
    assert.ok(server.socket.pendingBytes > 0, 'it waits');
    server.socket.destroy('now');
    await new Promise((r) => setTimeout(r, 20));
    assert.equal(server.socket.pendingBytes, 0);
    client.socket.resume();
    await client.until(() => client.ended || client.closed !== null);
    assert.ok(client.bytes < 16 << 20);
    assert.equal(server.closed, null, 'a socket that was let go tells nothing more');
  });

  test(`${kind}: a unix socket that a dead process has left behind is bound anew, a file that is none stays`, async (c) => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-')), path = join(dir, 's'), file = join(dir, 'f'), server = createServer();
    await new Promise<void>((r) => server.listen(`${path}.alive`, r));
    renameSync(`${path}.alive`, path);
    await new Promise((r) => server.close(r));
    assert.ok(statSync(path).isSocket());
    const t = make(c), { client, server: accepted, listener } = await pair(t, { kind: 'pipe', path, mode: 0 });
    client.socket.writeLatin1('hello');
    await accepted.until(() => accepted.text === 'hello');
    listener.close();
    writeFileSync(file, 'precious');
    assert.deepEqual(await t.listen({ ...LISTEN, address: { kind: 'pipe', path: file, mode: 0 } }, () => {}), { error: 'EADDRINUSE' });
    assert.equal(readFileSync(file, 'utf8'), 'precious');
  });

  test(`${kind}: socket options are set, or refused where node:net cannot; a pipe has its mode`, async (c) => {
    const t = make(c), IPPROTO_TCP = 6, TCP_DEFER_ACCEPT = 9;
    const options = [{ level: IPPROTO_TCP, name: TCP_DEFER_ACCEPT, value: 1 }];
    const listener = await t.listen({ ...LISTEN, address: ipAddress('127.0.0.1', 0), options }, () => {});
    if (kind === 'node') assert.deepEqual(listener, { error: 'ENOTSUP' }); else assert.ok(!('error' in listener));
    const bad = await t.listen({ ...LISTEN, address: ipAddress('127.0.0.1', 0), options: [{ level: 9999, name: 1, value: 1 }] }, () => {});
    assert.ok('error' in bad);
    const peer = new Peer();
    peer.socket = t.connect({ ...to(ipAddress('127.0.0.1', 9)), options: [{ level: 9999, name: 1, value: 1 }] }, peer);
    await peer.until(() => peer.closed !== null);
    assert.match(peer.closed!, /ENOTSUP|EINVAL|ENOPROTOOPT|EOPNOTSUPP/);
    const path = join(mkdtempSync(join(tmpdir(), 'weir-')), 's');
    const pipe = await t.listen({ ...LISTEN, address: { kind: 'pipe', path, mode: 0o640 } }, () => {});
    assert.ok(!('error' in pipe));
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });
}
