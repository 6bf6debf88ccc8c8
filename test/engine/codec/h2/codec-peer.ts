// What scripted peers of both HTTP/2 codecs keep: the frames that the codec writes, its counts, how it closed; and how bytes are fed to it.
import type { PeerFault } from '../../../../engine/base/fault.ts';
import { HeadWriter, WireReader } from './wire.ts';

export abstract class CodecPeer {
  readonly events: string[] = [];
  readonly wire: WireReader;
  readonly heads = new HeadWriter();
  readonly stats = new Map<string, number>();
  closed: string | null = null;
  body = '';
  writes = 0;
  abstract readonly codec: { receive(bytes: Uint8Array, start: number, end: number): void; flush(): void };

  /** `preface`: the codec writes the client's. */
  constructor(preface = false) { this.wire = new WireReader(preface); }

  protected readonly output = { writeLatin1: (): void => {}, write: (b: Uint8Array, s: number, e: number): void => { this.writes++; this.wire.feed(Buffer.from(b.subarray(s, e))); }, pauseReading: (): void => {}, resumeReading: (): void => {} };
  nowMs = 0;
  protected readonly turn = { flushSoon: (): void => {}, nowMs: (): number => this.nowMs, count: (stat: string, by: number): void => { this.stats.set(stat, (this.stats.get(stat) ?? 0) + by); } };
  protected readonly onConnectionClose = (how: string, fault: PeerFault | null): void => { this.closed ??= `${how}${fault === null ? '' : ` ${fault.detail}`}`; };

  /** Feeds frames, cut into pieces of `size` bytes; then the turn ends. */
  cut(size: number, ...frames: Buffer[]): this {
    const bytes = Buffer.concat(frames);
    for (let i = 0; i < bytes.length && this.closed === null; i += size) this.codec.receive(bytes, i, Math.min(bytes.length, i + size));
    this.codec.flush();
    return this;
  }
  feed(...frames: Buffer[]): this { return this.cut(Infinity, ...frames); }
  /** What the codec wrote since the last look. */
  out(): string[] { this.codec.flush(); return this.wire.take(); }
}
