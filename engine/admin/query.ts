// Parameters of an admin request: of the query string, and of a form in its body. As in Envoy the first of a name counts, and '+' is a plus sign.

export class Query {
  readonly entries: readonly (readonly [name: string, value: string])[];
  constructor(queryString: string) {
    this.entries = queryString.split('&').filter(Boolean).map((pair) => { const eq = pair.indexOf('='); return eq < 0 ? [decode(pair), ''] as const : [decode(pair.slice(0, eq)), decode(pair.slice(eq + 1))] as const; });
  }
  has(name: string): boolean { return this.entries.some(([n]) => n === name); }
  get(name: string): string | undefined { return this.entries.find(([n]) => n === name)?.[1]; }
}

/** Percent decoding; what is none stays as it is. */
function decode(text: string): string { try { return decodeURIComponent(text); } catch { return text; } }
