// The batch transport over the native addon (native/*.c): one call per turn with all events, all writes carried out after it. Linux.
// A write copies into the send slab, or, for bytes of this turn's receive slab, becomes a forward without a copy.
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { formatAddress, ipAddress, type Address } from '../address.ts';
import { Datagrams, type DatagramOptions, type DatagramSink, type DatagramSocket } from './datagrams.ts';
import { NO_SINK, type ConnectOptions, type ListenOptions, type ListenerSocket, type OnException, type SocketOption, type SocketSink, type TcpKeepalive, type Transport, type TransportSocket, type TransportTurn } from './transport.ts';

interface Addon {
  create(receive: Uint8Array, send: Uint8Array, events: Int32Array, commands: Int32Array, onTurn: () => void): object;
  listen(h: object, host: string, port: number, backlog: number, flags: number, mode: number, accepts: number, options: readonly (number | Uint8Array)[], group: string): number;
  share(h: object, group: string): number; originalDestination(h: object, slot: number): string;
  connect(h: object, host: string, port: number, bindHost: string, bindPort: number, options: readonly (number | Uint8Array)[]): number;
  flush(h: object): void; generation(h: object, slot: number): number; wake(h: object, ms: number): void;
  closeListener(h: object, slot: number): void; pauseListener(h: object, slot: number, on: boolean): void;
  setHigh(h: object, slot: number, bytes: number): void; pending(h: object, slot: number): number; setOption(h: object, slot: number, level: number, name: number, value: number | Uint8Array): number;
  name(h: object, slot: number, remote: boolean): string; live(h: object): number; close(h: object): void;
}

const EVENT = { ACCEPT: 1, CONNECT: 2, DATA: 3, EOF: 4, CLOSE: 5, BLOCK: 6, DRAIN: 7 } as const;
const OP = { SEND: 1, FORWARD: 2, END: 3, CLOSE: 4, RESET: 5, PAUSE: 6, RESUME: 7, NOW: 8 } as const;
const RECEIVE_BYTES = 1 << 20, SEND_BYTES = 1 << 20, RECORDS = 8192;
const SOL_SOCKET = 1, SO_KEEPALIVE = 9, IPPROTO_TCP = 6, TCP_NODELAY = 1, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5, TCP_KEEPCNT = 6, IP_TRANSPARENT = 19, IP_FREEBIND = 15;

/** The addon, or null where it is not built or does not load. */
export function loadAddon(): Addon | null {
  try { return createRequire(import.meta.url)('../../../build/transport.node') as Addon; } catch { return null; }
}

function parseName(text: string): Address {
  const space = text.indexOf(' ');
  if (space < 0) return { kind: 'pipe', path: text.replace(/\0+$/, ''), mode: 0 };
  const ip = text.slice(0, space), port = Number(text.slice(space + 1));
  return ip.startsWith('::ffff:') && ip.includes('.') ? ipAddress(ip.slice(7), port) : ipAddress(ip, port);
}

function endpointOf(a: Address): [string, number] {
  if (a.kind === 'ip') return [a.ip, a.port];
  return [a.kind === 'pipe' ? a.path : formatAddress(a), -1];
}

class NativeSocket implements TransportSocket {
  sink: SocketSink = NO_SINK;
  private readonly owner: NativeTransport;
  readonly slot: number;
  /** Generation shifted to where records carry it; -1 once closed. */
  tag: number;
  /** The tag of a socket that was let go with 'flush'. */
  private flushing = -1;
  private localAddress: Address | null = null;
  private remoteAddress: Address | null = null;
  private mark = 1 << 20;
  /** Errno name of a connect that failed at once. */
  failure = '';
  constructor(owner: NativeTransport, slot: number, generation: number) { this.owner = owner; this.slot = slot; this.tag = generation << 8; }

  get local(): Address { return this.localAddress ??= parseName(this.tag === -1 ? '' : this.owner.addon.name(this.owner.handle, this.slot, false)); }
  get remote(): Address { return this.remoteAddress ??= parseName(this.tag === -1 ? '' : this.owner.addon.name(this.owner.handle, this.slot, true)); }
  set known(remote: Address) { this.remoteAddress = remote; }
  get originalDestination(): Address | null {
    const text = this.tag === -1 ? '' : this.owner.addon.originalDestination(this.owner.handle, this.slot);
    return text === '' ? null : parseName(text);
  }

