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

const HEX = Array.from({ length: 256 }, (_, i) => (i + 256).toString(16).slice(1));

/** The engine's Math.random (xorshift128+) for choices; UUIDs from a pool of the system's random bytes. */
export class SystemRandom implements Random {
  private readonly pool = Buffer.allocUnsafe(4096);
  private at = 4096;
  unit(): number { return Math.random(); }
  u32(): number { return (Math.random() * 4294967296) >>> 0; }
  uuid(): string {
    if (this.at === 4096) { randomFillSync(this.pool); this.at = 0; }
    const b = this.pool, i = this.at;
    this.at = i + 16;
    return HEX[b[i]!]! + HEX[b[i + 1]!]! + HEX[b[i + 2]!]! + HEX[b[i + 3]!]! + '-' + HEX[b[i + 4]!]! + HEX[b[i + 5]!]! + '-' +
      HEX[(b[i + 6]! & 0x0f) | 0x40]! + HEX[b[i + 7]!]! + '-' + HEX[(b[i + 8]! & 0x3f) | 0x80]! + HEX[b[i + 9]!]! + '-' +
      HEX[b[i + 10]!]! + HEX[b[i + 11]!]! + HEX[b[i + 12]!]! + HEX[b[i + 13]!]! + HEX[b[i + 14]!]! + HEX[b[i + 15]!]!;
  }
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
