// Character classes of HTTP (RFC 9110 section 5.6.2, RFC 3986), as tables by byte.

/** tchar: what a header name or a method is made of. */
export const TOKEN = new Uint8Array(256);
/** tchar to lower case; 0 for what is no tchar. */
export const TOKEN_LOWER = new Uint8Array(256);
/** What a header value may hold: VCHAR, SP, HTAB, obs-text. */
export const VALUE = new Uint8Array(256);
/** What a request target may hold: no CTL, no space; obs-text passes, as in Envoy. */
export const TARGET = new Uint8Array(256);

for (let c = 0; c < 256; c++) {
  const ch = String.fromCharCode(c);
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(ch) && c < 128) { TOKEN[c] = 1; TOKEN_LOWER[c] = ch.toLowerCase().charCodeAt(0); }
  if (c === 9 || (c >= 32 && c !== 127)) VALUE[c] = 1;
  if (c > 32 && c !== 127) TARGET[c] = 1;
}

/** True where every char of `text` is in `table`, and there is one. */
export function allIn(text: string, table: Uint8Array): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}
