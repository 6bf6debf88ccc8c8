// XXH64 over byte strings, without BigInt: 64-bit words as pairs of 32. Ring hash and hash policies place keys with it exactly as Envoy does.

const P1H = 0x9e3779b1, P1L = 0x85ebca87, P2H = 0xc2b2ae3d, P2L = 0x27d4eb4f, P3H = 0x165667b1, P3L = 0x9e3779f9, P4H = 0x85ebca77, P4L = 0xc2b2ae63, P5H = 0x27d4eb2f, P5L = 0x165667c5;

/** High and low word of the last hash; valid until the next call on this thread. */
export const hashed = { high: 0, low: 0 };

let h = 0, l = 0; // the word being worked on
function add(bh: number, bl: number): void { const s = (l >>> 0) + (bl >>> 0); l = s >>> 0; h = (h + bh + (s > 0xffffffff ? 1 : 0)) >>> 0; }
function mul(bh: number, bl: number): void {
  const a0 = l & 0xffff, a1 = l >>> 16, b0 = bl & 0xffff, b1 = bl >>> 16;
  const p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
  const mid = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const lo = ((mid << 16) | (p00 & 0xffff)) >>> 0;
  const carry = p11 + Math.floor(p01 / 65536) + Math.floor(p10 / 65536) + (mid >>> 16);
  h = ((Math.imul(h, bl) + Math.imul(l, bh)) + carry) >>> 0;
  l = lo;
}
function rotl(n: number): void { if (n >= 32) { const t = h; h = l; l = t; n -= 32; } if (n === 0) return; const nh = ((h << n) | (l >>> (32 - n))) >>> 0; l = ((l << n) | (h >>> (32 - n))) >>> 0; h = nh; }
function xorShift(n: number): void { if (n >= 32) { l = (l ^ (h >>> (n - 32))) >>> 0; return; } const sl = ((l >>> n) | (h << (32 - n))) >>> 0; l = (l ^ sl) >>> 0; h = (h ^ (h >>> n)) >>> 0; }
function round(ah: number, al: number, ih: number, il: number): void { h = ih; l = il; mul(P2H, P2L); add(ah, al); rotl(31); mul(P1H, P1L); }

const word = (s: string, at: number): number => (s.charCodeAt(at) | (s.charCodeAt(at + 1) << 8) | (s.charCodeAt(at + 2) << 16) | (s.charCodeAt(at + 3) << 24)) >>> 0;

function merge(accH: number, accL: number, vh: number, vl: number): void {
  round(0, 0, vh, vl);
  h = (accH ^ h) >>> 0; l = (accL ^ l) >>> 0;
  mul(P1H, P1L); add(P4H, P4L);
}

/** Hashes a byte string with a 64-bit seed; the result lies in `hashed`. */
export function xxHash64(text: string, seedHigh = 0, seedLow = 0): void {
  const n = text.length;
  let at = 0;
  if (n >= 32) {
    const v: number[] = [];
    h = seedHigh; l = seedLow; add(P1H, P1L); add(P2H, P2L); v.push(h, l);
    h = seedHigh; l = seedLow; add(P2H, P2L); v.push(h, l);
    v.push(seedHigh, seedLow);
    h = seedHigh; l = seedLow; add(~P1H >>> 0, ~P1L >>> 0); add(0, 1); v.push(h, l);
    for (; at + 32 <= n; at += 32) for (let i = 0; i < 4; i++) { round(v[2 * i]!, v[2 * i + 1]!, word(text, at + 8 * i + 4), word(text, at + 8 * i)); v[2 * i] = h; v[2 * i + 1] = l; }
    let sh = 0, sl = 0;
    for (const [i, r] of [[0, 1], [1, 7], [2, 12], [3, 18]] as const) { h = v[2 * i]!; l = v[2 * i + 1]!; rotl(r); const th = h, tl = l; h = sh; l = sl; add(th, tl); sh = h; sl = l; }
    for (let i = 0; i < 4; i++) { merge(sh, sl, v[2 * i]!, v[2 * i + 1]!); sh = h; sl = l; }
    h = sh; l = sl;
  } else { h = seedHigh; l = seedLow; add(P5H, P5L); }
  add(0, n);
  for (; at + 8 <= n; at += 8) { const ah = h, al = l; round(0, 0, word(text, at + 4), word(text, at)); h = (h ^ ah) >>> 0; l = (l ^ al) >>> 0; rotl(27); mul(P1H, P1L); add(P4H, P4L); }
  if (at + 4 <= n) { const ah = h, al = l; h = 0; l = word(text, at); mul(P1H, P1L); h = (h ^ ah) >>> 0; l = (l ^ al) >>> 0; rotl(23); mul(P2H, P2L); add(P3H, P3L); at += 4; }
  for (; at < n; at++) { const ah = h, al = l; h = 0; l = text.charCodeAt(at) & 255; mul(P5H, P5L); h = (h ^ ah) >>> 0; l = (l ^ al) >>> 0; rotl(11); mul(P1H, P1L); }
  xorShift(33); mul(P2H, P2L); xorShift(29); mul(P3H, P3L); xorShift(32);
  hashed.high = h; hashed.low = l;
}
