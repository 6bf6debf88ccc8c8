// Paths: the query cut off, RFC 3986 normalisation as Envoy's normalize_path does it, merged slashes, escaped slashes.

/** End of the path part: '?' or the end ('#' never passes the codec). */
export function pathEnd(path: string): number { const q = path.indexOf('?'); return q < 0 ? path.length : q; }
export function withoutQuery(path: string): string { const q = path.indexOf('?'); return q < 0 ? path : path.slice(0, q); }

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/** Dot segments removed, unreserved escapes decoded, '\' as '/'; null for an escape of NUL (Envoy: 400). The query is not touched. */
export function normalizePath(path: string): string | null {
  const end = pathEnd(path);
  let p = path.slice(0, end);
  if (!/[%\\]|\/\./.test(p)) return path;
  if (/%00/.test(p)) return null;
  p = p.replaceAll('\\', '/').replace(/%([0-9A-Fa-f]{2})/g, (all, hex: string) => { const c = String.fromCharCode(parseInt(hex, 16)); return UNRESERVED.test(c) ? c : all; });
  return removeDots(p) + path.slice(end);
}

function removeDots(path: string): string {
  const out: string[] = [];
  const parts = path.split('/');
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i]!, last = i === parts.length - 1;
    if (part === '..') { out.pop(); if (last) out.push(''); } else if (part === '.') { if (last) out.push(''); } else out.push(part);
  }
  return `/${out.join('/')}`;
}

/** Runs of '/' become one, before the query. */
export function mergeSlashes(path: string): string {
  const end = pathEnd(path);
  const at = path.indexOf('//');
  if (at < 0 || at >= end) return path;
  return path.slice(0, end).replace(/\/{2,}/g, '/') + path.slice(end);
}

/** True where %2F or %5C stands before the query. */
export function hasEscapedSlash(path: string): boolean { return /%(?:2f|5c)/i.test(path.slice(0, pathEnd(path))); }
export function unescapeSlashes(path: string): string {
  const end = pathEnd(path);
  return path.slice(0, end).replace(/%2f/gi, '/').replace(/%5c/gi, '\\') + path.slice(end);
}
