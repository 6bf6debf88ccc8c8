// The one door to chance, so that tests choose it.
import { randomFillSync } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform unsigned 32-bit integer. */
  u32(): number;
  /** A version 4 UUID, lower case (RFC 9562). */
  uuid(): string;
}

const HEX = Buffer.from('0123456789abcdef', 'latin1');
/** UUIDs made at a time, their length, and the random bytes that each takes. */
const BATCH = 64, UUID = 36, BYTES = 16;

/** The engine's Math.random (xorshift128+) for choices; UUIDs from the system's random bytes, written many at a time into one text that each is a part of. */
export class SystemRandom implements Random {
  private readonly pool = Buffer.allocUnsafeSlow(BATCH * BYTES);
  private readonly digits = Buffer.allocUnsafeSlow(BATCH * UUID);
  private text = '';
  unit(): number { return Math.random(); }
  u32(): number { return (Math.random() * 4294967296) >>> 0; }
  private at = 0;
  uuid(): string {
    if (this.at === this.text.length) { this.text = this.more(); this.at = 0; }
    const from = this.at;
    return this.text.substring(from, this.at = from + UUID);
  }

  private more(): string {
    const { pool, digits } = this;
    randomFillSync(pool);
    for (let i = 0, to = 0; i < pool.length; i++) {
      const n = i % BYTES;
      if (n === 4 || n === 6 || n === 8 || n === 10) digits[to++] = 45;
      const b = n === 6 ? (pool[i]! & 0x0f) | 0x40 : n === 8 ? (pool[i]! & 0x3f) | 0x80 : pool[i]!;
      digits[to++] = HEX[b >> 4]!;
      digits[to++] = HEX[b & 15]!;
    }
    return digits.latin1Slice();
  }
}

/** Envoy's jittered exponential back-off before the next of `attempts`: a random time below base × (2^attempts − 1), at most max. */
export function backoffMs(random: Random, plan: { readonly baseMs: number; readonly maxMs: number }, attempts: number): number {
  return random.unit() * Math.min(plan.maxMs, plan.baseMs * (2 ** Math.min(30, attempts) - 1));
}

/** A repeatable sequence for tests (mulberry32). */
export class SeededRandom implements Random {
  private state: number;
  constructor(seed = 1) { this.state = seed >>> 0; }
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  unit(): number { return this.u32() / 4294967296; }
  uuid(): string {
    const h = [0, 0, 0, 0].map(() => this.u32().toString(16).padStart(8, '0')).join('');
    return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20)}`;
  }
}
