// HPACK encoding (RFC 7541). Lines that repeat from message to message are put into the dynamic table; those that are secret or that change with every message
// (paths, lengths, dates, request ids) are written as literals, so that they do not push the useful ones out.
import { DynamicTable } from './dynamic-table.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

const STATIC_NAMES = new Map<string, number>();
const STATIC_LINES = new Map<string, number>();
for (let i = STATIC_TABLE.length - 1; i >= 0; i--) { const [n, v] = STATIC_TABLE[i]!; STATIC_NAMES.set(n, i + 1); STATIC_LINES.set(`${n}\0${v}`, i + 1); }

/** Never indexed by anybody on the way (section 7.1.3): what guards an account. */
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
/** Written as plain literals: they differ in every message. */
const FLEETING = new Set([':path', 'content-length', 'date', 'x-request-id', 'etag', 'if-none-match', 'if-modified-since', 'last-modified', 'x-envoy-upstream-service-time', 'age', 'location', 'traceparent', 'grpc-timeout', 'grpc-message', 'content-range', 'range']);

export class HpackEncoder {
  private readonly table: DynamicTable;
  /** 'name\0value' → the table's `inserted` count when it was put in. */
  private readonly lines = new Map<string, number>();
  private pendingResize = -1;
  private smallestResize = -1;
  private out = Buffer.allocUnsafe(1024);
  private at = 0;
  /** Most we use, whatever the peer allows. */
  private readonly most: number;
  private readonly huffman: boolean;

  /** `huffman` false: strings are written as they are. */
  constructor(most = 4096, huffman = true) { this.most = most; this.huffman = huffman; this.table = new DynamicTable(Math.min(4096, most)); }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: announced at the start of the next block, the smallest of several first (section 4.2). */
  setTableSize(bytes: number): void {
    const size = Math.min(bytes, this.most);
    if (size === this.table.limit && this.pendingResize === -1) return;
    this.smallestResize = this.smallestResize === -1 ? size : Math.min(this.smallestResize, size);
    this.pendingResize = size;
  }

  begin(): void {
    this.at = 0;
    if (this.pendingResize === -1) return;
    this.room(16);
    if (this.smallestResize < this.pendingResize) this.resize(this.smallestResize);
    this.resize(this.pendingResize);
    this.pendingResize = this.smallestResize = -1;
  }

  line(name: string, value: string): void {
    this.room(name.length + value.length + 16);
    const key = `${name}\0${value}`;
    const whole = STATIC_LINES.get(key);
    if (whole !== undefined) { this.integer(0x80, 7, whole); return; }
    const secret = SECRET.has(name);
    if (!secret && !FLEETING.has(name)) {
      const put = this.lines.get(key);
      if (put !== undefined) {
        const back = this.table.inserted - put;
        if (back < this.table.length) { this.integer(0x80, 7, 62 + back); return; }
        this.lines.delete(key);
      }
      if (name.length + value.length + 32 <= this.table.limit >> 1) {
        this.literal(0x40, 6, name, value);
        this.table.add(name, value);
        if (this.lines.size >= 512) this.lines.clear();
        this.lines.set(key, this.table.inserted);
        return;
      }
    }
    this.literal(secret ? 0x10 : 0x00, 4, name, value);
  }

  /** The block since begin(); valid until the next begin(). */
  end(): Buffer { return this.out.subarray(0, this.at); }

  private literal(first: number, prefix: number, name: string, value: string): void {
    const index = STATIC_NAMES.get(name) ?? 0;
    this.integer(first, prefix, index);
    if (index === 0) this.string(name);
    this.string(value);
  }

  private resize(bytes: number): void { this.table.resize(bytes); this.integer(0x20, 5, bytes); }

  private integer(first: number, prefix: number, value: number): void {
    const mask = (1 << prefix) - 1;
    if (value < mask) { this.out[this.at++] = first | value; return; }
    this.out[this.at++] = first | mask;
    let rest = value - mask;
    while (rest >= 128) { this.out[this.at++] = (rest & 127) | 128; rest >>>= 7; }
    this.out[this.at++] = rest;
  }

  private string(text: string): void {
    const coded = this.huffman ? huffmanLength(text) : text.length;
    if (coded < text.length) {
      this.integer(0x80, 7, coded);
      this.at = huffmanEncode(text, this.out, this.at);
    } else {
      this.integer(0, 7, text.length);
      this.at += this.out.latin1Write(text, this.at);
    }
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.out.length * 2, this.at + bytes));
    this.out.copy(larger, 0, 0, this.at);
    this.out = larger;
  }
}
