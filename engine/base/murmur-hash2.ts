// MurmurHash2 (64A) over byte strings, as Envoy's ring hash uses it on demand (hash_function: MURMUR_HASH_2). Build time only: plain BigInt.
import { hashed } from './xxhash64.ts';

const M = 0xc6a4a7935bd1e995n, MASK = 0xffffffffffffffffn, SEED = 0xc70f6907n;
const mul = (a: bigint): bigint => (a * M) & MASK;

/** Hashes a byte string; the result lies in `hashed` of xxhash64.ts. */
export function murmurHash2(text: string): void {
  const bytes = Buffer.from(text, 'latin1'), whole = bytes.length & ~7;
  let h = SEED ^ mul(BigInt(bytes.length));
  for (let at = 0; at < whole; at += 8) {
    let k = mul(bytes.readBigUInt64LE(at));
    k = mul(k ^ (k >> 47n));
    h = mul(h ^ k);
  }
  if (whole < bytes.length) {
    let rest = 0n;
    for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8n) | BigInt(bytes[i]!);
    h = mul(h ^ rest);
  }
  h = mul(h ^ (h >> 47n));
  h ^= h >> 47n;
  hashed.high = Number(h >> 32n); hashed.low = Number(h & 0xffffffffn);
}
