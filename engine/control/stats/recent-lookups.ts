// Names of stats that were made from text while the process runs (/stats/recentlookups): each is a claim of one name by a thread, which happens once per name and thread.
// In Envoy these are lookups in the symbol table, whose lock they take; here they are what grows control's tables.

/** Envoy's capacity once it is enabled. */
const CAPACITY = 100;

export class RecentLookups {
  /** All since the start, or since it was cleared, tracked or not. */
  total = 0;
  private names: Map<string, number> | null = null;

  get enabled(): boolean { return this.names !== null; }
  enable(): void { this.names ??= new Map(); }
  disable(): void { this.names = null; }
  clear(): void { this.total = 0; this.names?.clear(); }

  note(name: string): void {
    this.total++;
    if (this.names === null) return;
    const count = (this.names.get(name) ?? 0) + 1;
    // The latest stands last; the oldest makes room.
    this.names.delete(name);
    this.names.set(name, count);
    if (this.names.size > CAPACITY) this.names.delete(this.names.keys().next().value!);
  }

  /** The most looked up first. */
  entries(): (readonly [name: string, count: number])[] { return [...(this.names ?? [])].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)); }
}
