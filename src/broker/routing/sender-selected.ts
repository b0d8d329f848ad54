// Owns the CC and BCC headers, RabbitMQ's sender-selected distribution: the further routing keys that
// they name. Never routes, and never takes BCC out of a message: server/channel/publish/publisher.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import { describeFieldType } from '../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../amqp/field-table.ts';

const NAMES = ['CC', 'BCC'] as const;

type TextField = Extract<Field, { readonly type: 'S' }>;

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
