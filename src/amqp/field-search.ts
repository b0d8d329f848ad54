// Owns finding one field of an encoded table without decoding the rest.
// Never checks the bytes: checkTable has passed them before.

import type { Field } from './field-table.ts';
import { fieldEnd, LENGTH_BYTES, readField } from './field-table.ts';

/**
 * The field of that name in the table whose length field is at `start`, or null. Of two with the
 * same name, the first.
 */
export function findField(buf: Buffer, start: number, name: Buffer): Field | null {
  const end = start + LENGTH_BYTES + buf.readUInt32BE(start);
  let at = start + LENGTH_BYTES;
  while (at < end) {
    const keyEnd = at + 1 + (buf[at] as number);
    if (isName(buf, at, name)) return readField(buf, keyEnd);
    at = fieldEnd(buf, keyEnd);
  }
  return null;
}

/** Whether the short string at `at` is `name`. */
function isName(buf: Buffer, at: number, name: Buffer): boolean {
  const { length } = name;
  if (buf[at] !== length) return false;
  for (let i = 0; i < length; i++) if (buf[at + 1 + i] !== name[i]) return false;
  return true;
}
