// Owns a first look at the headers of a publish: which of the names are there that ask the broker for something. Never
// reads what they say.

import { fieldEnd } from '../../amqp/field-table.ts';
import { BIT_HEADERS, hasProperty, propertyStart } from '../../amqp/property-walk.ts';

/** A delivery tag, or an array of them: the publish acks these deliveries of its channel. */
export const ACK_TAGS_HEADER = 'x-ack-delivery-tag';

/** CC or BCC: the message goes to further routing keys. */
export const SIGN_COPIES = 1;
/** `x-delay` or `x-deliver-at`: it waits before it is ready. */
export const SIGN_DELAY = 2;
/** `x-ack-delivery-tag`: it acks deliveries of its channel. */
export const SIGN_ACKS = 4;
/** `x-consumer-timeout`: to one exchange, it is about a delivery. */
export const SIGN_TIMEOUT = 8;

const NAMES = new Map<number, readonly (readonly [name: Buffer, sign: number])[]>();

for (const [name, sign] of [
  ['CC', SIGN_COPIES],
  ['BCC', SIGN_COPIES],
  ['x-delay', SIGN_DELAY],
  ['x-deliver-at', SIGN_DELAY],
  [ACK_TAGS_HEADER, SIGN_ACKS],
  ['x-consumer-timeout', SIGN_TIMEOUT],
] as const) {
  const bytes = Buffer.from(name);
  NAMES.set(bytes.length, [...(NAMES.get(bytes.length) ?? []), [bytes, sign]]);
}

/** By the length of a key, whether any name has it: most keys need no further look. */
const LENGTHS = new Uint8Array(256);
for (const length of NAMES.keys()) LENGTHS[length] = 1;

/** The SIGN_ bits of a message whose properties begin at `flagsAt`, and were checked. */
export function headerSigns(bytes: Buffer, flagsAt: number): number {
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return 0;
  const table = propertyStart(bytes, flagsAt, BIT_HEADERS);
  const end = table + 4 + bytes.readUInt32BE(table);
  let signs = 0;
  for (let at = table + 4; at < end; ) {
    const length = bytes[at] as number;
    const keyEnd = at + 1 + length;
    if (LENGTHS[length] === 1) signs |= signOf(bytes, at + 1, length);
    at = fieldEnd(bytes, keyEnd);
  }
  return signs;
}

function signOf(bytes: Buffer, start: number, length: number): number {
  for (const [name, sign] of NAMES.get(length) ?? []) {
    let same = 0;
    while (same < length && bytes[start + same] === name[same]) same += 1;
    if (same === length) return sign;
  }
  return 0;
}
