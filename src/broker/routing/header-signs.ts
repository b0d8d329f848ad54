// Owns a first look at the headers of a publish: which of the names are there that ask the broker for something, and where
// those stand that say when it is due. Never reads what they say.

import { fieldEnd } from '../../amqp/field-table.ts';
import { BIT_HEADERS, hasProperty, propertyStart } from '../../amqp/property-walk.ts';
import { u32At } from '../../util/bytes.ts';
import { PUSH_STREAM_HEADERS } from '../queue/push-flags.ts';
import {
  EXPECTED_ID_HEADER,
  FILTER_VALUE_HEADER,
  PUBLISHER_HEADER,
  PUBLISHING_ID_HEADER,
} from '../queue/stream/stream-headers.ts';

/** A delivery tag, or an array of them: the publish acks these deliveries of its channel. */
export const ACK_TAGS_HEADER = 'x-ack-delivery-tag';

/** CC or BCC: the message goes to further routing keys. */
export const SIGN_COPIES = 1;
/** `x-delay`: it waits for so long before it is ready. */
export const SIGN_DELAY = 2;
/** `x-ack-delivery-tag`: it acks deliveries of its channel. */
export const SIGN_ACKS = 4;
/** `x-consumer-timeout`: to one exchange, it is about a delivery. */
export const SIGN_TIMEOUT = 8;
/** `x-deliver-at`: it waits until then. */
const SIGN_DELIVER_AT = 16;
/** Either of these two. */
export const SIGN_DUE = SIGN_DELAY | SIGN_DELIVER_AT;
/** Something that streams go by. The same bit as the flag that tells them, which costs no further look. */
export const SIGN_STREAM = PUSH_STREAM_HEADERS;

/** Where the values of two headers stand, the type octet of the first of a name; -1: there is none. */
export class DuePlaces {
  delay = -1;
  deliverAt = -1;
}

/** What a name asks for. */
interface Sign {
  readonly name: Buffer;
  readonly sign: number;
}

/** By their lengths: most keys need no further look. */
const NAMES = new Array<Sign[] | null>(256).fill(null);

for (const [name, sign] of [
  ['CC', SIGN_COPIES],
  ['BCC', SIGN_COPIES],
  ['x-delay', SIGN_DELAY],
  ['x-deliver-at', SIGN_DELIVER_AT],
  [ACK_TAGS_HEADER, SIGN_ACKS],
  ['x-consumer-timeout', SIGN_TIMEOUT],
  [FILTER_VALUE_HEADER, SIGN_STREAM],
  [PUBLISHER_HEADER, SIGN_STREAM],
  [PUBLISHING_ID_HEADER, SIGN_STREAM],
  [EXPECTED_ID_HEADER, SIGN_STREAM],
] as const) {
  const bytes = Buffer.from(name);
  NAMES[bytes.length] = [...(NAMES[bytes.length] ?? []), { name: bytes, sign }];
}

/** The SIGN_ bits of a message whose properties begin at `flagsAt`, and were checked; `places` is filled in. */
export function headerSigns(bytes: Buffer, flagsAt: number, places: DuePlaces): number {
  places.delay = -1;
  places.deliverAt = -1;
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return 0;
  const table = propertyStart(bytes, flagsAt, BIT_HEADERS);
  const end = table + 4 + u32At(bytes, table);
  let signs = 0;
  for (let at = table + 4; at < end; ) {
    const length = bytes[at] as number;
    const keyEnd = at + 1 + length;
    const alike = NAMES[length] as Sign[] | null;
    if (alike !== null) {
      const sign = signOf(bytes, at + 1, alike);
      if (sign === SIGN_DELAY && places.delay < 0) places.delay = keyEnd;
      else if (sign === SIGN_DELIVER_AT && places.deliverAt < 0) places.deliverAt = keyEnd;
      signs |= sign;
    }
    at = fieldEnd(bytes, keyEnd);
  }
  return signs;
}

function signOf(bytes: Buffer, start: number, alike: readonly Sign[]): number {
  for (let n = 0; n < alike.length; n++) {
    const { name, sign } = alike[n] as Sign;
    let same = 0;
    while (same < name.length && bytes[start + same] === name[same]) same += 1;
    if (same === name.length) return sign;
  }
  return 0;
}
