// Frames made and read by hand, for tests of the HTTP/2 codecs: nothing of the code under test but HPACK.
import { HpackDecoder } from '../../../../engine/codec/hpack/decoder.ts';
import { HpackEncoder } from '../../../../engine/codec/hpack/encoder.ts';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const T = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST: 3, SETTINGS: 4, PUSH: 5, PING: 6, GOAWAY: 7, WINDOW: 8, CONTINUATION: 9, METADATA: 0x4d } as const;
const NAMES = Object.keys(T);

export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type; head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}
export const u32 = (n: number): Buffer => { const b = Buffer.alloc(4); b.writeUInt32BE(n >>> 0); return b; };
export const settings = (...entries: [number, number][]): Buffer => frame(T.SETTINGS, 0, 0, Buffer.concat(entries.map(([k, v]) => { const b = Buffer.alloc(6); b.writeUInt16BE(k); b.writeUInt32BE(v, 2); return b; })));
export const window = (stream: number, n: number): Buffer => frame(T.WINDOW, 0, stream, u32(n));
export const rst = (stream: number, code: number): Buffer => frame(T.RST, 0, stream, u32(code));
export const goaway = (last: number, code = 0): Buffer => frame(T.GOAWAY, 0, 0, Buffer.concat([u32(last), u32(code)]));
export const ping = (ack = false): Buffer => frame(T.PING, ack ? 1 : 0, 0, '12345678');
export const data = (stream: number, text: string, end = false, pad = -1): Buffer =>
  pad < 0 ? frame(T.DATA, end ? 1 : 0, stream, text) : frame(T.DATA, (end ? 1 : 0) | 8, stream, Buffer.concat([Buffer.from([pad]), Buffer.from(text, 'latin1'), Buffer.alloc(pad)]));

/** One side's HPACK encoder and the frames of its header blocks. */
export class HeadWriter {
  private readonly encoder = new HpackEncoder();
  block(lines: readonly (readonly [string, string])[]): Buffer {
    this.encoder.begin();
    for (const [n, v] of lines) this.encoder.line(n, v);
    return Buffer.from(this.encoder.end());
  }
  headers(stream: number, lines: readonly (readonly [string, string])[], end = false): Buffer { return frame(T.HEADERS, (end ? 1 : 0) | 4, stream, this.block(lines)); }
  /** Cut into HEADERS and CONTINUATIONs of `size` bytes. */
  split(stream: number, lines: readonly (readonly [string, string])[], end: boolean, size: number): Buffer {
    const block = this.block(lines), out: Buffer[] = [];
    for (let at = 0; at === 0 || at < block.length; at += size) out.push(frame(at === 0 ? T.HEADERS : T.CONTINUATION, (at === 0 && end ? 1 : 0) | (at + size >= block.length ? 4 : 0), stream, block.subarray(at, at + size)));
    return Buffer.concat(out);
  }
}

/** A METADATA frame; `flags` 4: its map is whole. */
export const metadata = (stream: number, lines: readonly (readonly [string, string])[], flags = 4): Buffer => frame(T.METADATA, flags, stream, new HeadWriter().block(lines));

/** A request's usual lines. */
export const ask = (path = '/', more: readonly (readonly [string, string])[] = [], method = 'GET'): [string, string][] => [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'h.example'], ...more.map((l) => [l[0], l[1]] as [string, string])];

/** Reads what a codec wrote, as sentences: 'HEADERS 1 end :status=200', 'DATA 1 hello', 'RST 1 8', 'GOAWAY 1 0'… SETTINGS and their ACKs are told shortly. */
export class WireReader {
  private readonly decoder = new HpackDecoder();
  private rest = Buffer.alloc(0);
  private readonly lines: string[] = [];
  /** The first SETTINGS. */
  settings: [number, number][] | null = null;
  private preface: boolean;
  constructor(preface = false) { this.preface = preface; }

  feed(bytes: Uint8Array): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    if (this.preface) { if (this.rest.length < 24) return; this.lines.push('PREFACE'); this.rest = this.rest.subarray(24); this.preface = false; }
    while (this.rest.length >= 9) {
      const length = this.rest.readUIntBE(0, 3);
      if (this.rest.length < 9 + length) return;
      this.lines.push(this.tell(this.rest[3]!, this.rest[4]!, this.rest.readUInt32BE(5), this.rest.subarray(9, 9 + length)));
      this.rest = this.rest.subarray(9 + length);
    }
  }

  private tell(type: number, flags: number, stream: number, p: Buffer): string {
    const end = flags & 1 ? ' end' : '';
    switch (type) {
      case T.DATA: return `DATA ${stream}${end} ${p.length > 20 ? p.length : p.toString('latin1')}`;
      case T.HEADERS: {
        const lines: string[] = [];
        const bad = this.decoder.decode(p, 0, p.length, { onLine: (n, v) => { lines.push(`${n}=${v}`); return true; } });
        return `HEADERS ${stream}${end} ${bad ?? lines.join(' ')}`;
      }
      case T.RST: return `RST ${stream} ${p.readUInt32BE()}`;
      case T.SETTINGS:
        if ((flags & 1) === 0) this.settings ??= Array.from({ length: p.length / 6 }, (_, i) => [p.readUInt16BE(i * 6), p.readUInt32BE(i * 6 + 2)]);
        return flags & 1 ? 'SETTINGS ack' : 'SETTINGS';
      case T.PING: return `PING${flags & 1 ? ' ack' : ''}`;
      case T.GOAWAY: return `GOAWAY ${p.readUInt32BE()} ${p.readUInt32BE(4)}`;
      case T.WINDOW: return `WINDOW ${stream} ${p.readUInt32BE()}`;
      case T.METADATA: {
        const lines: string[] = [];
        if (flags & 4) new HpackDecoder().decode(p, 0, p.length, { onLine: (n, v) => { lines.push(`${n}=${v}`); return true; } });
        return `METADATA ${stream} ${flags & 4 ? lines.join(' ') : `${p.length}…`}`;
      }
      default: return `${NAMES[type] ?? type} ${stream}`;
    }
  }

  /** What was read since the last call; SETTINGS, acks and connection windows left out unless `all`. */
  take(all = false): string[] { const out = this.lines.splice(0); return all ? out : out.filter((l) => !l.startsWith('SETTINGS') && l !== 'PREFACE'); }
}