  writeLatin1(text: string): void { if (this.tag !== -1) this.owner.sendText(this, text); }
  write(bytes: Uint8Array, start: number, end: number): void { if (this.tag !== -1) this.owner.sendBytes(this, bytes, start, end); }
  get pendingBytes(): number {
    const tag = this.tag !== -1 ? this.tag : this.flushing;
    return tag === -1 || (tag !== this.tag && this.owner.addon.generation(this.owner.handle, this.slot) !== tag >>> 8) ? 0 : this.owner.addon.pending(this.owner.handle, this.slot);
  }
  pause(): void { if (this.tag !== -1) this.owner.command(this, OP.PAUSE, 0, 0); }
  resume(): void { if (this.tag !== -1) this.owner.command(this, OP.RESUME, 0, 0); }
  end(): void { if (this.tag !== -1) this.owner.command(this, OP.END, 0, 0); }
  destroy(how: 'flush' | 'now' | 'reset'): void {
    if (this.tag === -1 && (this.flushing === -1 || how === 'flush')) return;
    const tag = this.tag !== -1 ? this.tag : this.flushing;
    this.owner.command(this, how === 'flush' ? OP.CLOSE : how === 'now' ? OP.NOW : OP.RESET, 0, 0, tag);
    this.owner.forget(this);
    this.flushing = how === 'flush' ? tag : -1;
    // Nothing is told any more: whoever watches the flush must not keep the connection alive.
    this.sink = NO_SINK;
  }
  setNoDelay(on: boolean): void { this.setOption({ level: IPPROTO_TCP, name: TCP_NODELAY, value: on ? 1 : 0 }); }
  setKeepalive(k: TcpKeepalive): void { for (const o of keepaliveOptions(k)) this.setOption(o); }
  setOption(o: SocketOption): boolean { return this.tag !== -1 && this.owner.addon.setOption(this.owner.handle, this.slot, o.level, o.name, o.value) === 0; }
  get highMark(): number { return this.mark; }
  set highMark(bytes: number) { this.mark = bytes; if (this.tag !== -1) this.owner.addon.setHigh(this.owner.handle, this.slot, bytes); }
}

function keepaliveOptions(k: TcpKeepalive): SocketOption[] {
  const out: SocketOption[] = [{ level: SOL_SOCKET, name: SO_KEEPALIVE, value: 1 }];
  if (k.idleS > 0) out.push({ level: IPPROTO_TCP, name: TCP_KEEPIDLE, value: k.idleS });
  if (k.intervalS > 0) out.push({ level: IPPROTO_TCP, name: TCP_KEEPINTVL, value: k.intervalS });
  if (k.probes > 0) out.push({ level: IPPROTO_TCP, name: TCP_KEEPCNT, value: k.probes });
  return out;
}

const flat = (list: readonly SocketOption[]): (number | Uint8Array)[] => list.flatMap((o) => [o.level, o.name, o.value]);

interface NativeListener { readonly onAccept: (socket: TransportSocket) => void }

export class NativeTransport implements Transport {
  readonly name = 'native';
  readonly addon: Addon;
  readonly handle: object;
  private readonly turn: TransportTurn;
  private readonly receive = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  private readonly sendSlab = Buffer.allocUnsafeSlow(SEND_BYTES);
  private readonly events = new Int32Array(4 + 4 * RECORDS);
  private readonly commands = new Int32Array(4 + 4 * RECORDS);
  private readonly sockets: (NativeSocket | undefined)[] = [];
  private readonly listeners = new Map<number, NativeListener>();
  private sendAt = 0;
  private inTurn = false;
  /** Whose event was told last: an exception is its. */
  private at: NativeSocket | null = null;
  private wakeAsked = false;
  private failedConnects: NativeSocket[] = [];
  /** Told of an exception that a sink threw; the rest of the batch goes on. */
  onException: OnException = (e) => { throw e; };

  constructor(addon: Addon, turn: TransportTurn) {
    this.addon = addon;
    this.turn = turn;
    this.handle = addon.create(this.receive, this.sendSlab, this.events, this.commands, () => this.onTurn());
  }

  get openSockets(): number { return this.addon.live(this.handle); }

