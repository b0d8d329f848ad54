// Owns SipHash-2-4 with 128 bits of output: without its key no peer can say which inputs have the same hash. Never makes
// a key.

const BLOCK_ROUNDS = 2;
const END_ROUNDS = 4;

/**
 * A keyed hash. JavaScript has no fast integers of 64 bits, so each word of the state is two of 32: about 0.2 us for a
 * text of 36 bytes.
 */
export class SipHash {
  /** The last hash: four words of 32 bits, in the order of its bytes (little-endian). */
  readonly words = new Uint32Array(4);
  private readonly k0: number;
  private readonly k1: number;
  private readonly k2: number;
  private readonly k3: number;

  /** `key` has 16 bytes. */
  constructor(key: Buffer) {
    this.k0 = key.readInt32LE(0);
    this.k1 = key.readInt32LE(4);
    this.k2 = key.readInt32LE(8);
    this.k3 = key.readInt32LE(12);
  }

  /**
   * Hashes the bytes from `start` to `end` into `words`. The state is v0 to v3, the lower half of each first: a and A to
   * d and D. It stays in registers, which is why all is in one function: blocks of 8 bytes, the last one with what is
   * left and the length, and the two ends, each of which gives a half of the hash.
   */
  hash(bytes: Buffer, start: number, end: number): void {
    const { k0, k1, k2, k3, words } = this;
    let a = k0 ^ 0x70736575;
    let A = k1 ^ 0x736f6d65;
    let b = k2 ^ 0x6e646f6d ^ 0xee;
    let B = k3 ^ 0x646f7261;
    let c = k0 ^ 0x6e657261;
    let C = k1 ^ 0x6c796765;
    let d = k2 ^ 0x79746573;
    let D = k3 ^ 0x74656462;
    let [low, high, t] = [0, 0, 0];
    const length = end - start;
    const lastBlock = length >>> 3;
    for (let step = 0, at = start; step <= lastBlock + 2; step++) {
      let rounds = BLOCK_ROUNDS;
      if (step < lastBlock) {
        low = wordAt(bytes, at);
        high = wordAt(bytes, at + 4);
        at += 8;
      } else if (step === lastBlock) {
        low = partAt(bytes, at, Math.min(at + 4, end));
        high = partAt(bytes, at + 4, end) | (length << 24);
      } else {
        low = 0;
        high = 0;
        rounds = END_ROUNDS;
        if (step === lastBlock + 1) c ^= 0xee;
        else b ^= 0xdd;
      }
      d ^= low;
      D ^= high;
      // A sum of two words carries where its lower half, as an unsigned number, is less than a summand.
      for (let n = 0; n < rounds; n++) {
        a = (a + b) | 0;
        A = (A + B + (a >>> 0 < b >>> 0 ? 1 : 0)) | 0;
        t = (b << 13) | (B >>> 19);
        B = ((B << 13) | (b >>> 19)) ^ A;
        b = t ^ a;
        t = a;
        a = A;
        A = t;
        c = (c + d) | 0;
        C = (C + D + (c >>> 0 < d >>> 0 ? 1 : 0)) | 0;
        t = (d << 16) | (D >>> 16);
        D = ((D << 16) | (d >>> 16)) ^ C;
        d = t ^ c;
        a = (a + d) | 0;
        A = (A + D + (a >>> 0 < d >>> 0 ? 1 : 0)) | 0;
        t = (d << 21) | (D >>> 11);
        D = ((D << 21) | (d >>> 11)) ^ A;
        d = t ^ a;
        c = (c + b) | 0;
        C = (C + B + (c >>> 0 < b >>> 0 ? 1 : 0)) | 0;
        t = (b << 17) | (B >>> 15);
        B = ((B << 17) | (b >>> 15)) ^ C;
        b = t ^ c;
        t = c;
        c = C;
        C = t;
      }
      a ^= low;
      A ^= high;
      if (step === lastBlock + 1) {
        words[0] = a ^ b ^ c ^ d;
        words[1] = A ^ B ^ C ^ D;
      }
    }
    words[2] = a ^ b ^ c ^ d;
    words[3] = A ^ B ^ C ^ D;
  }
}

function wordAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** A word of which the bytes end sooner; the others are 0. */
function partAt(bytes: Buffer, start: number, end: number): number {
  let word = 0;
  for (let at = start; at < end; at++) word |= (bytes[at] as number) << (8 * (at - start));
  return word;
}
