// Several headers looked up in one pass: a log line names half a dozen of them, and a scan for each costs more than all the rest of the line.
import type { Headers } from '../../headers/headers.ts';

/** Longest name that is looked for in the pass. */
const LONGEST = 63;

export class HeaderGather {
  private readonly names: string[] = [];
  /** Indexes of names by their length: most headers of a request are passed over by theirs. */
  private readonly byLength: (number[] | null)[] = new Array<number[] | null>(LONGEST + 1).fill(null);
  readonly values: (string | undefined)[] = [];

  /** The slot of a name (lower case, no pseudo header) in `values`; -1 where it is too long for the pass. */
  slot(name: string): number {
    if (name.length > LONGEST) return -1;
    let at = this.names.indexOf(name);
    if (at < 0) { at = this.names.push(name) - 1; this.values.push(undefined); (this.byLength[name.length] ??= []).push(at); }
    return at;
  }

  get empty(): boolean { return this.names.length === 0; }

  /** Fills in the first value of each name. */
  collect(headers: Headers | null): void {
    const { values, byLength, names } = this;
    for (let i = 0; i < values.length; i++) values[i] = undefined;
    if (headers === null) return;
    const { flat } = headers;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i]!;
      if (name.length > LONGEST) continue;
      const candidates = byLength[name.length]!;
      if (candidates === null) continue;
      for (let k = 0; k < candidates.length; k++) {
        const slot = candidates[k]!;
        if (names[slot] !== name) continue;
        if (values[slot] === undefined) values[slot] = flat[i + 1];
        break;
      }
    }
  }
}
