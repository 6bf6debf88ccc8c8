// A configuration as a whole: its sources, its reports, and the root message. Reports are collected, placed, sorted; nothing throws for what a user wrote.
import type { ConfigSource } from './config-source.ts';
import type { Place, Report } from './config-message.ts';

/** Key path from the root of the data: what a place is found by. */
export type Keys = readonly (string | number)[];

export class ConfigTree {
  private readonly sources: readonly ConfigSource[];
  /** The data that each source was merged over. */
  private readonly under: readonly unknown[];
  private readonly found: { readonly severity: 'error' | 'warning'; readonly message: string; readonly keys: Keys; readonly path: string }[] = [];
  /** What an unknown field is: an error, a warning, or nothing worth a word. */
  unknown: 'error' | 'warning' | 'ignore' = 'error';
  /** Unknown fields that were let pass. */
  unknownFields = 0;
  /** Whether deprecated fields are worth a warning. */
  deprecated = true;
  /** `sources`: the file first, then what was merged over it. */
  constructor(sources: readonly ConfigSource[], under: readonly unknown[] = []) { this.sources = sources; this.under = under; }

  report(severity: 'error' | 'warning', message: string, keys: Keys, path: string): void { this.found.push({ severity, message, keys, path }); }
  reportUnknown(message: string, keys: Keys, path: string): void {
    if (this.unknown !== 'error') this.unknownFields++;
    if (this.unknown !== 'ignore') this.report(this.unknown, message, keys, path);
  }
  get errors(): number { return this.found.filter((r) => r.severity === 'error').length; }
  /** Reports so far; with `mark` one can tell those of a part. */
  get count(): number { return this.found.length; }
  errorsSince(mark: number): number { let n = 0; for (let i = mark; i < this.found.length; i++) if (this.found[i]!.severity === 'error') n++; return n; }

  /** The place in the last source that says something there. */
  place(keys: Keys, path: string): Place {
    let best: (Place & { readonly found: number }) | null = null;
    for (let i = this.sources.length - 1; i >= 0; i--) {
      const own = i === 0 ? keys : behind(keys, this.under[i]);
      if (own === null) continue;
      let p: Place & { readonly found: number };
      try { p = this.sources[i]!.place(own, path); } catch { continue; /* an unreadable text has no places */ }
      if (best === null || p.found > best.found) best = p;
    }
    return best === null ? { file: this.sources[0]?.file ?? '', line: 0, column: 0, path } : { file: best.file, line: best.line, column: best.column, path };
  }

  /** All reports in order of their place, each once. */
  reports(): Report[] {
    const seen = new Set<string>();
    return this.found.map((r) => ({ severity: r.severity, message: r.message, place: this.place(r.keys, r.path) }))
      .filter((r) => { const key = `${r.place.line}:${r.place.column}:${r.place.path}:${r.message}`; if (seen.has(key)) return false; seen.add(key); return true; })
      .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  }
}

/** Keys as a source has them whose lists were appended to those of `under`; null for what is of `under` alone. */
function behind(keys: Keys, under: unknown): Keys | null {
  const out: (string | number)[] = [];
  let at: unknown = under;
  for (const k of keys) {
    if (typeof k === 'number' && Array.isArray(at)) { if (k < at.length) return null; out.push(k - at.length); at = undefined; continue; }
    out.push(k);
    at = at !== null && typeof at === 'object' ? (at as Record<string, unknown>)[k] : undefined;
  }
  return out;
}

/** One line of a report: 'file:line:column: path: message'. */
export function formatReport(r: Report): string {
  const { file, line, column, path } = r.place;
  return `${file}${line > 0 ? `:${line}:${column}` : ''}: ${r.severity === 'warning' ? 'warning: ' : ''}${path === '' ? '' : `${path}: `}${r.message}`;
}
