// The dynamic table of RFC 7541 section 2.3.2: a FIFO of lines bounded by bytes. One for each direction of a connection.

const OVERHEAD = 32; // RFC 7541 section 4.1
/** Tables that nothing was put into share it. */
const NONE: string[] = [];

export class DynamicTable {
  /** name, value, name, value… the oldest first. */
  private flat = NONE;
  /** Position of the oldest line in it; it is cut when half of it is gone. */
  private oldest = 0;
  /** Bytes used, with 32 for each line. */
  size = 0;
  /** Bytes allowed now. */
  limit: number;
  /** Lines ever put in; an encoder tells by it whether a remembered line is still there. */
  inserted = 0;

  constructor(limit: number) { this.limit = limit; }

  /** Lines held. */
  get length(): number { return (this.flat.length - this.oldest) >> 1; }

  /** Name of the line `index` places back, 0 being the newest; undefined when there is none. */
  name(index: number): string | undefined { return index < this.length ? this.flat[this.flat.length - 2 - 2 * index] : undefined; }
  /** Where a line stands: its name, for `text`, and its value behind that; negative when there is none. */
  place(index: number): number { const at = this.flat.length - 2 - 2 * index; return at >= this.oldest ? at : -1; }
  text(at: number): string { return this.flat[at]!; }

  /** Puts a line in front; one larger than the whole table empties it (section 4.4). */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + OVERHEAD;
    this.inserted++;
    this.evict(this.limit - bytes);
    if (bytes > this.limit) return;
    if (this.flat === NONE) this.flat = [name, value]; else this.flat.push(name, value);
    this.size += bytes;
  }

  resize(limit: number): void {
    this.limit = limit;
    this.evict(limit);
  }

  private evict(room: number): void {
    while (this.size > room && this.length > 0) {
      this.size -= this.flat[this.oldest]!.length + this.flat[this.oldest + 1]!.length + OVERHEAD;
      this.oldest += 2;
    }
    if (this.oldest > 64 && this.oldest * 2 > this.flat.length) {
      this.flat = this.flat.slice(this.oldest);
      this.oldest = 0;
    }
  }
}
