// RC2 in CBC mode, decryption only (RFC 2268): certificates in older PKCS #12 files are under its 40-bit keys. It protects nothing; files that need it are still about,
// and the OpenSSL of Node has it no more.

const PI = Buffer.from('d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb6266fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7'
  + '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b255597312d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad', 'hex');

/** 64 words of an expanded key of `bits` effective bits (section 2). */
function expand(key: Uint8Array, bits: number): Uint16Array {
  const L = Buffer.alloc(128), bytes = (bits + 7) >> 3, mask = 0xff >> (8 * bytes - bits);
  L.set(key);
  for (let i = key.length; i < 128; i++) L[i] = PI[(L[i - 1]! + L[i - key.length]!) & 255]!;
  L[128 - bytes] = PI[L[128 - bytes]! & mask]!;
  for (let i = 127 - bytes; i >= 0; i--) L[i] = PI[L[i + 1]! ^ L[i + bytes]!]!;
  return Uint16Array.from({ length: 64 }, (_x, i) => L.readUInt16LE(2 * i));
}

const ROTATE = [1, 2, 3, 5] as const;
/** One block of four words in place (section 4). */
function decryptBlock(r: Uint16Array, k: Uint16Array): void {
  let j = 63;
  for (let round = 15; round >= 0; round--) {
    for (let i = 3; i >= 0; i--) {
      const s = ROTATE[i]!, x = (r[i]! >> s) | (r[i]! << (16 - s));
      r[i] = x - (k[j--]! + (r[(i + 3) & 3]! & r[(i + 2) & 3]!) + (~r[(i + 3) & 3]! & r[(i + 1) & 3]!));
    }
    if (round === 11 || round === 5) for (let i = 3; i >= 0; i--) r[i] = r[i]! - k[r[(i + 3) & 3]! & 63]!;
  }
}

/** Plaintext with its padding (PKCS #7) taken off; null where the padding is none. */
export function rc2CbcDecrypt(key: Uint8Array, bits: number, iv: Uint8Array, data: Uint8Array): Buffer | null {
  if (data.length === 0 || data.length % 8 !== 0) return null;
  const k = expand(key, bits), out = Buffer.from(data), r = new Uint16Array(4);
  let previous = iv;
  for (let at = 0; at < data.length; at += 8) {
    for (let i = 0; i < 4; i++) r[i] = data[at + 2 * i]! | (data[at + 2 * i + 1]! << 8);
    decryptBlock(r, k);
    for (let i = 0; i < 8; i++) out[at + i] = ((r[i >> 1]! >> (8 * (i & 1))) & 255) ^ previous[i]!;
    previous = data.subarray(at, at + 8);
  }
  const pad = out.at(-1)!;
  return pad < 1 || pad > 8 || out.subarray(-pad).some((x) => x !== pad) ? null : out.subarray(0, -pad);
}
