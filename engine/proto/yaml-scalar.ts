// Plain scalars as Envoy's YAML reader takes them: YAML 1.1 booleans, null, whole numbers; anything else, 1.5 too, stays text.

const TRUE = new Set(['true', 'True', 'TRUE', 'y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const FALSE = new Set(['false', 'False', 'FALSE', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);

/** Counts the words of YAML 1.1 for booleans that YAML 1.2 takes for text: whoever wrote `n` or `on` may have meant the text. */
export const SEEN = { odd: 0 };
export const isOddBoolean = (text: string): boolean => text.length <= 3 && (TRUE.has(text) || FALSE.has(text));

export function yamlScalar(text: string): unknown {
  const c = text.charCodeAt(0);
  if ((c >= 48 && c <= 57) || c === 45 || c === 43) {
    // Decimal only: octal, hexadecimal and sexagesimal forms are the full parser's business elsewhere; here they stay text.
    return /^[-+]?(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
  }
  if (text.length <= 5) {
    const is = TRUE.has(text);
    if (is || FALSE.has(text)) { if (text.length <= 3) SEEN.odd++; return is; }
    if (text === '' || text === '~' || text === 'null' || text === 'Null' || text === 'NULL') return null;
  }
  return text;
}
