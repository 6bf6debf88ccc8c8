// Cookies of a request read, and the tail of a Set-Cookie made (RFC 6265).
import type { Headers } from './headers.ts';

/** The value of the first cookie of that name, without the quotes around it; undefined: there is none. Only space before a name is skipped, as in Envoy. */
export function cookieValue(headers: Headers, name: string): string | undefined {
  const { flat } = headers;
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'cookie') continue;
    for (const part of flat[i + 1]!.split(';')) {
      const eq = part.indexOf('=');
      if (eq < 0 || part.slice(0, eq).trimStart() !== name) continue;
      const value = part.slice(eq + 1);
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}

/** What follows name and value in a Set-Cookie that Envoy makes. `maxAgeS` below 0: a session cookie. */
export function cookieTail(maxAgeS: number, path: string, attributes: readonly (readonly [string, string])[]): string {
  return `${maxAgeS >= 0 ? `; Max-Age=${maxAgeS}` : ''}${path === '' ? '' : `; Path=${path}`}${attributes.map(([n, v]) => (v === '' ? `; ${n}` : `; ${n}=${v}`)).join('')}; HttpOnly`;
}