  private onTurn(): void {
    this.inTurn = true;
    this.wakeAsked = false;
    this.turn.onTurnStart();
    const ev = this.events, count = ev[0]!;
    for (let i = 0, k = 4; i < count; i++, k += 4) {
      try { this.dispatch(ev[k]!, ev[k + 1]!, ev[k + 2]!, ev[k + 3]!); } catch (e) { this.onException(e, this.at); }
    }
    if (this.displaced.length > 0) this.displaced.length = 0;
    try { this.failPending(); this.turn.onTurnEnd(); } catch (e) { this.onException(e, null); }
    this.at = null;
    this.inTurn = false;
  }

  private dispatch(slot: number, tagged: number, offset: number, length: number): void {
    const type = tagged & 255;
    if (type === EVENT.ACCEPT) { this.accept(slot, tagged >>> 8, offset, length); return; }
    let s = this.sockets[slot];
    if (s === undefined || s.tag !== tagged - type) {
      if (this.displaced.length === 0) return;
      s = this.displaced.find((d) => d.slot === slot && d.tag === tagged - type);
      if (s === undefined) return;
    }
    this.at = s;
    switch (type) {
      case EVENT.DATA: s.sink.onData(this.receive, offset, offset + length); break;
      case EVENT.EOF: s.sink.onEnd(); break;
      case EVENT.CONNECT: s.sink.onConnect(); break;
      case EVENT.BLOCK: s.sink.onBlocked(); break;
      case EVENT.DRAIN: s.sink.onDrained(); break;
      case EVENT.CLOSE: this.forget(s); s.sink.onClose(offset === 0 ? '' : getSystemErrorName(-offset)); break;
    }
  }

  /** The peer's raw sockaddr lies at `offset` in the slab. */
  private accept(slot: number, generation: number, offset: number, listener: number): void {
    const s = new NativeSocket(this, slot, generation);
    this.at = s;
    this.place(slot, s);
    const r = this.receive;
    if (r.readUInt16LE(offset) === 2) s.known = ipAddress(`${r[offset + 4]}.${r[offset + 5]}.${r[offset + 6]}.${r[offset + 7]}`, r.readUInt16BE(offset + 2));
    const l = this.listeners.get(listener);
    if (l === undefined) s.destroy('now'); else l.onAccept(s);
  }

  /** @internal */
  forget(s: NativeSocket): void { if (this.sockets[s.slot] === s) this.sockets[s.slot] = undefined; s.tag = -1; }

  /** @internal */
  command(s: NativeSocket, op: number, offset: number, length: number, tag = s.tag): void {
    const cm = this.commands;
    if (cm[0] === RECORDS) this.flush();
    const k = 4 + 4 * cm[0]!;
    cm[k] = s.slot; cm[k + 1] = tag | op; cm[k + 2] = offset; cm[k + 3] = length;
    cm[0]!++;
    if (!this.inTurn) this.wake();
  }

  /** @internal */
  sendText(s: NativeSocket, text: string): void {
    let at = 0;
    const length = text.length;
    while (length - at > SEND_BYTES - this.room()) {
      const part = text.slice(at, at + (SEND_BYTES >> 1));
      this.flush();
      this.put(s, part);
      this.flush();
      at += part.length;
      if (at >= length) return;
    }
    this.put(s, at === 0 ? text : text.slice(at));
  }

  /** Bytes of the send slab in use; an empty command list frees it. */
  private room(): number { if (this.commands[0] === 0) this.sendAt = 0; return this.sendAt; }

  private put(s: NativeSocket, text: string): void {
    const at = this.room();
    this.sendSlab.latin1Write(text, at);
    this.command(s, OP.SEND, at, text.length);
    this.sendAt = at + text.length;
  }

  /** @internal */
  sendBytes(s: NativeSocket, bytes: Uint8Array, start: number, end: number): void {
    if (bytes === this.receive && this.inTurn) { this.command(s, OP.FORWARD, start, end - start); return; }
    while (start < end) {
      if (this.room() === SEND_BYTES || this.commands[0] === RECORDS) this.flush();
      const at = this.room(), n = Math.min(SEND_BYTES - at, end - start);
      this.sendSlab.set(start === 0 && n === bytes.length ? bytes : bytes.subarray(start, start + n), at);
      this.command(s, OP.SEND, at, n);
      this.sendAt = at + n;
      start += n;
    }
  }

