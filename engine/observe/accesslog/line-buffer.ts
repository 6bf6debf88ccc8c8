// The bytes of log lines that wait to be written: formats append to it field by field, so a line costs no string of its own. Byte strings (one char a byte) go in as
// they are. Grows as it is filled; who owns it bounds that.

/** Up to this many characters a loop beats the call into V8. */
const SHORT = 40;

export class LineBuffer {
  bytes: Buffer;
  /** Bytes filled so far. */
  length = 0;
  constructor(capacity: number) { this.bytes = Buffer.allocUnsafeSlow(capacity); }

  /** Appends a byte string. */
  text(s: string): void {
    const n = s.length, at = this.length;
    if (at + n > this.bytes.length) this.grow(n);
    const { bytes } = this;
    if (n <= SHORT) for (let i = 0; i < n; i++) bytes[at + i] = s.charCodeAt(i); else bytes.latin1Write(s, at, n);
    this.length = at + n;
  }

  /** Appends one byte. */
  byte(b: number): void { if (this.length === this.bytes.length) this.grow(1); this.bytes[this.length++] = b; }

  /** Appends a number as String() has it; whole ones below 2^31 without making a string. */
  number(n: number): void {
    if (n !== (n | 0) || n < 0) { this.text(String(n)); return; }
    let digits = 1;
    for (let limit = 10; limit <= n; limit *= 10) digits++;
    const at = this.length;
    if (at + digits > this.bytes.length) this.grow(digits);
    const { bytes } = this;
    for (let i = at + digits - 1, rest = n; i >= at; i--) { const q = (rest / 10) | 0; bytes[i] = 48 + rest - q * 10; rest = q; }
    this.length = at + digits;
  }

  /** Appends exactly `digits` digits, with leading zeros. */
  padded(n: number, digits: number): void {
    const at = this.length;
    if (at + digits > this.bytes.length) this.grow(digits);
    const { bytes } = this;
    for (let i = at + digits - 1, rest = n; i >= at; i--) { const q = (rest / 10) | 0; bytes[i] = 48 + rest - q * 10; rest = q; }
    this.length = at + digits;
  }

  /** Appends a byte string as the inside of a JSON string; false (and nothing appended) where a character needs more than itself. */
  plainJson(s: string): boolean {
    const n = s.length, at = this.length;
    if (at + n > this.bytes.length) this.grow(n);
    const { bytes } = this;
    for (let i = 0; i < n; i++) {
      const c = s.charCodeAt(i);
      if (c < 32 || c > 126 || c === 34 || c === 92) return false;
      bytes[at + i] = c;
    }
    this.length = at + n;
    return true;
  }

  private grow(more: number): void {
    const next = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(next, 0, 0, this.length);
    this.bytes = next;
  }
}
