// Plans on their way between threads: msgpack. The only home of the package besides workers.
import { Decoder, Encoder } from '@msgpack/msgpack';

const makeEncoder = (): Encoder => new Encoder({ ignoreUndefined: true, initialBufferSize: 4096, maxDepth: 300 });
let encoder = makeEncoder();
/** An encoder keeps the largest buffer that it ever needed. */
const LARGE = 1 << 20;
const decoder = new Decoder();

/** Packs plain data (objects, arrays, strings, numbers, booleans, null, Uint8Array). The result is a copy of its own. */
export function pack(value: unknown): Uint8Array {
  const bytes = encoder.encode(value);
  if (bytes.length > LARGE) encoder = makeEncoder();
  return bytes;
}

/** Unpacks what `pack` made. The shape is the caller's knowledge: both ends are of one build. */
export function unpack<T>(bytes: Uint8Array): T { return decoder.decode(bytes) as T; }

/** Keys from which the engine keeps an object that was filled key by key, as the decoder does, as a hash table. */
const MANY_KEYS = 12;
/** The same plan, its large objects copied into fast ones: for plans that every request reads. Changes `value` inside. */
export function quickened<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  const made = !Array.isArray(value) && Object.keys(value).length >= MANY_KEYS ? { ...value } : value;
  for (const key of Object.keys(made) as (keyof T)[]) made[key] = quickened(made[key]);
  return made;
}
