// The bodies of the power test's messages: each tells which message it is of, and whether it is whole.
import { crc32 } from 'node:zlib';

/** A body: its number, and bytes that follow from it, with their checksum in front. */
export function makeBody(number, random) {
  const body = Buffer.alloc(
    8 + random.below(random.below(20) === 0 ? 40_000 : 1_500),
    `${number} `,
  );
  body.writeUInt32BE(number, 4);
  body.writeUInt32BE(crc32(body.subarray(4)), 0);
  return body;
}

/** The number of a body, or null when it is not one that was made. */
export function numberOf(body) {
  if (body.length < 8 || body.readUInt32BE(0) !== crc32(body.subarray(4))) return null;
  return body.readUInt32BE(4);
}
