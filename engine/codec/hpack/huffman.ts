// RFC 7541 section 5.2 and appendix B. The code is canonical, so the table is made from the code lengths; decoding walks four bits at a time through a
// table of states built once. A padding longer than 7 bits, padding of zeros and the EOS symbol are errors, as the RFC demands.

/** Code length of each byte value, then of EOS. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const EOS = 256;
const CODES = new Uint32Array(257);
const CODE_LENGTHS = new Uint8Array(LENGTHS);

// Decoding states are the inner nodes of the code tree. Per state and nibble: the next state (-1: error), the byte written on the way (-1: none; a nibble ends at most one code).
const NEXT: Int16Array = new Int16Array(256 * 16);
const EMIT: Int16Array = new Int16Array(256 * 16);
/** States in which the input may end: at most 7 bits of ones since the last code. */
const FINAL = new Uint8Array(256);

function assignCodes(): void {
  const order = LENGTHS.map((_, s) => s).sort((a, b) => LENGTHS[a]! - LENGTHS[b]! || a - b);
  let code = 0, length = LENGTHS[order[0]!]!;
  for (const s of order) {
    code = (code << (LENGTHS[s]! - length)) >>> 0;
    length = LENGTHS[s]!;
    CODES[s] = code++;
  }
}

function buildStates(): void {
  // children[node * 2 + bit]: an inner node ≥ 0, or -2 - symbol, or -1 for none.
  const children: number[] = [-1, -1];
  for (let s = 0; s <= EOS; s++) {
    let node = 0;
    for (let i = LENGTHS[s]! - 1; i >= 0; i--) {
      const at = node * 2 + ((CODES[s]! >>> i) & 1);
      if (i === 0) { children[at] = -2 - s; break; }
      if (children[at] === -1) { children[at] = children.length / 2; children.push(-1, -1); }
      node = children[at]!;
    }
  }
  for (let node = 0; node < children.length / 2; node++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let at = node, emit = -1;
      for (let i = 3; i >= 0 && at >= 0; i--) {
        const child = children[at * 2 + ((nibble >> i) & 1)]!;
        if (child >= 0) { at = child; continue; }
        if (child === -2 - EOS || child === -1) at = -1; else { emit = -2 - child; at = 0; }
      }
      NEXT[node * 16 + nibble] = at;
      EMIT[node * 16 + nibble] = emit;
    }
  }
  for (let node = 0, depth = 0; depth <= 7 && node >= 0; depth++) { FINAL[node] = 1; node = children[node * 2 + 1]!; }
}

assignCodes();
buildStates();

let scratch = Buffer.allocUnsafe(4096);

/** Decodes bytes [start, end) into a byte string; null for an invalid code or padding. The output is at most 8/5 of the input. */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | null {
  const most = ((end - start) * 8) / 5 + 1;
  if (scratch.length < most) scratch = Buffer.allocUnsafe(Math.ceil(most * 2));
  const out = scratch;
  let state = 0, length = 0;
  for (let i = start; i < end; i++) {
    const b = bytes[i]!;
    let at = state * 16 + (b >> 4);
    state = NEXT[at]!;
    if (state < 0) return null;
    if (EMIT[at]! >= 0) out[length++] = EMIT[at]!;
    at = state * 16 + (b & 15);
    state = NEXT[at]!;
    if (state < 0) return null;
    if (EMIT[at]! >= 0) out[length++] = EMIT[at]!;
  }
  return FINAL[state] === 1 ? out.latin1Slice(0, length) : null;
}

/** Bytes that `text` takes when coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_LENGTHS[text.charCodeAt(i) & 255]!;
  return (bits + 7) >> 3;
}

/** Writes the code of `text` at `at`, which must have room for huffmanLength(text); returns the end. */
export function huffmanEncode(text: string, out: Uint8Array, at: number): number {
  let bits = 0, held = 0; // `held` low `bits` bits are pending, fewer than 8 between symbols
  for (let i = 0; i < text.length; i++) {
    const s = text.charCodeAt(i) & 255;
    let length = CODE_LENGTHS[s]!;
    const code = CODES[s]!;
    if (length <= 15) {
      held = (held << length) | code;
      bits += length;
      while (bits >= 8) { bits -= 8; out[at++] = held >>> bits; }
      held &= (1 << bits) - 1;
      continue;
    }
    while (length > 0) {
      const take = Math.min(length, 24 - bits);
      held = (held << take) | ((code >>> (length - take)) & ((1 << take) - 1));
      bits += take; length -= take;
      while (bits >= 8) { bits -= 8; out[at++] = (held >>> bits) & 255; }
      held &= (1 << bits) - 1;
    }
  }
  if (bits > 0) out[at++] = ((held << (8 - bits)) | ((1 << (8 - bits)) - 1)) & 255;
  return at;
}
