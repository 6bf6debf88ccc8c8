// METADATA frames: Envoy's extension of HTTP/2 (its api/…/http2_metadata; frame type 0x4d). A map of names and values beside the body, for one hop; its payload is a
// header block whose tables last for that one map, cut into frames of which the last has the flag END_METADATA. They count for no window.
import type { MetadataMap } from '../codec.ts';
import { HpackDecoder } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';

/** Without a table: no map leaves anything behind. One for all connections of a thread, its blocks are taken at once. */
const encoder = new HpackEncoder(0);
const NONE = Buffer.alloc(0);

/** What a stream has received of them: pieces until a map is whole, and how much ever. */
export class MetadataReader {
  private readonly limit: number;
  private pieces: Buffer = NONE;
  private received = 0;

  /** `limitBytes`: most of all maps of the stream together, as in Envoy (max_metadata_size). */
  constructor(limitBytes: number) { this.limit = limitBytes; }

  /** Takes a frame's payload; the map where it is whole, null where more is to come, 'bad' for what is no map or too much. Of a name that repeats the first value counts. */
  take(bytes: Buffer, start: number, end: number, whole: boolean): MetadataMap | null | 'bad' {
    this.received += end - start;
    if (this.received > this.limit) return 'bad';
    if (!whole) { this.pieces = Buffer.concat([this.pieces, bytes.subarray(start, end)]); return null; }
    const map = new Map<string, string>(), visitor = { onLine: (name: string, value: string): boolean => { if (!map.has(name)) map.set(name, value); return true; } };
    const before = this.pieces;
    this.pieces = NONE;
    const block = before.length === 0 ? bytes : Buffer.concat([before, bytes.subarray(start, end)]), from = before.length === 0 ? start : 0, to = before.length === 0 ? end : block.length;
    if (from < to && new HpackDecoder().decode(block, from, to, visitor) !== null) return 'bad';
    return map;
  }
}

/** The map's payload: valid until the next block of the thread is begun. */
export function encodeMetadata(map: MetadataMap): Buffer {
  encoder.begin();
  for (const [name, value] of map) encoder.line(name, value);
  return encoder.end();
}
