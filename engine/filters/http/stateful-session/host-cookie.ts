// A session in a cookie: base64 of a small protobuf message {1: address, 2: expiry in seconds}, or, as older versions wrote it, of the address alone
// (Envoy: CookieBasedSessionState).
import { cookieTail, cookieValue } from '../../../headers/cookies.ts';
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { Clock } from '../../../loop/clock.ts';
import type { SessionStatePlan } from '../../../plan/stateful-session-plan.ts';
import type { SessionState } from './filter.ts';
import { decodeBase64, encodeBase64 } from './host-header.ts';

type CookiePlan = SessionStatePlan & { readonly kind: 'cookie' };

function varint(n: number): string { let out = ''; while (n > 127) { out += String.fromCharCode((n % 128) | 128); n = Math.floor(n / 128); } return out + String.fromCharCode(n); }

/** The message's fields; null: the bytes are no such message. */
export function decodeSession(bytes: string): { readonly address: string; readonly expires: number } | null {
  let at = 0, address = '', expires = 0;
  const number = (): number => {
    let value = 0, factor = 1;
    for (let i = 0; i < 8; i++) { const b = bytes.charCodeAt(at++); if (Number.isNaN(b)) return -1; value += (b & 127) * factor; if (b < 128) return value; factor *= 128; }
    return -1;
  };
  while (at < bytes.length) {
    const tag = number(), value = number();
    if (value < 0) return null;
    if (tag === 10) { if (at + value > bytes.length) return null; address = bytes.slice(at, at + value); at += value; } else if (tag === 16) expires = value; else return null;
  }
  return { address, expires };
}
export function encodeSession(address: string, expires: number): string { return `\x0a${varint(address.length)}${address}${expires > 0 ? `\x10${varint(expires)}` : ''}`; }

export class HostCookie implements SessionState {
  private readonly plan: CookiePlan;
  private readonly clock: Clock;
  private readonly tail: string;
  constructor(plan: CookiePlan, clock: Clock) {
    this.plan = plan; this.clock = clock;
    this.tail = cookieTail(plan.ttlS > 0 ? plan.ttlS : -1, plan.path, plan.attributes);
  }

  read(headers: RequestHeaders): string | null {
    if (!this.concerns(headers.path)) return null;
    const bytes = decodeBase64(cookieValue(headers, this.plan.name) ?? '');
    if (bytes === '') return '';
    const session = decodeSession(bytes);
    if (session === null) return bytes;
    return session.expires > 0 && session.expires < this.clock.wallMs() / 1000 ? '' : session.address;
  }

  write(headers: ResponseHeaders, address: string): void {
    const expires = this.plan.ttlS > 0 ? Math.floor(this.clock.wallMs() / 1000) + this.plan.ttlS : 0;
    headers.add('set-cookie', `${this.plan.name}="${encodeBase64(encodeSession(address, expires))}"${this.tail}`);
  }

  /** Whether the cookie's path covers the request's (RFC 6265 section 5.1.4). */
  private concerns(path: string): boolean {
    const own = this.plan.path;
    if (own === '' || own === '/') return true;
    if (!path.startsWith(own)) return false;
    const next = path.charAt(own.length);
    return own.endsWith('/') || next === '' || next === '/' || next === '?' || next === '#';
  }
}