  private flush(): void { this.addon.flush(this.handle); this.sendAt = 0; }

  listen(o: ListenOptions, onAccept: (socket: TransportSocket) => void): Promise<ListenerSocket | { readonly error: string }> {
    const [host, port] = endpointOf(o.address);
    const options = flat(o.options);
    if (o.transparent) options.push(0, IP_TRANSPARENT, 1);
    if (o.freebind) options.push(0, IP_FREEBIND, 1);
    const flags = (o.reusePort ? 1 : 0) | (o.ipv6Only ? 2 : 0) | (o.share !== null && (o.share.exact || !o.reusePort) ? 4 : 0) | (o.mptcp ? 8 : 0), group = o.share?.group ?? '';
    const slot = o.share?.socketless === true ? this.addon.share(this.handle, group) : this.addon.listen(this.handle, host, port, o.backlog, flags, o.address.kind === 'pipe' ? o.address.mode : 0, o.maxAcceptsPerTurn, options, group);
    if (slot < 0) return Promise.resolve({ error: getSystemErrorName(slot) });
    this.listeners.set(slot, { onAccept });
    const local = o.address.kind === 'ip' && o.share?.socketless !== true ? parseName(this.addon.name(this.handle, slot, false)) : o.address;
    return Promise.resolve({
      local,
      pause: () => this.addon.pauseListener(this.handle, slot, true),
      resume: () => this.addon.pauseListener(this.handle, slot, false),
      close: () => { if (this.listeners.delete(slot)) this.addon.closeListener(this.handle, slot); },
    });
  }

  connect(o: ConnectOptions, sink: SocketSink): TransportSocket {
    const [host, port] = endpointOf(o.remote);
    const [bindHost, bindPort] = o.bind === null ? ['', 0] : endpointOf(o.bind);
    const options = flat(o.options);
    if (o.keepalive !== null) options.push(...flat(keepaliveOptions(o.keepalive)));
    if (o.freebind) options.push(0, IP_FREEBIND, 1);
    const slot = this.addon.connect(this.handle, host, port, bindHost, bindPort, options);
    const s = new NativeSocket(this, Math.max(slot, 0), slot < 0 ? 0 : this.addon.generation(this.handle, slot));
    s.sink = sink;
    s.known = o.remote;
    if (slot < 0) {
      s.tag = -1;
      s.failure = getSystemErrorName(slot);
      this.failedConnects.push(s);
      this.wake();
      return s;
    }
    this.place(slot, s);
    return s;
  }

  /**
   * A slot that was freed while this turn's events were gathered may be taken again by a connect before the old socket's last event is told: the old one
   * steps aside until it was.
   */
  private place(slot: number, s: NativeSocket): void {
    const old = this.sockets[slot];
    if (old !== undefined) this.displaced.push(old);
    this.sockets[slot] = s;
  }
  private readonly displaced: NativeSocket[] = [];

  /** Failures at once are told at the end of the turn, never from inside connect(). */
  private failPending(): void {
    if (this.failedConnects.length === 0) return;
    const list = this.failedConnects;
    this.failedConnects = [];
    for (const s of list) s.sink.onClose(s.failure);
  }

  private readonly datagramSockets = new Datagrams((work) => this.enter(work));
  datagrams(o: DatagramOptions, sink: DatagramSink): Promise<DatagramSocket | { readonly error: string }> { return this.datagramSockets.open(o, sink); }
  /** Runs work that node's own loop brings, as a turn of its own; what it does to our sockets is carried out in the next one. */
  private enter(work: () => void): void {
    if (this.inTurn) { work(); return; }
    this.turn.onTurnStart();
    try { work(); } catch (e) { this.onException(e, null); }
    try { this.turn.onTurnEnd(); } catch (e) { this.onException(e, null); }
  }

  wake(): void { if (!this.inTurn && !this.wakeAsked) { this.wakeAsked = true; this.addon.wake(this.handle, 0); } }
  wakeIn(ms: number): boolean {
    if (this.wakeAsked) return false;
    this.addon.wake(this.handle, ms < 0 ? -1 : Math.ceil(ms));
    return true;
  }
  close(): void { this.datagramSockets.close(); this.addon.close(this.handle); }
}
