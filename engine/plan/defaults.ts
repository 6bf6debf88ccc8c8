// Plans beside the defaults of their kind: on the wire only what differs goes along, and most plans are the defaults.

/** Whether plain data is equal. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const k of keys) if (!same((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k])) return false;
  return true;
}

/** What differs from the defaults, and what is not among them. */
export function differing<T extends object>(plan: T, defaults: Partial<T>): Partial<T> {
  const out: Partial<T> = {};
  for (const key in plan) { const value = plan[key]; if (!(key in defaults) || !same(value, defaults[key])) out[key] = value; }
  return out;
}

/** The same plan, with the very defaults where it says nothing else: quick to pack. */
export function settled<T extends object>(plan: T, defaults: Partial<T>): T {
  const out = { ...plan };
  for (const key in plan) if (key in defaults && same(plan[key], defaults[key])) out[key] = defaults[key] as T[typeof key];
  return out;
}

/** What is made of messages of which only so much is said that it is the same each time: made of the first, settled, and given to all. */
export class PlainPlan<T extends object> {
  private readonly defaults: Partial<T>;
  private made: T | null = null;
  constructor(defaults: Partial<T>) { this.defaults = defaults; }
  /** `plain`: the message is such a one. */
  of(plain: boolean, compile: () => T): T { return plain ? this.made ??= settled(compile(), this.defaults) : compile(); }
}
