// Times in formats: Envoy's default (ISO 8601 with milliseconds), strftime patterns with %f (fractions: %3f, %6f, %9f) and %s (seconds; %3s… with fraction digits).

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

/** `wallMs` with fraction, in UTC (or local time). */
export function formatTime(format: string, wallMs: number, local = false): string {
  const d = new Date(wallMs);
  if (format === '' && !local) return d.toISOString();
  const ns = Math.floor((wallMs - Math.floor(wallMs / 1000) * 1000) * 1e6);
  const fraction = (digits: number): string => String(ns).padStart(9, '0').padEnd(digits, '0').slice(0, digits);
  const t = local ? new Date(d.getTime() - d.getTimezoneOffset() * 60_000) : d;
  const start = Date.UTC(t.getUTCFullYear(), 0, 1);
  const one = (c: string): string => {
    switch (c) {
      case 'Y': return String(t.getUTCFullYear());
      case 'y': return two(t.getUTCFullYear() % 100);
      case 'm': return two(t.getUTCMonth() + 1);
      case 'd': return two(t.getUTCDate());
      case 'e': return String(t.getUTCDate()).padStart(2, ' ');
      case 'H': return two(t.getUTCHours());
      case 'I': return two(t.getUTCHours() % 12 || 12);
      case 'M': return two(t.getUTCMinutes());
      case 'S': return two(t.getUTCSeconds());
      case 'p': return t.getUTCHours() < 12 ? 'AM' : 'PM';
      case 'a': return DAYS[t.getUTCDay()]!.slice(0, 3);
      case 'A': return DAYS[t.getUTCDay()]!;
      case 'b': case 'h': return MONTHS[t.getUTCMonth()]!.slice(0, 3);
      case 'B': return MONTHS[t.getUTCMonth()]!;
      case 'j': return String(Math.floor((t.getTime() - start) / 86_400_000) + 1).padStart(3, '0');
      case 'T': return `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}:${two(t.getUTCSeconds())}`;
      case 'F': return `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())}`;
      case 'D': return `${two(t.getUTCMonth() + 1)}/${two(t.getUTCDate())}/${two(t.getUTCFullYear() % 100)}`;
      case 'R': return `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;
      case 'z': return '+0000';
      case 'Z': return 'UTC';
      case 's': return String(Math.floor(wallMs / 1000));
      case 'n': return '\n';
      case 't': return '\t';
      case '%': return '%';
      default: return `%${c}`;
    }
  };
  return format.replace(/%(?:(\d)f|f|(\d)s|E\*?(\d*)S|([A-Za-z%]))/g, (all, f?: string, s?: string, es?: string, c?: string) => {
    if (all.endsWith('f')) return fraction(f === undefined ? 9 : Number(f));
    if (s !== undefined) return `${Math.floor(wallMs / 1000)}${fraction(Number(s))}`;
    if (es !== undefined) return `${two(t.getUTCSeconds())}.${fraction(es === '' ? 9 : Number(es))}`;
    return one(c!);
  });
}
