// The dynamic table of RFC 7541 section 2.3.2: a FIFO of lines bounded by bytes. One for each direction of a connection.

const OVERHEAD = 32; // RFC 7541 section 4.1

export class DynamicTable {
  private names: string[] = [];
  private values: string[] = [];
  /** Position of the oldest line in the arrays; they are cut when half of them is gone. */
  private oldest = 0;
  /** Bytes used, with 32 for each line. */
  size = 0;
  /** Bytes allowed now. */
  limit: number;
  /** Lines ever put in; an encoder tells by it whether a remembered line is still there. */
  inserted = 0;

  constructor(limit: number) { this.limit = limit; }

  /** Lines held. */
  get length(): number { return this.names.length - this.oldest; }

  /** Name of the line `index` places back, 0 being the newest; undefined when there is none. */
  name(index: number): string | undefined { return index < this.length ? this.names[this.names.length - 1 - index] : undefined; }
  value(index: number): string | undefined { return index < this.length ? this.values[this.values.length - 1 - index] : undefined; }

  /** Puts a line in front; one larger than the whole table empties it (section 4.4). */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + OVERHEAD;
    this.inserted++;
    this.evict(this.limit - bytes);
    if (bytes > this.limit) return;
    this.names.push(name);
    this.values.push(value);
    this.size += bytes;
  }

  resize(limit: number): void {
    this.limit = limit;
    this.evict(limit);
  }

  private evict(room: number): void {
    while (this.size > room && this.length > 0) {
      this.size -= this.names[this.oldest]!.length + this.values[this.oldest]!.length + OVERHEAD;
      this.oldest++;
    }
    if (this.oldest > 32 && this.oldest * 2 > this.names.length) {
      this.names = this.names.slice(this.oldest);
      this.values = this.values.slice(this.oldest);
      this.oldest = 0;
    }
  }
}
