// A configuration as a whole: its texts, its reports, and the root message. Reports are collected, placed, sorted; nothing throws for what a user wrote.
import type { Place, Report } from './config-message.ts';
import type { SourceText } from './source-text.ts';

/** Key path from the root of the data: what a place is found by. */
export type Keys = readonly (string | number)[];

export class ConfigTree {
  private readonly sources: readonly SourceText[];
  private readonly found: { readonly severity: 'error' | 'warning'; readonly message: string; readonly keys: Keys; readonly path: string }[] = [];
  /** --allow-unknown-static-fields: an unknown field is a warning. */
  allowUnknown = false;
  /** `sources`: the file first, then what was merged over it. */
  constructor(sources: readonly SourceText[]) { this.sources = sources; }

  report(severity: 'error' | 'warning', message: string, keys: Keys, path: string): void { this.found.push({ severity, message, keys, path }); }
  get errors(): number { return this.found.filter((r) => r.severity === 'error').length; }
  /** Reports so far; with `mark` one can tell those of a part. */
  get count(): number { return this.found.length; }
  errorsSince(mark: number): number { let n = 0; for (let i = mark; i < this.found.length; i++) if (this.found[i]!.severity === 'error') n++; return n; }

  place(keys: Keys, path: string): Place {
    for (const s of this.sources) {
      try { const p = s.place(keys, path); if (this.sources.length === 1 || p.line > 0) return p; } catch { /* an unreadable text has no places */ }
    }
    return { file: this.sources[0]?.file ?? '', line: 0, column: 0, path };
  }

  /** All reports in order of their place, each once. */
  reports(): Report[] {
    const seen = new Set<string>();
    return this.found.map((r) => ({ severity: r.severity, message: r.message, place: this.place(r.keys, r.path) }))
      .filter((r) => { const key = `${r.place.line}:${r.place.column}:${r.place.path}:${r.message}`; if (seen.has(key)) return false; seen.add(key); return true; })
      .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  }
}

/** One line of a report: 'file:line:column: path: message'. */
export function formatReport(r: Report): string {
  const { file, line, column, path } = r.place;
  return `${file}${line > 0 ? `:${line}:${column}` : ''}: ${r.severity === 'warning' ? 'warning: ' : ''}${path === '' ? '' : `${path}: `}${r.message}`;
}
