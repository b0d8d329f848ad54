// Owns the CC and BCC headers, RabbitMQ's sender-selected distribution: the further routing keys that
// they name. Never routes, and never takes BCC out of a message: server/channel/publisher.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import { describeFieldType } from '../../amqp/field-equality.ts';
import { type Field, type FieldTable, fieldEnd } from '../../amqp/field-table.ts';
import { BIT_HEADERS, hasProperty, propertyStart } from '../../amqp/property-walk.ts';

const NAMES = ['CC', 'BCC'] as const;
const LETTER_B = 0x42;
const LETTER_C = 0x43;

type TextField = Extract<Field, { readonly type: 'S' }>;

/** Whether the headers of a message name CC or BCC, by a look at the bytes of their keys. */
export function namesCopies(bytes: Buffer, flagsAt: number): boolean {
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return false;
  const table = propertyStart(bytes, flagsAt, BIT_HEADERS);
  const end = table + 4 + bytes.readUInt32BE(table);
  for (let at = table + 4; at < end; ) {
    const length = bytes[at] as number;
    const keyEnd = at + 1 + length;
    if (length === 2 || length === 3) {
      const twoCs = bytes[keyEnd - 1] === LETTER_C && bytes[keyEnd - 2] === LETTER_C;
      if (twoCs && (length === 2 || bytes[at + 1] === LETTER_B)) return true;
    }
    at = fieldEnd(bytes, keyEnd);
  }
  return false;
}

/** Throws PRECONDITION_FAILED when CC or BCC is no array. */
export function checkCopies(headers: FieldTable): void {
  for (const name of NAMES) {
    const field = headers.get(name);
    if (field === undefined || field.type === 'A') continue;
    const wrong = `{unacceptable_type_in_header,"${name}",${describeFieldType(field)}}`;
    throw new AmqpError('PRECONDITION_FAILED', `invalid message: ${wrong}`);
  }
}

/** The keys of CC, then those of BCC. What is no array of strings counts for nothing. */
export function copyKeys(headers: FieldTable): string[] {
  return copyKeyFields(headers).map(({ value }) => value.toString());
}

/** The same as they were sent: a key may be no valid UTF-8. */
export function copyKeyFields(headers: FieldTable): TextField[] {
  const keys: TextField[] = [];
  for (const name of NAMES) {
    const field = headers.get(name);
    if (field?.type !== 'A') continue;
    for (const key of field.value) if (key.type === 'S') keys.push(key);
  }
  return keys;
}
