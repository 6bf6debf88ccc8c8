// --log-format: the pattern of application log lines, spdlog's flags as Envoy documents them, plus Envoy's own %j and %_. Compiled once per thread.

/** What one line says. */
export interface LogLine { readonly at: Date; readonly thread: string; readonly level: string; readonly component: string; readonly file: string; readonly line: string; readonly message: string }

export const DEFAULT_LOG_FORMAT = '[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v';

const two = (n: number): string => String(n).padStart(2, '0');
const three = (n: number): string => String(n).padStart(3, '0');
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const hour12 = (d: Date): number => d.getHours() % 12 || 12;
const half = (d: Date): string => (d.getHours() < 12 ? 'AM' : 'PM');
const clock = (d: Date): string => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
function zone(d: Date): string { const m = -d.getTimezoneOffset(), a = Math.abs(m); return `${m < 0 ? '-' : '+'}${two(Math.floor(a / 60))}:${two(a % 60)}`; }

const FLAGS: Record<string, (l: LogLine) => string> = {
  v: (l) => l.message, t: (l) => l.thread, P: () => String(process.pid), n: (l) => l.component, l: (l) => l.level, L: (l) => l.level[0]!.toUpperCase(),
  a: (l) => DAYS[l.at.getDay()]!.slice(0, 3), A: (l) => DAYS[l.at.getDay()]!, b: (l) => MONTHS[l.at.getMonth()]!.slice(0, 3), h: (l) => MONTHS[l.at.getMonth()]!.slice(0, 3), B: (l) => MONTHS[l.at.getMonth()]!,
  Y: (l) => String(l.at.getFullYear()), C: (l) => two(l.at.getFullYear() % 100), m: (l) => two(l.at.getMonth() + 1), d: (l) => two(l.at.getDate()),
  D: (l) => `${two(l.at.getMonth() + 1)}/${two(l.at.getDate())}/${two(l.at.getFullYear() % 100)}`, H: (l) => two(l.at.getHours()), I: (l) => two(hour12(l.at)), M: (l) => two(l.at.getMinutes()), S: (l) => two(l.at.getSeconds()),
  e: (l) => three(l.at.getMilliseconds()), f: (l) => `${three(l.at.getMilliseconds())}000`, F: (l) => `${three(l.at.getMilliseconds())}000000`, p: (l) => half(l.at), r: (l) => `${two(hour12(l.at))}:${two(l.at.getMinutes())}:${two(l.at.getSeconds())} ${half(l.at)}`,
  R: (l) => `${two(l.at.getHours())}:${two(l.at.getMinutes())}`, T: (l) => clock(l.at), X: (l) => clock(l.at), z: (l) => zone(l.at), E: (l) => String(Math.floor(l.at.getTime() / 1000)),
  g: (l) => l.file, s: (l) => l.file.slice(l.file.lastIndexOf('/') + 1), '#': (l) => l.line, '@': (l) => `${l.file}:${l.line}`, '!': () => '',
  j: (l) => JSON.stringify(l.message).slice(1, -1), _: (l) => escapeLine(l.message), '^': () => '', $: () => '', '%': () => '%',
};

/** C escapes, so that one message stays one line (--log-format-escaped). */
export function escapeLine(text: string): string {
  return text.replace(/[\\"'\x00-\x1f\x7f]/g, (c) => ({ '\\': '\\\\', '"': '\\"', "'": "\\'", '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c] ?? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** The line writer of a pattern. A flag that spdlog does not know is written as it stands; padding ('%-8l', '%=8l', '%8l') is honoured. */
export function compileLogFormat(pattern: string, escaped: boolean): (line: LogLine) => string {
  const parts: (string | ((l: LogLine) => string))[] = [];
  for (const m of pattern.matchAll(/%([-=]?)(\d{0,2})([^\d])|[^%]+|%/gs)) {
    const flag = m[3] ?? '', make = Object.hasOwn(FLAGS, flag) ? FLAGS[flag] : undefined;
    if (make === undefined) { parts.push(m[0]); continue; }
    const width = Number(m[2] || 0);
    if (width === 0) { parts.push(make); continue; }
    parts.push((l) => { const t = make(l); return m[1] === '-' ? t.padEnd(width) : m[1] === '=' ? t.padStart(t.length + Math.floor((width - t.length) / 2)).padEnd(width) : t.padStart(width); });
  }
  return (l) => {
    const line = escaped ? { ...l, message: escapeLine(l.message) } : l;
    let out = '';
    for (const p of parts) out += typeof p === 'string' ? p : p(line);
    return `${out}\n`;
  };
}
