// The same transport over node:net: where the addon is not built, and as --transport=node. A turn is one callback of node's event loop; what it writes is
// gathered per socket and let go at the turn's end, or, while a little waits behind what the kernel does not take, with what follows.
import { chmodSync, statSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { ByteQueue } from '../../base/byte-queue.ts';
import { ipAddress, type Address } from '../address.ts';
import { Datagrams, type DatagramOptions, type DatagramSink, type DatagramSocket } from './datagrams.ts';
import { originalDestination, pendingError, setOption } from './socket-calls.ts';
import { NO_SINK, NOT_HERE } from './transport.ts';
import type { ConnectOptions, ListenOptions, ListenerSocket, OnException, SocketOption, SocketSink, TcpKeepalive, Transport, TransportSocket, TransportTurn } from './transport.ts';

function address(ip: string | undefined, port: number | undefined, path: string): Address {
  if (ip === undefined || port === undefined) return { kind: 'pipe', path, mode: 0 };
  return ip.startsWith('::ffff:') && ip.includes('.') ? ipAddress(ip.slice(7), port) : ipAddress(ip, port);
}

/** Node takes abstract names with a leading NUL. */
const pathOf = (a: Address): string => (a.kind === 'pipe' ? (a.path.startsWith('@') ? `\0${a.path.slice(1)}` : a.path) : '');

/** A unix socket that a process before left behind is in the way, as it is not when the native transport (and Envoy) binds. */
function clearPath(path: string): void {
  if (path === '' || path.startsWith('\0')) return;
  try { if (statSync(path).isSocket()) unlinkSync(path); } catch { /* nothing is there, or it may not be removed: listening says so */ }
}

/** node keeps the descriptor to itself; -1 where there is none (yet, or any more). */
function descriptorOf(socket: net.Socket): number { return (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1; }

/** So many bytes go to node though it has not sent those before. */
const GATHER = 1 << 16;

class NodeSocket implements TransportSocket {
  sink: SocketSink = NO_SINK;
  private readonly owner: NodeTransport;
  private readonly socket: net.Socket;
  private readonly path: string;
  private gone = false;
  private blocked = false;
  /** Written and not given to node yet; small pieces share its blocks, where node would keep an object for each. */
  private readonly out = new ByteQueue();
  /** It is looked at as the turn ends. */
  private dirty = false;
  private flushing = false;
  private error = '';
  private remoteAddress: Address | null = null;
  private localAddress: Address | null = null;
  highMark = 1 << 20;

  constructor(owner: NodeTransport, socket: net.Socket, path: string) {
    this.owner = owner; this.socket = socket; this.path = path;
    if (socket.remoteAddress !== undefined) this.remoteAddress = address(socket.remoteAddress, socket.remotePort, path);
    socket.on('connect', () => owner.enter(() => this.sink.onConnect(), this));
    socket.on('data', (b: Buffer) => owner.enter(() => this.sink.onData(b, 0, b.length), this));
    socket.on('end', () => owner.enter(() => this.sink.onEnd(), this));
    socket.on('error', (e: NodeJS.ErrnoException) => { this.error = e.code ?? 'EIO'; });
    socket.on('close', () => { owner.left(); owner.paused.delete(this); if (!this.gone) { this.gone = true; owner.enter(() => this.sink.onClose(this.error), this); } });
  }

  get local(): Address { return this.localAddress ??= address(this.socket.localAddress, this.socket.localPort, this.path); }
  get remote(): Address { return this.remoteAddress ??= address(this.socket.remoteAddress, this.socket.remotePort, this.path); }
  set known(a: Address) { this.remoteAddress = a; }
  get originalDestination(): Address | null { const fd = descriptorOf(this.socket); return fd < 0 ? null : originalDestination(fd, this.local); }

  writeLatin1(text: string): void { const bytes = Buffer.from(text, 'latin1'); this.write(bytes, 0, bytes.length); }
  /** Lent bytes are copied. */
  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.gone || this.socket.destroyed || this.socket.writableEnded) return;
    this.out.pushCopy(bytes, start, end);
    if (!this.dirty) { this.dirty = true; this.owner.atTurnEnd(this); }
  }

  /** @internal */
  turnEnded(): void {
    this.dirty = false;
    if (this.gone) return;
    if (this.socket.writableLength === 0 || this.out.length >= GATHER) this.flush();
    if (!this.blocked && this.pendingBytes > this.highMark) { this.blocked = true; this.sink.onBlocked(); }
  }
  private flush(): void {
    const { out, socket } = this;
    socket.cork();
    for (let c = out.shift(); c !== undefined; c = out.shift()) { if (out.length > 0) socket.write(c); else socket.write(c, this.onSent); }
    socket.uncork();
  }
  private readonly onSent = (): void => {
    if (this.gone || this.socket.destroyed || this.socket.writableEnded) return;
    if (this.out.length > 0) this.flush();
    if (this.blocked && this.pendingBytes === 0) this.owner.enter(() => { this.blocked = false; this.sink.onDrained(); }, this);
  };

  get pendingBytes(): number { return this.socket.writableLength + this.out.length; }
  pause(): void { this.socket.pause(); if (!this.gone) this.owner.watchPaused(this); }
  resume(): void { this.owner.paused.delete(this); if (!this.gone) this.socket.resume(); }
  /** @internal A reset is told by reading, which nobody does here. */
  lookForReset(): void {
    const fd = descriptorOf(this.socket), error = fd < 0 ? 0 : pendingError(fd);
    if (error !== 0) this.socket.destroy(Object.assign(new Error('while it was paused'), { code: getSystemErrorName(-error) }));
  }
  end(): void { if (!this.gone) { this.flush(); this.socket.end(); } }
  destroy(how: 'flush' | 'now' | 'reset'): void {
    if (this.gone) { if (how !== 'flush' && this.flushing) this.socket.destroy(); return; }
    this.gone = true;
    this.owner.paused.delete(this);
    this.flush();
    this.sink = NO_SINK;
    if (how === 'reset') this.socket.resetAndDestroy();
    else if (how === 'now' || this.socket.writableLength === 0) this.socket.destroySoon();
    else { this.flushing = true; this.socket.end(() => this.socket.destroy()); }
  }
  setNoDelay(on: boolean): void { this.socket.setNoDelay(on); }
  setKeepalive(k: TcpKeepalive): void { this.socket.setKeepAlive(true, k.idleS * 1000); }
  setOption(o: SocketOption): boolean { const fd = descriptorOf(this.socket); return fd >= 0 && setOption(fd, o); }
}

