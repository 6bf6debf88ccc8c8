// A ClientHello read from the first bytes of a connection (RFC 8446 4.1.2), sans I/O: fragments and several records are put together, nothing is answered.
// What is refused here is what Envoy's TLS library refuses before it has a server name, with its name for it; versions, compression and whatever else is doubtful
// is left to the real TLS stack.

/** 'more': not whole yet. 'not-tls': these bytes are no ClientHello. */
export type HelloState = 'more' | 'not-tls' | 'done';

/** Why bytes are no ClientHello, in the words of Envoy's TLS library. */
export type HelloFault = 'HTTP_REQUEST' | 'WRONG_VERSION_NUMBER' | 'UNEXPECTED_RECORD' | 'UNEXPECTED_MESSAGE' | 'EXCESSIVE_MESSAGE_SIZE' | 'ENCRYPTED_LENGTH_TOO_LONG' | 'TOO_MANY_EMPTY_FRAGMENTS' | 'CLIENTHELLO_PARSE_FAILED' | 'ERROR_PARSING_EXTENSION';

const HEADER = 5, MAX_RECORD = 16384 + 256, MAX_MESSAGE = 16384, MAX_EMPTY_RECORDS = 32;
const SERVER_NAME = 0, SUPPORTED_GROUPS = 10, POINT_FORMATS = 11, SIGNATURE_ALGORITHMS = 13, ALPN = 16, SUPPORTED_VERSIONS = 43;

/** RFC 8701: values that mean nothing and are left out of fingerprints. */
export function isGrease(id: number): boolean { return (id & 0x0f0f) === 0x0a0a && id >> 8 === (id & 255); }

/** Puts records together to the one handshake message. Fed all bytes from the start each time; what it has taken it does not look at again. */
export class ClientHelloReader {
  /** Bytes of whole records taken. */
  taken = 0;
  private message: Buffer | null = null;
  private length = 0;
  private empty = 0;
  /** Valid after 'done', and only until the bytes it was read from are gone. */
  hello: ClientHello | null = null;
  /** Valid after 'not-tls'. */
  fault: HelloFault = 'WRONG_VERSION_NUMBER';

  read(bytes: Buffer, start: number, end: number): HelloState {
    for (;;) {
      const at = start + this.taken;
      if (end - at < HEADER) return 'more';
      // Records of TLS 1.x; an HTTP request or anything else is seen by its first five bytes.
      const size = bytes.readUInt16BE(at + 3);
      if (bytes[at + 1] !== 3) return this.refuse(this.taken === 0 && /^(GET |POST |HEAD |PUT )/.test(bytes.latin1Slice(at, at + HEADER)) ? 'HTTP_REQUEST' : 'WRONG_VERSION_NUMBER');
      if (size > MAX_RECORD) return this.refuse('ENCRYPTED_LENGTH_TOO_LONG');
      if (end - at < HEADER + size) return 'more';
      if (bytes[at] !== 22) return this.refuse('UNEXPECTED_RECORD');
      this.taken += HEADER + size;
      if (size === 0) { if (++this.empty > MAX_EMPTY_RECORDS) return this.refuse('TOO_MANY_EMPTY_FRAGMENTS'); continue; }
      const state = this.add(bytes, at + HEADER, at + HEADER + size);
      if (state !== 'more') return state;
    }
  }

  private refuse(fault: HelloFault): 'not-tls' { this.fault = fault; return 'not-tls'; }

  private add(bytes: Buffer, start: number, end: number): HelloState {
    if (this.message === null) {
      if (end - start >= 4) {
        const state = this.whole(bytes, start, end);
        if (state !== 'more') return state;
      }
      this.message = Buffer.allocUnsafeSlow(4 + MAX_MESSAGE + MAX_RECORD);
    }
    this.length += bytes.copy(this.message, this.length, start, end);
    return this.length < 4 ? 'more' : this.whole(this.message, 0, this.length);
  }

  /** Parses the message that begins at `start`, if it is all there. */
  private whole(b: Buffer, start: number, end: number): HelloState {
    const need = 4 + b.readUIntBE(start + 1, 3);
    if (need > 4 + MAX_MESSAGE) return this.refuse('EXCESSIVE_MESSAGE_SIZE');
    if (end - start < need) return 'more';
    if (b[start] !== 1) return this.refuse('UNEXPECTED_MESSAGE');
    const hello = ClientHello.parse(b, start + 4, start + need);
    if (typeof hello === 'string') return this.refuse(hello);
    this.hello = hello;
    return 'done';
  }
}

interface Extension { readonly type: number; readonly start: number; readonly end: number }

export class ClientHello {
  private readonly b: Buffer;
  /** legacy_version. */
  readonly version: number;
  private readonly ciphersAt: number; private readonly ciphersEnd: number;
  private readonly list: readonly Extension[];
  /** In lower case; '' for none. */
  readonly serverName: string;
  /** Protocols offered; null: no (or a malformed) extension. */
  readonly alpn: readonly string[] | null;

