// HPACK decoding (RFC 7541). Fed whole header blocks (the frame reader joins CONTINUATIONs, bounded); tells each line to a visitor, which may stop it.
// Every failure is a connection error COMPRESSION_ERROR: the table of both sides would differ from here on.
import { DynamicTable } from './dynamic-table.ts';
import { huffmanDecode } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

const NAMES: readonly (string | undefined)[] = [undefined, ...STATIC_TABLE.map((l) => l[0])], VALUES: readonly (string | undefined)[] = [undefined, ...STATIC_TABLE.map((l) => l[1])];

/** Told of each line in order. False: enough was seen (limits); decoding goes on for the table's sake, without further calls. */
export interface LineVisitor {
  onLine(name: string, value: string): boolean;
  /** One string object for each name, so that those of the table are found by it. */
  nameOf?(name: string): string;
}

export type HpackFault = 'hpack_bad_index' | 'hpack_bad_integer' | 'hpack_bad_huffman' | 'hpack_bad_table_size' | 'hpack_truncated' | 'hpack_too_long';

export class HpackDecoder {
  private readonly table: DynamicTable;
  /** What SETTINGS_HEADER_TABLE_SIZE allows the peer. */
  private readonly allowed: number;
  private at = 0;
  private fault: HpackFault | null = null;
  /** Longest string taken, bytes; a longer one is a fault before anything is allocated for it. */
  private readonly maxString: number;

  constructor(tableSize = 4096, maxString = 1 << 20) { this.allowed = tableSize; this.table = new DynamicTable(tableSize); this.maxString = maxString; }

  /** Bytes in the dynamic table. */
  get tableBytes(): number { return this.table.size; }

  /** Decodes one whole block [start, end). */
  decode(bytes: Buffer, start: number, end: number, visitor: LineVisitor): HpackFault | null {
    this.at = start;
    this.fault = null;
    const { table } = this;
    let telling = true, lines = 0;
    while (this.at < end) {
      const b = bytes[this.at]!;
      let name: string | undefined, value: string | undefined;
      if (b & 0x80) {
        const index = this.integer(bytes, end, 7);
        if (this.fault !== null) return this.fault;
        if (index <= 61) { name = NAMES[index]; value = VALUES[index]; } else { const at = table.place(index - 62); if (at < 0) return 'hpack_bad_index'; name = table.text(at); value = table.text(at + 1); }
        if (name === undefined || value === undefined) return 'hpack_bad_index';
      } else if ((b & 0xe0) === 0x20) {
        const size = this.integer(bytes, end, 5);
        // Section 4.2: only before the first line of a block.
        if (this.fault !== null || lines > 0 || size > this.allowed) return this.fault ?? 'hpack_bad_table_size';
        this.table.resize(size);
        continue;
      } else {
        const indexed = (b & 0xc0) === 0x40;
        const index = this.integer(bytes, end, indexed ? 6 : 4);
        if (this.fault !== null) return this.fault;
        name = index === 0 ? this.string(bytes, end) : this.nameAt(index);
        if (index === 0 && name !== undefined && visitor.nameOf !== undefined) name = visitor.nameOf(name);
        if (name === undefined) return this.fault ?? 'hpack_bad_index';
        value = this.string(bytes, end);
        if (value === undefined) return this.fault!;
        if (indexed) this.table.add(name, value);
      }
      lines++;
      if (telling) telling = visitor.onLine(name, value);
    }
    return null;
  }

  private nameAt(index: number): string | undefined { return index <= 61 ? NAMES[index] : this.table.name(index - 62); }

  /** Section 5.1; at most 28 bits, so nothing overflows. */
  private integer(bytes: Uint8Array, end: number, prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = bytes[this.at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= end) { this.fault = 'hpack_truncated'; return 0; }
      const b = bytes[this.at++]!;
      value += (b & 0x7f) << shift;
      if ((b & 0x80) === 0) return value;
    }
    this.fault = 'hpack_bad_integer';
    return 0;
  }

  /** Section 5.2. */
  private string(bytes: Buffer, end: number): string | undefined {
    if (this.at >= end) { this.fault = 'hpack_truncated'; return undefined; }
    const huffman = (bytes[this.at]! & 0x80) !== 0;
    const length = this.integer(bytes, end, 7);
    if (this.fault !== null) return undefined;
    if (length > this.maxString) { this.fault = 'hpack_too_long'; return undefined; }
    if (length > end - this.at) { this.fault = 'hpack_truncated'; return undefined; }
    const from = this.at;
    this.at += length;
    if (!huffman) return bytes.latin1Slice(from, this.at);
    const text = huffmanDecode(bytes, from, this.at);
    if (text === null) { this.fault = 'hpack_bad_huffman'; return undefined; }
    return text;
  }
}
