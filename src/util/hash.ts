// Owns a hash that spreads well and costs little. Never keeps a secret: a peer that can choose the inputs
// can make two of them have the same hash.

/** Spreads the bits of a 32-bit number over all of its bits (the end of MurmurHash3). */
export function mix(bits: number): number {
  let x = bits;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A hash of a text, of 32 bits: FNV-1a over its UTF-16 units, then mixed. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}
