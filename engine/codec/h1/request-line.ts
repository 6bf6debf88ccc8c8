// The request line and the target forms (RFC 9112 section 3). Envoy's leniency is kept where it is safe: absolute form replaces the host.
import type { PeerFault } from '../../base/fault.ts';
import type { RequestHeaders } from '../../headers/headers.ts';
import type { Http1OptionsPlan } from '../../plan/http1-options-plan.ts';
import { TARGET, TOKEN } from '../../headers/char-class.ts';
import { H1_FAULT } from './faults.ts';
import type { HeadBuffer } from './head-buffer.ts';

/** Methods that Envoy's parser knows. */
const METHODS = new Set(('GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE ' +
  'MSEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK SOURCE QUERY').split(' '));

export class RequestLine {
  /** Minor version of HTTP/1: 1 or 0. */
  minor: 0 | 1 = 1;
  /** Where the line ended, after its CRLF. */
  position = 0;
  /** Authority of an absolute-form target, '' otherwise. */
  targetHost = '';
  private readonly options: Http1OptionsPlan;
  constructor(options: Http1OptionsPlan) { this.options = options; }

  /** Parses the line at the start of the head into method and path. */
  parse(head: HeadBuffer, into: RequestHeaders): PeerFault | null {
    const { text, bytes, first } = head;
    let at = 0;
    while (TOKEN[bytes[first + at]!] === 1) at++;
    if (at === 0 || bytes[first + at] !== 32) return H1_FAULT.codec;
    into.method = method(text, at);
    if (into.method !== 'GET' && into.method !== 'POST' && !this.options.allowCustomMethods && !METHODS.has(into.method)) return H1_FAULT.codec;
    const start = ++at;
    let c = bytes[first + at]!;
    // Only ASCII: Envoy answers 400 to a byte above 127 in the target.
    while (c < 128 && TARGET[c] === 1) c = bytes[first + ++at]!;
    if (at === start) return H1_FAULT.codec;
    const target = text.substring(start, at);
    if (c === 13) return this.noVersion(text, at, target, into); // 'GET /'
    if (c !== 32) return c < 32 || c >= 127 ? H1_FAULT.invalidCharacters : H1_FAULT.codec;
    const faultOfVersion = this.version(text, at + 1);
    return faultOfVersion ?? this.target(target, into);
  }

  /** A line without a version is HTTP/0.9: taken as 1.0 where that is accepted. */
  private noVersion(text: string, at: number, target: string, into: RequestHeaders): PeerFault | null {
    if (text.charCodeAt(at + 1) !== 10) return H1_FAULT.codec;
    if (!this.options.acceptHttp10) return H1_FAULT.version;
    this.minor = 0;
    this.position = at + 2;
    return this.target(target, into);
  }

  private version(text: string, at: number): PeerFault | null {
    if (text.startsWith('HTTP/1.1\r\n', at)) { this.minor = 1; this.position = at + 10; return null; }
    if (text.startsWith('HTTP/1.0\r\n', at)) { this.minor = 0; this.position = at + 10; return this.options.acceptHttp10 ? null : H1_FAULT.version; }
    if (this.options.acceptHttp10 && text.startsWith('HTTP/0.9\r\n', at)) { this.minor = 0; this.position = at + 10; return null; }
    const end = text.indexOf('\r\n', at);
    return /^HTTP\/\d\.\d$/.test(text.slice(at, end)) ? H1_FAULT.version : H1_FAULT.codec;
  }

  private target(target: string, into: RequestHeaders): PeerFault | null {
    this.targetHost = '';
    if (target.charCodeAt(0) === 47) { // origin form
      into.path = target;
      if (into.method === 'CONNECT') return H1_FAULT.invalidUrl;
      return null; // a fragment is the connection manager's to refuse
    }
    if (into.method === 'CONNECT') {
      // authority form: host:port
      if (!/^[^/?#@\s]+:\d{1,5}$/.test(target)) return H1_FAULT.invalidUrl;
      this.targetHost = target;
      into.path = '';
      return null;
    }
    if (target === '*') { into.path = target; return into.method === 'OPTIONS' ? null : H1_FAULT.invalidUrl; }
    const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(target);
    if (scheme === null) return H1_FAULT.invalidUrl;
    if (!this.options.allowAbsoluteUrl) { into.path = target; return null; }
    const name = scheme[1]!.toLowerCase();
    if (name !== 'http' && name !== 'https') return H1_FAULT.invalidScheme;
    return this.absolute(target, scheme[0].length, name, into);
  }

  private absolute(target: string, from: number, scheme: string, into: RequestHeaders): PeerFault | null {
    let end = from;
    while (end < target.length && target[end] !== '/' && target[end] !== '?' && target[end] !== '#') end++;
    let host = target.slice(from, end);
    const at = host.lastIndexOf('@');
    if (at >= 0) host = host.slice(at + 1);
    if (host === '' || target.includes('#')) return H1_FAULT.invalidUrl;
    this.targetHost = host;
    into.scheme = scheme;
    into.path = end === target.length ? '/' : target.slice(end);
    return null;
  }
}

/** The usual methods as the constants that matchers compare with. */
function method(text: string, end: number): string {
  if (end === 3 && text.startsWith('GET')) return 'GET';
  if (end === 4 && text.startsWith('POST')) return 'POST';
  return text.substring(0, end);
}
