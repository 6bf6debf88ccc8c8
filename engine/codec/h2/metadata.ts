// METADATA frames: Envoy's extension of HTTP/2 (its api/…/http2_metadata; frame type 0x4d). A map of names and values beside the body, for one hop; its payload is a
// header block whose tables last for that one map, cut into frames of which the last has the flag END_METADATA. They count for no window.
import { ByteQueue } from '../../base/byte-queue.ts';
import type { MetadataMap } from '../codec.ts';
import { HpackDecoder } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';

/** Without a table: no map leaves anything behind. One for all connections of a thread, its blocks are taken at once. */
const encoder = new HpackEncoder(0);

/** What a stream has received of them: pieces until a map is whole, and how much ever. */
export class MetadataReader {
  private readonly limit: number;
  private readonly pieces = new ByteQueue();
  private received = 0;

  /** `limitBytes`: most of all maps of the stream together, as in Envoy (max_metadata_size). */
  constructor(limitBytes: number) { this.limit = limitBytes; }

  /** Takes a frame's payload; the map where it is whole, null where more is to come, 'bad' for what is no map or too much. Of a name that repeats the first value counts. */
  take(bytes: Buffer, start: number, end: number, whole: boolean): MetadataMap | null | 'bad' {
    this.received += end - start;
    if (this.received > this.limit) return 'bad';
    if (!whole) { this.pieces.pushCopy(bytes, start, end); return null; }
    const map = new Map<string, string>(), visitor = { onLine: (name: string, value: string): boolean => { if (!map.has(name)) map.set(name, value); return true; } };
    if (this.pieces.length > 0) {
      this.pieces.pushCopy(bytes, start, end);
      const all = this.pieces.takeAll();
      bytes = Buffer.from(all.buffer, all.byteOffset, all.length);
      start = 0; end = bytes.length;
    }
    if (start < end && new HpackDecoder().decode(bytes, start, end, visitor) !== null) return 'bad';
    return map;
  }
}

/** The map's payload: valid until the next block of the thread is begun. */
export function encodeMetadata(map: MetadataMap): Buffer {
  encoder.begin();
  for (const [name, value] of map) encoder.line(name, value);
  return encoder.end();
}
