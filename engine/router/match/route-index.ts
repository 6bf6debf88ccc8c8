// The routes of a virtual host by the text that a path must begin with, so that a host of a thousand routes tries the few that can match and not all. Order stays: of those
// that can match, the first that does wins. Routes without such a text (regular expressions, templates, any case, CONNECT) are tried at their place, as ever.
import type { PathMatchPlan } from '../../plan/route-plan.ts';

/** Below this many routes a scan is as quick. */
const WORTH_IT = 16;

export class RouteIndex {
  /** By length of the text, then by the text: numbers of routes, ascending. */
  private readonly byLength: readonly { readonly length: number; readonly routes: ReadonlyMap<string, readonly number[]> }[];
  private readonly others: readonly number[];

  private constructor(paths: readonly PathMatchPlan[]) {
    const lengths = new Map<number, Map<string, number[]>>(), others: number[] = [];
    paths.forEach((p, n) => {
      if (p.kind === 'connect' || p.kind === 'regex' || p.kind === 'template' || p.ignoreCase) { others.push(n); return; }
      let of = lengths.get(p.text.length);
      if (of === undefined) lengths.set(p.text.length, of = new Map());
      const list = of.get(p.text);
      if (list === undefined) of.set(p.text, [n]); else list.push(n);
    });
    this.byLength = [...lengths].map(([length, routes]) => ({ length, routes }));
    this.others = others;
  }

  /** null: not worth it. */
  static of(paths: readonly PathMatchPlan[]): RouteIndex | null {
    const index = paths.length < WORTH_IT ? null : new RouteIndex(paths);
    return index !== null && index.byLength.length + index.others.length < paths.length / 2 ? index : null;
  }

  /** Begins with a path (with its query); `next` then gives the numbers of the routes that can match it. */
  begin(path: string): void {
    lists.length = 0;
    if (this.others.length > 0) lists.push(this.others);
    for (const { length, routes } of this.byLength) {
      const list = length > path.length ? undefined : routes.get(path.slice(0, length));
      if (list !== undefined) lists.push(list);
    }
    for (let i = 0; i < lists.length; i++) heads[i] = 0;
  }

  /** The next number, ascending; -1: no more. */
  next(): number {
    let best = -1, from = -1;
    for (let i = 0; i < lists.length; i++) {
      const n = lists[i]![heads[i]!];
      if (n !== undefined && (best < 0 || n < best)) { best = n; from = i; }
    }
    if (from >= 0) heads[from]!++;
    return best;
  }
}

/** The look under way: lists of numbers, and how far each has been read. One for a thread, as a look ends before the next begins. */
const lists: (readonly number[])[] = [];
const heads: number[] = [];
