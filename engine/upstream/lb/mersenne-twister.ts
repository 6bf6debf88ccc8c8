// MT19937: the generator that Envoy walks its hosts with (std::mt19937), so that the walk is the same.

export class MersenneTwister {
  private readonly state = new Uint32Array(624);
  private at = 624;

  seed(value: number): void {
    const s = this.state;
    s[0] = value;
    for (let i = 1; i < 624; i++) { const x = s[i - 1]! ^ (s[i - 1]! >>> 30); s[i] = Math.imul(x, 1812433253) + i; }
    this.at = 624;
  }

  /** Uniform unsigned 32-bit integer. */
  u32(): number {
    if (this.at === 624) this.turn();
    let y = this.state[this.at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform in [0, n). */
  below(n: number): number {
    const step = Math.floor(4294967296 / n);
    for (;;) { const x = Math.floor(this.u32() / step); if (x < n) return x; }
  }

  private turn(): void {
    const s = this.state;
    for (let i = 0; i < 624; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % 624]! & 0x7fffffff);
      s[i] = s[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}
