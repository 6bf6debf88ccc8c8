// Header lists of requests, responses and trailers: flat, in order, repeats kept. Names are lower case. Names and values are "byte strings":
// one char per byte (latin1), exactly what stood on the wire, so that they are written back unchanged; text from a configuration is
// turned into a byte string when it is compiled (`toByteString`).
// Pseudo headers are fields, not list entries; `get(':path')` reads them for matchers and formatters. Field semantics: RFC 9110 section 5.

/** An ordered multimap of lower-case names. Lists are short, so a scan of interned names is the fastest lookup. */
export class Headers {
  /** name, value, name, value… Read freely; change through the methods. */
  readonly flat: string[] = [];
  /** Original spelling of each name, by pair index, where a codec was asked to keep it (preserve_case), '' for lines that were added; else null. */
  spelling: string[] | null = null;
  /** Where spelling is kept: that of the lines which belong to the hop and are not in the list; and whether added lines are written in proper case. */
  hopSpelling: Map<string, string> | null = null;
  addedInProperCase = false;

  /** Number of lines. */
  get size(): number { return this.flat.length >> 1; }

  /** First value of `name` (lower case), or undefined. */
  get(name: string): string | undefined {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  has(name: string): boolean { return this.get(name) !== undefined; }

  /** All values of `name`, in order. */
  getAll(name: string): string[] {
    const out: string[] = [];
    for (let i = 0; i < this.flat.length; i += 2) if (this.flat[i] === name) out.push(this.flat[i + 1]!);
    return out;
  }

  /** All values joined with ',' (as Envoy's getAllOfHeaderAsString), or undefined where there is none. */
  joined(name: string, separator = ','): string | undefined {
    let out: string | undefined;
    for (let i = 0; i < this.flat.length; i += 2) if (this.flat[i] === name) out = out === undefined ? this.flat[i + 1]! : out + separator + this.flat[i + 1]!;
    return out;
  }

  /** Adds a line at the end. */
  add(name: string, value: string): void {
    this.flat.push(name, value);
    if (this.spelling !== null) this.spelling.push('');
  }

  /** One line of that name: the first is changed, further ones go, a missing one is added at the end. */
  set(name: string, value: string): void {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue;
      flat[i + 1] = value;
      this.removeFrom(name, i + 2);
      return;
    }
    this.add(name, value);
  }

  /** Removes every line of that name; true if there was one. */
  remove(name: string): boolean { return this.removeFrom(name, 0); }

  private removeFrom(name: string, from: number): boolean {
    const flat = this.flat;
    let to = from;
    while (to < flat.length && flat[to] !== name) to += 2;
    if (to >= flat.length) return false;
    for (let i = to + 2; i < flat.length; i += 2) {
      if (flat[i] === name) continue;
      flat[to] = flat[i]!;
      flat[to + 1] = flat[i + 1]!;
      if (this.spelling !== null) this.spelling[to >> 1] = this.spelling[i >> 1]!;
      to += 2;
    }
    flat.length = to;
    if (this.spelling !== null) this.spelling.length = to >> 1;
    return true;
  }

  /** Removes the lines for which `test` is true. */
  removeIf(test: (name: string, value: string) => boolean): void {
    const flat = this.flat;
    let to = 0;
    for (let i = 0; i < flat.length; i += 2) {
      if (test(flat[i]!, flat[i + 1]!)) continue;
      flat[to] = flat[i]!;
      flat[to + 1] = flat[i + 1]!;
      if (this.spelling !== null) this.spelling[to >> 1] = this.spelling[i >> 1]!;
      to += 2;
    }
    flat.length = to;
    if (this.spelling !== null) this.spelling.length = to >> 1;
  }

  /** Appends `value` to the first line of that name with `separator`, or adds the line. */
  append(name: string, value: string, separator = ','): void {
    const old = this.get(name);
    if (old === undefined) this.add(name, value);
    else this.setFirst(name, old === '' ? value : old + separator + value);
  }

  private setFirst(name: string, value: string): void {
    for (let i = 0; i < this.flat.length; i += 2) if (this.flat[i] === name) { this.flat[i + 1] = value; return; }
  }

  /** Sum of name and value lengths, as Envoy's byteSize. */
  get byteSize(): number {
    let n = 0;
    for (const s of this.flat) n += s.length;
    return n;
  }

  each(visit: (name: string, value: string) => void): void { for (let i = 0; i < this.flat.length; i += 2) visit(this.flat[i]!, this.flat[i + 1]!); }
}

/** A request's head. `scheme` and `protocol` (RFC 8441 extended CONNECT / h1 Upgrade) may be ''. An h1 CONNECT has path ''. */
export class RequestHeaders extends Headers {
  method = '';
  path = '';
  authority = '';
  scheme = '';
  /** The :protocol of extended CONNECT; for h1 Upgrade requests the lower-cased upgrade token ('websocket'). '' otherwise. */
  protocol = '';
  /** An HTTP/1 request without any Host: the connection manager answers 400 (missing_host_header). */
  missingHost = false;

  override get(name: string): string | undefined {
    if (name.charCodeAt(0) === 58) return this.pseudo(name);
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  override getAll(name: string): string[] {
    if (name.charCodeAt(0) !== 58) return super.getAll(name);
    const value = this.pseudo(name);
    return value === undefined ? [] : [value];
  }

  /** `host` reads :authority, as in Envoy. */
  private pseudo(name: string): string | undefined {
    const value = name === ':method' ? this.method : name === ':path' ? this.path : name === ':authority' ? this.authority : name === ':scheme' ? this.scheme : name === ':protocol' ? this.protocol : '';
    return value === '' ? undefined : value;
  }

  /** Bytes of the pseudo headers, names and values, as Envoy's header map counts them. */
  get pseudoBytes(): number {
    const of = (name: number, value: string): number => (value === '' ? 0 : name + value.length);
    return of(7, this.method) + of(5, this.path) + of(10, this.authority) + of(7, this.scheme);
  }

  /** Sets a pseudo header by its name; false for an unknown one. */
  setPseudo(name: string, value: string): boolean {
    switch (name) {
      case ':method': this.method = value; return true;
      case ':path': this.path = value; return true;
      case ':authority': this.authority = value; return true;
      case ':scheme': this.scheme = value; return true;
      case ':protocol': this.protocol = value; return true;
      default: return false;
    }
  }
}

/** A response's head; `status` 100–999. */
export class ResponseHeaders extends Headers {
  status = 0;
  /** A reason phrase to write in place of the usual one, where an upstream's is passed on; ''. */
  reason = '';

  override get(name: string): string | undefined {
    if (name === ':status') return String(this.status);
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  override getAll(name: string): string[] { return name === ':status' ? [String(this.status)] : super.getAll(name); }
}

/** UTF-8 text as a byte string (one char per byte). */
export function toByteString(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.from(text, 'utf8').latin1Slice();
  return text;
}

/** A byte string read as UTF-8, for logs. */
export function fromByteString(bytes: string): string {
  for (let i = 0; i < bytes.length; i++) if (bytes.charCodeAt(i) > 127) return Buffer.from(bytes, 'latin1').utf8Slice();
  return bytes;
}
