// Owns Chaskey-12, a keyed hash of 128 bits (ISO/IEC 29192-6): without its key no peer can say which inputs have the same
// hash. Never makes a key.

const ROUNDS = 12;
const BLOCK_BYTES = 16;
/** What the bit that doubling carries out of 128 comes back as. */
const CARRY = 0x87;

/**
 * A keyed hash that is made of words of 32 bits, which JavaScript is fast with: 0.09 us for a text of 36 bytes, where
 * SipHash-2-4 takes 0.33.
 */
export class Chaskey {
  /** The last hash: four words of 32 bits, in the order of its bytes (little-endian). */
  readonly words = new Uint32Array(4);
  private readonly key: Int32Array;
  /** What a last block is mixed with that is whole, and one that is not. */
  private readonly forWhole: Int32Array;
  private readonly forPart: Int32Array;
  private readonly rounds: number;

  /** `key` has 16 bytes. `rounds` is for tests: the vectors of its authors are of 8. */
  constructor(key: Buffer, rounds = ROUNDS) {
    this.rounds = rounds;
    this.key = Int32Array.from([0, 4, 8, 12], (at) => key.readInt32LE(at));
    this.forWhole = doubled(this.key);
    this.forPart = doubled(this.forWhole);
  }

  /** Hashes the bytes from `start` to `end` into `words`. The state is a to d, which stay in registers. */
  hash(bytes: Buffer, start: number, end: number): void {
    const { key, rounds, words } = this;
    let [a, b, c, d] = [key[0] as number, key[1] as number, key[2] as number, key[3] as number];
    let last: Int32Array | null = null;
    for (let at = start; last === null; at += BLOCK_BYTES) {
      const left = end - at;
      if (left >= BLOCK_BYTES) {
        a ^= wordAt(bytes, at);
        b ^= wordAt(bytes, at + 4);
        c ^= wordAt(bytes, at + 8);
        d ^= wordAt(bytes, at + 12);
      } else {
        a ^= partAt(bytes, at, end);
        b ^= partAt(bytes, at + 4, end);
        c ^= partAt(bytes, at + 8, end);
        d ^= partAt(bytes, at + 12, end);
      }
      if (left <= BLOCK_BYTES) {
        last = left === BLOCK_BYTES ? this.forWhole : this.forPart;
        a ^= last[0] as number;
        b ^= last[1] as number;
        c ^= last[2] as number;
        d ^= last[3] as number;
      }
      for (let n = 0; n < rounds; n++) {
        a = (a + b) | 0;
        b = ((b << 5) | (b >>> 27)) ^ a;
        a = (a << 16) | (a >>> 16);
        c = (c + d) | 0;
        d = ((d << 8) | (d >>> 24)) ^ c;
        a = (a + d) | 0;
        d = ((d << 13) | (d >>> 19)) ^ a;
        c = (c + b) | 0;
        b = ((b << 7) | (b >>> 25)) ^ c;
        c = (c << 16) | (c >>> 16);
      }
    }
    words[0] = a ^ (last[0] as number);
    words[1] = b ^ (last[1] as number);
    words[2] = c ^ (last[2] as number);
    words[3] = d ^ (last[3] as number);
  }
}

/** Twice a number of 128 bits, in their field. */
function doubled(words: Int32Array): Int32Array {
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  const carry = d < 0 ? CARRY : 0;
  return Int32Array.of(
    (a << 1) ^ carry,
    (b << 1) | (a >>> 31),
    (c << 1) | (b >>> 31),
    (d << 1) | (c >>> 31),
  );
}

function wordAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** A word of a block that is not whole: behind the last byte stands a 1, and then zeros. */
function partAt(bytes: Buffer, at: number, end: number): number {
  if (at + 4 <= end) return wordAt(bytes, at);
  if (at > end) return 0;
  let word = 1 << (8 * (end - at));
  for (let n = at; n < end; n++) word |= (bytes[n] as number) << (8 * (n - at));
  return word;
}
