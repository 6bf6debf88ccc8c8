// HPACK encoding (RFC 7541). Lines that repeat from message to message are put into the dynamic table; those that are secret or that change with every message
// (paths, lengths, request ids) are written as literals, so that they do not push the useful ones out, and as they are: the Huffman code pays where a string is sent
// once for many messages. One lookup a line: by name, to what is known of it.
import { DynamicTable } from './dynamic-table.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

/** Never indexed by anybody on the way (section 7.1.3): what guards an account. */
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
const HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
/** Written as plain literals: they differ in every message. */
const FLEETING = new Set([':path', 'content-length', 'x-request-id', 'etag', 'if-none-match', 'if-modified-since', 'last-modified', 'x-envoy-upstream-service-time', 'age', 'location', 'traceparent', 'grpc-timeout', 'grpc-message', 'content-range', 'range']);
/** Shorter strings are written as they are: the Huffman code saves too little. */
const HUFFMAN_FROM = 6;
/** Names that a thread keeps in mind, and lines with names of their own that a connection keeps in mind. */
const MOST_NAMES = 1024, MOST_LINES = 64;

/** What is known of a name, whatever the connection. */
class NameInfo {
  readonly name: string;
  readonly kind: 'plain' | 'fleeting' | 'secret';
  /** It means this hop alone. */
  readonly hop: boolean;
  /** Index in the static table; 0: none. */
  readonly index: number;
  /** Values that stand in the static table. */
  readonly values: ReadonlyMap<string, number> | null;
  /** What followed it last: messages are much like each other, so mostly nothing is looked up. */
  after: NameInfo | null = null;
  constructor(name: string) {
    this.name = name;
    this.hop = HOP.has(name);
    this.kind = SECRET.has(name) ? 'secret' : FLEETING.has(name) ? 'fleeting' : 'plain';
    this.index = STATIC_NAMES.get(name) ?? 0;
    this.values = STATIC_VALUES.get(name) ?? null;
  }
}

const infos = new Map<string, NameInfo>();
let latest: NameInfo | null = null;
function infoOf(name: string): NameInfo {
  const guess = latest === null ? null : latest.after;
  if (guess !== null && guess.name === name) return latest = guess;
  let info = infos.get(name);
  if (info === undefined) {
    info = new NameInfo(name);
    if (infos.size >= MOST_NAMES) return info;
    infos.set(name, info);
  }
  if (latest !== null) latest.after = info;
  return latest = info;
}

/** The line of a name that a connection put into its dynamic table last, with the table's `inserted` count then. */
class Line {
  readonly info: NameInfo;
  value: string;
  put: number;
  /** Earlier values. */
  others: Map<string, number> | null = null;
  next: Line | null = null;
  constructor(info: NameInfo, value: string, put: number) { this.info = info; this.value = value; this.put = put; }
}

const STATIC_NAMES = new Map<string, number>();
const STATIC_VALUES = new Map<string, Map<string, number>>();
for (let i = STATIC_TABLE.length - 1; i >= 0; i--) {
  const [name, value] = STATIC_TABLE[i]!;
  STATIC_NAMES.set(name, i + 1);
  if (value === '') continue;
  const values = STATIC_VALUES.get(name) ?? new Map<string, number>();
  values.set(value, i + 1);
  STATIC_VALUES.set(name, values);
}

export class HpackEncoder {
  private readonly table: DynamicTable;
  /** A list of a few in the order they came: it is searched from where the last one was found, which is mostly one step. */
  private lines: Line | null = null;
  private tail: Line | null = null;
  private found: Line | null = null;
  private lineCount = 0;
  private pendingResize = -1;
  private smallestResize = -1;
  /** The block under way is [0, length) of it. */
  out = SHARED;
  length = 0;
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

  /** Begins a block; it must be taken before another encoder of the thread begins one. */
  begin(): void {
    this.out = SHARED;
    this.length = 0;
    this.found = null;
    if (this.pendingResize === -1) return;
    if (this.smallestResize < this.pendingResize) this.resize(this.smallestResize);
    this.resize(this.pendingResize);
    this.pendingResize = this.smallestResize = -1;
  }

  line(name: string, value: string): void { this.write(infoOf(name), name, value); }

  /** The lines of a message (name, value, name, value…); those that mean one hop alone never stand in HTTP/2 (RFC 9113 section 8.2.2) and are left out. */
  fields(flat: readonly string[]): void {
    for (let i = 0; i < flat.length; i += 2) {
      const info = infoOf(flat[i]!);
      if (!info.hop) this.write(info, flat[i]!, flat[i + 1]!);
    }
  }