  private constructor(b: Buffer, version: number, ciphersAt: number, ciphersEnd: number, list: readonly Extension[], serverName: string) {
    this.b = b; this.version = version; this.ciphersAt = ciphersAt; this.ciphersEnd = ciphersEnd; this.list = list; this.serverName = serverName;
    this.alpn = this.readAlpn();
  }

  /** The body of a ClientHello message in [at, end), or what is wrong with it. */
  static parse(b: Buffer, at: number, end: number): ClientHello | HelloFault {
    const MALFORMED = 'CLIENTHELLO_PARSE_FAILED';
    if (end - at < 35) return MALFORMED;
    const version = b.readUInt16BE(at);
    at += 34;
    const session = b[at++]!;
    if (session > 32 || end - at < session + 2) return MALFORMED;
    at += session;
    const ciphers = b.readUInt16BE(at), ciphersAt = at + 2;
    at = ciphersAt + ciphers;
    if (ciphers < 2 || (ciphers & 1) === 1 || at >= end) return MALFORMED;
    const compressions = b[at++]!;
    if (compressions === 0 || end - at < compressions) return MALFORMED;
    at += compressions;
    const list: Extension[] = [];
    if (at < end) {
      if (end - at < 2 || at + 2 + b.readUInt16BE(at) !== end) return MALFORMED;
      at += 2;
      while (at < end) {
        if (end - at < 4) return MALFORMED;
        const size = b.readUInt16BE(at + 2);
        if (end - at < 4 + size) return MALFORMED;
        list.push({ type: b.readUInt16BE(at), start: at + 4, end: at + 4 + size });
        at += 4 + size;
      }
    }
    if (new Set(list.map((e) => e.type)).size !== list.length) return MALFORMED;
    const name = serverName(b, list);
    if (name === null) return 'ERROR_PARSING_EXTENSION';
    return new ClientHello(b, version, ciphersAt, ciphersAt + ciphers, list, name);
  }

  /** Cipher suites in their order. */
  ciphers(): number[] { return words(this.b, this.ciphersAt, this.ciphersEnd); }
  /** Extension types in their order. */
  extensions(): number[] { return this.list.map((e) => e.type); }
  has(type: number): boolean { return this.list.some((e) => e.type === type); }
  get hasServerName(): boolean { return this.has(SERVER_NAME); }
  groups(): number[] { const e = this.find(SUPPORTED_GROUPS); return e === undefined ? [] : words(this.b, e.start + 2, e.end); }
  pointFormats(): number[] { const e = this.find(POINT_FORMATS); return e === undefined ? [] : [...this.b.subarray(Math.min(e.start + 1, e.end), e.end)]; }
  signatureAlgorithms(): number[] { const e = this.find(SIGNATURE_ALGORITHMS); return e === undefined ? [] : words(this.b, e.start + 2, e.end); }
  /** Of supported_versions; null: no such extension. */
  supportedVersions(): number[] | null { const e = this.find(SUPPORTED_VERSIONS); return e === undefined ? null : versionsOf(this.b, e); }

  /** The first protocol of the list, however malformed the rest is; '' for none. */
  firstProtocol(): string {
    const e = this.find(ALPN), n = e === undefined ? 0 : this.b[e.start + 2] ?? 0;
    return e === undefined || e.start + 3 + n > e.end ? '' : this.b.latin1Slice(e.start + 3, e.start + 3 + n);
  }

  private find(type: number): Extension | undefined { return this.list.find((e) => e.type === type); }

  private readAlpn(): string[] | null {
    const e = this.find(ALPN), { b } = this;
    if (e === undefined || e.end - e.start < 4 || e.start + 2 + b.readUInt16BE(e.start) !== e.end) return null;
    const out: string[] = [];
    for (let at = e.start + 2; at < e.end;) {
      const n = b[at++]!;
      if (n === 0 || e.end - at < n) return null;
      out.push(b.latin1Slice(at, at + n));
      at += n;
    }
    return out;
  }
}

function words(b: Buffer, at: number, end: number): number[] {
  const out: number[] = [];
  for (; at + 2 <= end; at += 2) out.push(b.readUInt16BE(at));
  return out;
}

const versionsOf = (b: Buffer, e: Extension): number[] => words(b, e.start + 1, Math.min(e.end, e.start + 1 + (b[e.start] ?? 0)));

/** One host name (RFC 6066 3); '' for none, null where it is malformed. */
function serverName(b: Buffer, list: readonly Extension[]): string | null {
  const e = list.find((x) => x.type === SERVER_NAME);
  if (e === undefined) return '';
  if (e.end - e.start < 5 || e.start + 2 + b.readUInt16BE(e.start) !== e.end || b[e.start + 2] !== 0) return null;
  const n = b.readUInt16BE(e.start + 3);
  if (n === 0 || n > 255 || e.start + 5 + n !== e.end) return null;
  const name = b.latin1Slice(e.start + 5, e.end);
  return name.includes('\0') ? null : name.toLowerCase();
}
