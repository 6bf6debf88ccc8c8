// All names in order, without ever making a list of them: a merge of the scopes' own sorted names and of the sorted single ones. Whoever walks may stop for as long
// as it likes between two steps; scopes that come or go meanwhile are seen or not.
import type { LayoutEntry, StatScope } from './stat-scope.ts';

/** One source under way: a scope's names, or a sorted list. `name` is the next one. */
class Source {
  name = '';
  at = -1;
  readonly scope: StatScope | null;
  private readonly names: readonly (string | LayoutEntry)[];
  constructor(scope: StatScope | null, names: readonly (string | LayoutEntry)[]) { this.scope = scope; this.names = names; }
  next(): boolean {
    if (++this.at >= this.names.length) return false;
    const n = this.names[this.at]!;
    this.name = (this.scope?.prefix ?? '') + (typeof n === 'string' ? n : n.name);
    return true;
  }
  get entry(): LayoutEntry | null { const n = this.names[this.at]!; return typeof n === 'string' ? null : n; }
}

export class StatWalk {
  name = '';
  /** Where the value is: an entry of a scope, or (null) a single one by its name. */
  scope: StatScope | null = null;
  entry: LayoutEntry | null = null;
  private readonly open: Source[] = [];
  private readonly waiting: readonly StatScope[];
  private readonly namesOf: (s: StatScope) => readonly (string | LayoutEntry)[];
  private nextScope = 0;
  /** A scope that no other source has a name within: its names come one after the other, without a look at the others. */
  private run: Source | null = null;

  /** `scopes` sorted by prefix, `singles` sorted. */
  constructor(scopes: readonly StatScope[], singles: readonly string[], namesOf: (s: StatScope) => readonly (string | LayoutEntry)[]) {
    this.waiting = scopes;
    this.namesOf = namesOf;
    const s = new Source(null, singles);
    if (s.next()) this.open.push(s);
  }

  /** Goes to the next name; false at the end. */
  next(): boolean {
    if (this.run !== null) {
      const { run } = this;
      this.name = run.name; this.entry = run.entry;
      if (!run.next()) { this.open.splice(this.open.indexOf(run), 1); this.run = null; }
      return true;
    }
    for (;;) {
      let least: Source | null = null;
      for (const s of this.open) if (least === null || s.name < least.name) least = s;
      // A scope's names all start with its prefix: it need not be opened before that comes up.
      const scope = this.waiting[this.nextScope];
      if (scope !== undefined && (least === null || scope.prefix <= least.name)) {
        this.nextScope++;
        const s = new Source(scope, this.namesOf(scope));
        if (s.next()) this.open.push(s);
        continue;
      }
      if (least === null) return false;
      const again = least.name === this.name && this.name !== '';
      this.name = least.name; this.scope = least.scope; this.entry = least.entry;
      if (!least.next()) this.open.splice(this.open.indexOf(least), 1); else if (!again && least.scope !== null && this.alone(least, least.scope.prefix)) this.run = least;
      // A name known twice is shown once.
      if (!again) return true;
    }
  }

  private alone(source: Source, prefix: string): boolean {
    const waiting = this.waiting[this.nextScope];
    return (waiting === undefined || !waiting.prefix.startsWith(prefix)) && this.open.every((o) => o === source || !o.name.startsWith(prefix));
  }
}
