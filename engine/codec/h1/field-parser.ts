// Field lines of a head or of trailers (RFC 9112 section 5): names interned and lower case, values without surrounding white space. Strict: a line folded, ended by
// a bare LF, with a bare CR, NUL or another control byte, with space before the colon or without one, is a fault (RFC 9112 lets a server refuse them all;
// picking a meaning is how requests get smuggled).
import type { PeerFault } from '../../base/fault.ts';
import type { Headers } from '../../headers/headers.ts';
import { TOKEN_LOWER, VALUE } from '../../headers/char-class.ts';
import { internName } from '../../headers/known-names.ts';
import { H1_FAULT } from './faults.ts';
import type { HeadBuffer } from './head-buffer.ts';

const CR = 13, LF = 10, COLON = 58, SP = 32, HT = 9, UNDERSCORE = 95;

export interface FieldLimits { readonly maxCount: number; readonly underscores: 'allow' | 'reject' | 'drop'; readonly keepSpelling: boolean; readonly addedInProperCase: boolean }

/** What the framing and the connection depend on, noted while the lines are read. */
export class FieldNotes {
  contentLength = '';
  contentLengths = 0;
  transferEncoding = '';
  transferEncodings = 0;
  connection = '';
  upgrade = '';
  host = '';
  hosts = 0;
  expect = '';
  underscoresDropped = 0;
  reset(): void {
    this.contentLength = this.transferEncoding = this.connection = this.upgrade = this.host = this.expect = '';
    this.contentLengths = this.transferEncodings = this.hosts = this.underscoresDropped = 0;
  }
}

export class FieldParser {
  readonly notes = new FieldNotes();
  /** Where the lines ended, after the blank line. */
  position = 0;
  /** How many lines there were, those left out too. */
  lines = 0;
  private readonly limits: FieldLimits;
  constructor(limits: FieldLimits) { this.limits = limits; }

  /**
   * Reads lines from `from` of the head's text up to and with the blank line, which is known to be there. `host`, `transfer-encoding`, `connection`, `keep-alive` and
   * `proxy-connection` are noted and left out of the list: they belong to the hop.
   */
  parse(head: HeadBuffer, from: number, into: Headers): PeerFault | null {
    const notes = this.notes, flat = into.flat, { text, bytes, first } = head;
    notes.reset();
    const spelling: string[] | null = this.limits.keepSpelling ? [] : null;
    if (spelling !== null) { into.spelling = spelling; into.addedInProperCase = this.limits.addedInProperCase; }
    // Bytes are looked at, text is cut: places in the text are `first` less.
    for (let count = 0, at = first + from; ; count++) {
      let c = bytes[at]!;
      if (c === CR) {
        if (bytes[at + 1] !== LF) return H1_FAULT.codec;
        this.position = at + 2 - first;
        this.lines = count;
        return null;
      }
      if (count >= this.limits.maxCount) return H1_FAULT.tooManyHeaders;
      const nameStart = at;
      let hash = 0, underscore = false;
      for (let lower = TOKEN_LOWER[c]!; lower !== 0; lower = TOKEN_LOWER[c]!) {
        hash = (Math.imul(hash, 31) + lower) | 0;
        if (c === UNDERSCORE) underscore = true;
        c = bytes[++at]!;
      }
      if (c !== COLON || at === nameStart) return H1_FAULT.codec;
      const nameEnd = at++;
      c = bytes[at]!;
      while (c === SP || c === HT) c = bytes[++at]!;
      const valueStart = at;
      while (VALUE[c] === 1) c = bytes[++at]!;
      if (c !== CR || bytes[at + 1] !== LF) return c === LF || c === CR ? H1_FAULT.codec : H1_FAULT.invalidCharacters;
      let valueEnd = at;
      at += 2;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HT)) valueEnd--;
      if (underscore && this.limits.underscores !== 'allow') {
        if (this.limits.underscores === 'reject') return H1_FAULT.underscore;
        notes.underscoresDropped++;
        continue;
      }
      const name = internName(bytes, nameStart, nameEnd, hash);
      const value = text.substring(valueStart - first, valueEnd - first);
      if (this.note(name, value)) { if (spelling !== null) (into.hopSpelling ??= new Map()).set(name, text.substring(nameStart - first, nameEnd - first)); continue; }
      flat.push(name, value);
      if (spelling !== null) spelling.push(text.substring(nameStart - first, nameEnd - first));
    }
  }

  /** True: the line belongs to this hop and is not passed on. */
  private note(name: string, value: string): boolean {
    const notes = this.notes;
    switch (name) {
      case 'host': notes.hosts++; notes.host = notes.hosts === 1 ? value : `${notes.host},${value}`; return true;
      case 'content-length': notes.contentLengths++; notes.contentLength = value; return false;
      case 'transfer-encoding': notes.transferEncodings++; notes.transferEncoding = value; return true;
      case 'connection': notes.connection = notes.connection === '' ? value : `${notes.connection},${value}`; return true;
      case 'keep-alive': case 'proxy-connection': return true;
      case 'upgrade': notes.upgrade = value; return false;
      case 'expect': notes.expect = value; return false;
      case 'te': return value.toLowerCase() !== 'trailers';
      default: return false;
    }
  }
}

/** True where a comma-separated list has `token` (lower case), in any case. */
export function hasToken(list: string, token: string): boolean {
  if (list.length === token.length) return list === token || list.toLowerCase() === token;
  if (list.length < token.length) return false;
  for (const part of list.split(',')) if (part.trim().toLowerCase() === token) return true;
  return false;
}

/** A content-length: digits only, at most 2^53; -1 for anything else. */
export function parseLength(value: string): number {
  if (value.length === 0 || value.length > 16) return -1;
  let n = 0;
  for (let i = 0; i < value.length; i++) {
    const d = value.charCodeAt(i) - 48;
    if (d < 0 || d > 9) return -1;
    n = n * 10 + d;
  }
  return n <= Number.MAX_SAFE_INTEGER ? n : -1;
}
