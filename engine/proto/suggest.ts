// 'did you mean': the nearest of the valid names, if one is near enough.

/** Edits between two words: insert, delete, replace, swap. */
export function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  for (let j = 1; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = d;
    }
  }
  return rows[a.length]![b.length]!;
}

/** The name that was surely meant: no more than two slips away (one for a short word); '' for none. What is read under it goes on being checked, so that one slip is one report. */
export function meant(word: string, names: Iterable<string>): string {
  const most = word.length < 4 ? 1 : 2;
  let best = '', least = most + 1;
  for (const n of names) {
    if (Math.abs(n.length - word.length) > most || n.length < 3) continue;
    const d = distance(word.toLowerCase(), n.toLowerCase());
    if (d < least) { least = d; best = n; }
  }
  return best;
}

/** ` (did you mean 'x'?)`, or ''. */
export function suggestion(word: string, names: Iterable<string>): string {
  let best = '', least = Infinity;
  for (const n of names) {
    const d = distance(word.toLowerCase(), n.toLowerCase());
    if (d < least) { least = d; best = n; }
  }
  return best !== '' && least <= Math.max(2, Math.floor(word.length / 3)) ? ` (did you mean '${best}'?)` : '';
}