  private write(info: NameInfo, name: string, value: string): void {
    const { table } = this;
    this.room(name.length + value.length + 16);
    if (info.values !== null) { const whole = info.values.get(value); if (whole !== undefined) { this.integer(0x80, 7, whole); return; } }
    if (info.kind === 'secret') { this.literal(0x10, 4, info, null, name, value); return; }
    const line = this.find(info);
    if (line !== null && line.value === value) {
      const back = table.inserted - line.put;
      if (back < table.length) { this.integer(0x80, 7, 62 + back); return; }
    }
    // A fleeting name that has no place in the static table gets one in the dynamic table, with its first value; short values of it are worth keeping.
    if (info.kind === 'plain' || (info.index === 0 && (value.length <= 1 || !this.named(line)))) { this.indexed(info, line, name, value); return; }
    this.literal(0x00, 4, info, line, name, value);
  }

  private find(info: NameInfo): Line | null {
    const from = this.found === null ? this.lines : this.found.next;
    for (let line = from; line !== null; line = line.next) if (line.info === info) return this.found = line;
    for (let line = this.lines; line !== from; line = line!.next) if (line!.info === info) return this.found = line;
    return null;
  }

  /** The block since begin(), in memory that the next block uses again. */
  end(): Buffer { return this.out.subarray(0, this.length); }

  /** An older line of the same name, or a new one. */
  private indexed(info: NameInfo, line: Line | null, name: string, value: string): void {
    const { table } = this, put = line?.others?.get(value);
    if (put !== undefined) {
      const back = table.inserted - put;
      if (back < table.length) { this.integer(0x80, 7, 62 + back); return; }
    }
    if (name.length + value.length + 32 > table.limit >> 1) { this.literal(0x00, 4, info, line, name, value); return; }
    this.literal(0x40, 6, info, line, name, value);
    table.add(name, value);
    if (line === null) {
      if (++this.lineCount > MOST_LINES) { this.lines = this.tail = null; this.lineCount = 1; }
      const added = new Line(info, value, table.inserted);
      if (this.tail === null) this.lines = added; else this.tail.next = added;
      this.tail = this.found = added;
      return;
    }
    if (line.value !== value && table.inserted - line.put < table.length) {
      if (line.others === null || line.others.size >= 32) line.others = new Map();
      line.others.set(line.value, line.put);
    }
    line.value = value;
    line.put = table.inserted;
  }

  /** The name stands in the dynamic table. */
  private named(line: Line | null): boolean { return line !== null && this.table.inserted - line.put < this.table.length; }

  private literal(first: number, prefix: number, info: NameInfo, line: Line | null, name: string, value: string): void {
    const index = info.index !== 0 ? info.index : this.named(line) ? 62 + this.table.inserted - line!.put : 0;
    this.integer(first, prefix, index);
    if (index === 0) this.string(name);
    if (first === 0x40) this.string(value); else this.plain(value);
  }

  private resize(bytes: number): void { this.table.resize(bytes); this.integer(0x20, 5, bytes); }

  private integer(first: number, prefix: number, value: number): void {
    const mask = (1 << prefix) - 1;
    if (value < mask) { this.out[this.length++] = first | value; return; }
    this.out[this.length++] = first | mask;
    let rest = value - mask;
    while (rest >= 128) { this.out[this.length++] = (rest & 127) | 128; rest >>>= 7; }
    this.out[this.length++] = rest;
  }

  private string(text: string): void {
    if (this.huffman && text.length >= HUFFMAN_FROM) {
      const coded = huffmanLength(text);
      if (coded < text.length) {
        this.integer(0x80, 7, coded);
        this.length = huffmanEncode(text, this.out, this.length);
        return;
      }
    }
    this.plain(text);
  }

  private plain(text: string): void {
    const { length } = text;
    this.integer(0, 7, length);
    if (length <= 48) { const { out } = this; let at = this.length; for (let i = 0; i < length; i++) out[at++] = text.charCodeAt(i); this.length = at; } else this.length += this.out.latin1Write(text, this.length);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.length + bytes));
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }
}

/** Blocks are written and taken on one stack, so all encoders of a thread write into the same memory; a block that is larger gets its own. */
const SHARED = Buffer.allocUnsafeSlow(16_384);