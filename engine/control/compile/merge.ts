// --config-yaml over the file, as protobuf merges: scalars replace, messages merge, lists append.

type Json = Record<string, unknown>;
const isMap = (v: unknown): v is Json => v !== null && typeof v === 'object' && !Array.isArray(v);
const camel = (k: string): string => k.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());

export function mergeData(base: unknown, over: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(over)) return [...(base as unknown[]), ...(over as unknown[])];
  if (!isMap(base) || !isMap(over)) return over;
  if (typeof base['@type'] === 'string' && typeof over['@type'] === 'string') return over; // an Any is a scalar of bytes
  const out: Json = { ...base };
  for (const [k, v] of Object.entries(over)) {
    const same = Object.keys(out).find((x) => x === k || camel(x) === camel(k)) ?? k;
    Object.defineProperty(out, same, { value: Object.hasOwn(out, same) ? mergeData(out[same], v) : v, enumerable: true, configurable: true, writable: true });
  }
  return out;
}
