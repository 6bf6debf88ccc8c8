// Equal plain data kept once: thousands of clusters have the same options, so their plans hold one object for all. Frozen, as everybody sees it.

const MOST = 4096;
const known = new Map<string, unknown>();

/** The first object with the content of `value` (JSON data). */
export function shared<T extends object>(value: T): T {
  const key = JSON.stringify(value), first = known.get(key);
  if (first !== undefined) return first as T;
  if (known.size >= MOST) known.clear();
  known.set(key, Object.freeze(value));
  return value;
}