/** What waits at most where a listener takes no connections, whatever its backlog. */
const MOST_WAITING = 1024;

/**
 * node:net accepts whatever comes, so connections to a listener that takes none wait here instead of in the kernel's queue: unread, at most as many as its backlog; the
 * others are closed.
 */
class WaitingRoom {
  private readonly take: (socket: net.Socket) => void;
  private readonly most: number;
  private readonly sockets = new Set<net.Socket>();
  private isShut = false;
  constructor(backlog: number, take: (socket: net.Socket) => void) { this.take = take; this.most = Math.min(backlog, MOST_WAITING); }

  /** Whether the socket stays here (or is over). */
  keep(socket: net.Socket): boolean {
    if (!this.isShut) return false;
    if (this.sockets.size >= this.most) { socket.destroy(); return true; }
    socket.on('error', () => { /* its close follows */ });
    socket.once('close', () => this.sockets.delete(socket));
    this.sockets.add(socket);
    return true;
  }
  shut(): void { this.isShut = true; }
  open(): void {
    this.isShut = false;
    for (const s of [...this.sockets]) { this.sockets.delete(s); this.take(s); }
  }
  empty(): void { for (const s of this.sockets) s.destroy(); }
}

/** How often sockets that are paused are looked at, ms. */
const LOOK_MS = 250;

export class NodeTransport implements Transport {
  readonly name = 'node';
  private readonly turn: TransportTurn;
  private depth = 0;
  private dirty: NodeSocket[] = [];
  private timer: NodeJS.Timeout | null = null;
  private immediate = false;
  private readonly servers = new Set<net.Server>();
  private readonly sockets = new Set<net.Socket>();
  openSockets = 0;
  onException: OnException = (e) => { throw e; };

  constructor(turn: TransportTurn) { this.turn = turn; }

  /** @internal Runs `work`, an event of `socket`, as (part of) a turn. */
  enter(work: () => void, socket: TransportSocket | null = null): void {
    if (this.depth > 0) { work(); return; }
    this.depth++;
    this.turn.onTurnStart();
    try { work(); } catch (e) { this.onException(e, socket); }
    try { this.turn.onTurnEnd(); } catch (e) { this.onException(e, null); }
    for (let list = this.dirty; list.length > 0; list = this.dirty) { this.dirty = []; for (const s of list) s.turnEnded(); }
    this.depth--;
  }
  /** @internal */
  atTurnEnd(s: NodeSocket): void { this.dirty.push(s); if (this.depth === 0) this.wake(); }
  /** @internal */
  left(): void { this.openSockets--; }
  /** @internal Those that nobody reads: looked at now and then, as epoll is not asked about them. */
  readonly paused = new Set<NodeSocket>();
  private watching: NodeJS.Timeout | null = null;
  /** @internal */
  watchPaused(s: NodeSocket): void {
    this.paused.add(s);
    this.watching ??= setInterval(() => {
      if (this.paused.size === 0) { clearInterval(this.watching!); this.watching = null; }
      for (const p of this.paused) p.lookForReset();
    }, LOOK_MS);
  }

