// A decoded header block made into a request's head, a response's head or trailers, with the rules of RFC 9113 section 8 and the limits of the configuration.
// One reader serves all connections of a thread: blocks are decoded whole, on one stack.
import { Headers, RequestHeaders, ResponseHeaders } from '../../headers/headers.ts';
import { TARGET, TOKEN, VALUE, allIn } from '../../headers/char-class.ts';
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import type { LineVisitor } from '../hpack/decoder.ts';
import { H2_FAULT, type H2Fault } from './faults.ts';
import { knownName } from './header-names.ts';

export class HeadReader implements LineVisitor {
  /** What came out: valid until the next begin. */
  fault: H2Fault | null = null;
  headers: Headers = new Headers();
  /** content-length, or -1. */
  length = -1;
  /** Names with underscores that were dropped. */
  dropped = 0;
  /** Bytes that the block took on the wire, frame heads included; set by who decodes. */
  wire = 0;
  private kind: 'request' | 'response' | 'trailers' = 'request';
  private options!: Http2OptionsPlan;
  private bytes = 0;
  private count = 0;
  private regular = false;
  private status = '';
  private host = '';
  private hosts = 0;
  private seen = 0;
  /** Place of the cookie value in the flat list; -1. */
  private cookieAt = -1;

  begin(kind: 'request' | 'response' | 'trailers', options: Http2OptionsPlan): void {
    this.kind = kind;
    this.options = options;
    this.fault = null;
    this.headers = kind === 'request' ? new RequestHeaders() : kind === 'response' ? new ResponseHeaders() : new Headers();
    this.length = this.cookieAt = -1;
    this.bytes = this.count = this.hosts = this.dropped = this.seen = 0;
    this.regular = false;
    this.status = this.host = '';
  }

  nameOf(name: string): string { return knownName(name).name; }

  onLine(name: string, value: string): boolean {
    this.bytes += name.length + value.length;
    if (this.bytes > this.options.maxHeadersKb * 1024) return this.stop(H2_FAULT.headersTooLarge);
    if (++this.count > this.options.maxHeadersCount) return this.stop(H2_FAULT.tooManyHeaders);
    const known = knownName(name);
    // A value that repeats is mostly the very string of the table, so that this compares pointers.
    if (known.good !== value || !this.options.obsText) {
      for (let i = 0; i < value.length; i++) { const c = value.charCodeAt(i); if (VALUE[c] !== 1 || (c > 127 && !this.options.obsText)) return this.stop(H2_FAULT.name); }
      if (value.length <= 256) known.good = value;
    }
    if (known.kind === 'pseudo') return this.pseudo(name, value);
    this.regular = true;
    if (known.underscore && this.options.headersWithUnderscores !== 'allow') {
      if (this.options.headersWithUnderscores === 'reject') return this.stop(H2_FAULT.underscore);
      this.dropped++;
      return true;
    }
    switch (known.kind) {
      case 'plain': break;
      case 'bad': return this.stop(H2_FAULT.name);
      case 'hop': return this.stop(H2_FAULT.name);
      case 'te': if (value.toLowerCase() !== 'trailers') return this.stop(H2_FAULT.name); break;
      case 'host': if (this.kind === 'request') { this.hosts++; this.host = value; return true; } break;
      case 'cookie':
        // RFC 9113 section 8.2.3: crumbs are joined before they leave HTTP/2. Each counts (CVE-2026-47774).
        if (this.cookieAt >= 0) { this.headers.flat[this.cookieAt] += `; ${value}`; return true; }
        this.cookieAt = this.headers.flat.length + 1;
        break;
      case 'content-length': {
        const length = digits(value);
        // A request that says it twice is refused even when both agree, as Envoy does.
        if (length < 0 || (this.length >= 0 && (this.kind === 'request' || this.length !== length))) return this.stop(H2_FAULT.name);
        if (this.length >= 0 || this.kind === 'trailers') return true;
        this.length = length;
      }
    }
    this.headers.flat.push(known.name, trimmed(value));
    return true;
  }

