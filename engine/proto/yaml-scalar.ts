// Plain scalars as Envoy's YAML reader takes them: YAML 1.1 booleans, null, whole numbers; anything else, 1.5 too, stays text.

const TRUE = new Set(['true', 'True', 'TRUE', 'y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const FALSE = new Set(['false', 'False', 'FALSE', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);

/** Counts the words of YAML 1.1 for booleans that YAML 1.2 takes for text: whoever wrote `n` or `on` may have meant the text. */
export const SEEN = { odd: 0 };
export const isOddBoolean = (text: string): boolean => text.length <= 3 && (TRUE.has(text) || FALSE.has(text));

/** As strtoll takes them: 0600 is octal (a pipe's mode), 0x180 hexadecimal. Sexagesimal and binary forms stay text. */
function otherBase(text: string): number | string {
  const m = /^([-+]?)0(?:([0-7]+)|[xX]([0-9a-fA-F]+))$/.exec(text);
  if (m === null) return text;
  const n = m[2] !== undefined ? parseInt(m[2], 8) : parseInt(m[3]!, 16);
  return Number.isSafeInteger(n) ? (m[1] === '-' && n !== 0 ? -n : n) : text;
}

export function yamlScalar(text: string): unknown {
  const c = text.charCodeAt(0);
  if ((c >= 48 && c <= 57) || c === 45 || c === 43) {
    if (/^[-+]?(0|[1-9]\d*)$/.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
    return otherBase(text);
  }
  if (text.length <= 5) {
    const is = TRUE.has(text);
    if (is || FALSE.has(text)) { if (text.length <= 3) SEEN.odd++; return is; }
    if (text === '' || text === '~' || text === 'null' || text === 'Null' || text === 'NULL') return null;
  }
  return text;
}