  private adopt(socket: net.Socket, path: string): NodeSocket {
    this.openSockets++;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    return new NodeSocket(this, socket, path);
  }

  listen(o: ListenOptions, onAccept: (socket: TransportSocket) => void): Promise<ListenerSocket | { readonly error: string }> {
    // node:net sets no options of its own choosing: refused, not ignored.
    if (o.options.length > 0 || o.transparent || o.freebind || o.mptcp || o.share?.exact === true) return Promise.resolve({ error: NOT_HERE });
    // Connections are not handed from one worker to another here: those without a socket of their own serve none.
    if (o.share?.socketless === true) return Promise.resolve({ local: o.address, pause: () => {}, resume: () => {}, close: () => {} });
    const path = pathOf(o.address);
    clearPath(path);
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: false }, (socket) => { if (!waiting.keep(socket)) take(socket); });
    const take = (socket: net.Socket): void => { const s = this.adopt(socket, path); this.enter(() => onAccept(s), s); }, waiting = new WaitingRoom(o.backlog, take);
    return new Promise((resolve) => {
      server.once('error', (e: NodeJS.ErrnoException) => resolve({ error: e.code ?? 'EIO' }));
      const done = (): void => {
        this.servers.add(server);
        if (o.address.kind === 'pipe' && o.address.mode !== 0 && !path.startsWith('\0')) chmodSync(path, o.address.mode);
        const bound = server.address();
        server.on('error', () => { /* EMFILE and the like: the next accept tries again */ });
        resolve({
          local: bound !== null && typeof bound === 'object' ? ipAddress(bound.address, bound.port) : o.address,
          pause: () => waiting.shut(),
          resume: () => waiting.open(),
          close: () => { this.servers.delete(server); server.close(); waiting.empty(); },
        });
      };
      if (o.address.kind === 'ip') server.listen({ host: o.address.ip, port: o.address.port, backlog: o.backlog, reusePort: o.reusePort, ipv6Only: o.ipv6Only, exclusive: true }, done);
      else server.listen({ path, backlog: o.backlog, exclusive: true }, done);
    });
  }

  connect(o: ConnectOptions, sink: SocketSink): TransportSocket {
    if (o.options.length > 0 || o.freebind) return this.refused(o, sink);
    const bind = o.bind !== null && o.bind.kind === 'ip' ? { localAddress: o.bind.ip, localPort: o.bind.port } : {};
    const socket = o.remote.kind === 'ip' ? net.connect({ host: o.remote.ip, port: o.remote.port, allowHalfOpen: true, noDelay: o.noDelay, autoSelectFamily: false, ...bind }) : net.connect({ path: pathOf(o.remote), allowHalfOpen: true });
    const s = this.adopt(socket, '');
    s.sink = sink;
    s.known = o.remote;
    if (o.keepalive !== null) s.setKeepalive(o.keepalive);
    return s;
  }

  private readonly datagramSockets = new Datagrams((work) => this.enter(work));
  datagrams(o: DatagramOptions, sink: DatagramSink): Promise<DatagramSocket | { readonly error: string }> { return this.datagramSockets.open(o, sink); }

  /** An outgoing connection with options that node:net cannot set: it fails, told later as any failure. */
  private refused(o: ConnectOptions, sink: SocketSink): TransportSocket {
    const socket = new net.Socket(), s = this.adopt(socket, '');
    s.sink = sink;
    s.known = o.remote;
    socket.destroy(Object.assign(new Error('no socket options'), { code: NOT_HERE }));
    return s;
  }

  wake(): void {
    if (this.immediate) return;
    this.immediate = true;
    setImmediate(() => { this.immediate = false; this.enter(() => {}); });
  }
  wakeIn(ms: number): boolean {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = ms < 0 ? null : setTimeout(() => { this.timer = null; this.enter(() => {}); }, Math.ceil(ms));
    return true;
  }
  close(): void {
    this.wakeIn(-1);
    this.paused.clear();
    if (this.watching !== null) clearInterval(this.watching);
    for (const s of this.servers) s.close();
    for (const s of this.sockets) s.destroy();
    this.datagramSockets.close();
  }
}