  private pseudo(name: string, value: string): boolean {
    if (this.regular || this.kind === 'trailers') return this.stop(H2_FAULT.name);
    if (this.kind === 'response') {
      if (name !== ':status' || this.status !== '') return this.stop(H2_FAULT.name);
      this.status = value;
      return true;
    }
    const bit = name === ':method' ? 1 : name === ':path' ? 2 : name === ':authority' ? 4 : name === ':scheme' ? 8 : name === ':protocol' ? 16 : 0;
    if (bit === 0 || (this.seen & bit) !== 0) return this.stop(H2_FAULT.name);
    this.seen |= bit;
    (this.headers as RequestHeaders).setPseudo(name, value);
    return true;
  }

  private stop(fault: H2Fault): false { this.fault = fault; return false; }

  /** The block is over: the rules that concern it whole. */
  finish(): H2Fault | null {
    if (this.fault !== null) return this.fault;
    if (this.kind === 'response') {
      const status = digits(this.status);
      if (this.status.length !== 3 || status < 100) return this.fault = H2_FAULT.message;
      (this.headers as ResponseHeaders).status = status;
    } else if (this.kind === 'request') this.fault = this.finishRequest(this.headers as RequestHeaders);
    return this.fault;
  }

  private finishRequest(h: RequestHeaders): H2Fault | null {
    const { seen } = this;
    if (!allIn(h.method, TOKEN)) return H2_FAULT.message;
    if (h.method === 'CONNECT' && (seen & 16) === 0) {
      // Section 8.5: nothing but :authority.
      if ((seen & 10) !== 0 || h.authority === '') return H2_FAULT.message;
    } else {
      if ((seen & 16) !== 0 && (h.method !== 'CONNECT' || !this.options.allowConnect || h.protocol === '' || h.authority === '')) return H2_FAULT.name;
      if ((seen & 10) !== 10 || !validScheme(h.scheme) || !validPath(h.path, h.method)) return H2_FAULT.message;
    }
    if (this.hosts > 1) return H2_FAULT.message;
    if ((seen & 4) === 0) h.authority = this.host; // a host beside an :authority says nothing (section 8.3.1)
    if (h.authority === '') return (seen & 4) === 0 && this.hosts === 0 ? H2_FAULT.message : H2_FAULT.name;
    for (let i = 0; i < h.authority.length; i++) if (AUTHORITY[h.authority.charCodeAt(i)] !== 1) return H2_FAULT.name;
    if (h.protocol !== '') upgradeForm(h);
    return null;
  }
}

/** Extended CONNECT (RFC 8441) becomes the upgrade request that the other rooms know, as in Envoy. */
function upgradeForm(h: RequestHeaders): void {
  h.protocol = h.protocol.toLowerCase();
  h.method = 'GET';
  h.remove('content-length');
  h.add('upgrade', h.protocol);
  h.add('connection', 'upgrade');
}

const AUTHORITY = new Uint8Array(256);
for (let c = 33; c < 127; c++) if (!'/\\#?"<>@'.includes(String.fromCharCode(c))) AUTHORITY[c] = 1;

function validPath(path: string, method: string): boolean {
  const first = path.charCodeAt(0);
  if (first !== 47 && !(path === '*' && method === 'OPTIONS')) return false;
  for (let i = 1; i < path.length; i++) if (TARGET[path.charCodeAt(i)] !== 1) return false;
  return true;
}

function validScheme(scheme: string): boolean { return scheme === 'https' || scheme === 'http' || /^[a-zA-Z][a-zA-Z0-9+.-]*$/.test(scheme); }

/** A number of digits only, exact; or -1. */
function digits(text: string): number {
  if (text.length === 0 || text.length > 15) return -1;
  let n = 0;
  for (let i = 0; i < text.length; i++) { const c = text.charCodeAt(i) - 48; if (c < 0 || c > 9) return -1; n = n * 10 + c; }
  return n;
}

/** Without blanks around it: HTTP/1 could not carry them on. */
function trimmed(value: string): string {
  const first = value.charCodeAt(0), last = value.charCodeAt(value.length - 1);
  return first === 32 || first === 9 || last === 32 || last === 9 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value;
}
