// What an x-forwarded-client-cert header says under a key (Envoy: xfcc_value). Elements are separated by ',', pairs by ';', values may be quoted with '\\' before what is
// meant as it stands. Pure; the header is the peer's, so nothing here throws.

/** Position of the first `mark` outside of quotes at or after `from`, the text's end if there is none; -1: a quote is never closed. */
function next(text: string, mark: string, from: number, end: number): number {
  let quoted = false;
  for (let i = from; i < end; i++) {
    const c = text[i];
    if (c === '\\' && quoted) i++;
    else if (c === '"') quoted = !quoted;
    else if (c === mark && !quoted) return i;
  }
  return quoted ? -1 : end;
}

function unquoted(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value.slice(1, -1).replace(/\\(.)/g, '$1');
}

/** The first value under `key`, in whatever case, of the first element that has it; undefined: none, or the header is broken. */
export function clientCertValue(header: string, key: string): string | undefined {
  const wanted = key.toLowerCase();
  for (let at = 0; at < header.length;) {
    const end = next(header, ',', at, header.length);
    if (end < 0) return undefined;
    while (at < end) {
      const stop = next(header, ';', at, end), pair = header.slice(at, stop < 0 ? end : stop), eq = pair.indexOf('=');
      if (eq > 0 && pair.slice(0, eq).trim().toLowerCase() === wanted) return unquoted(pair.slice(eq + 1).trim());
      at = (stop < 0 ? end : stop) + 1;
    }
    at = end + 1;
  }
  return undefined;
}
