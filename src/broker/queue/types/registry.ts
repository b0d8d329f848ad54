// Owns the table of queue types. Never says what a type means: a new one is a file of its own and a row here;
// create-queue.ts has the class of its queues.

import type { FieldTable } from '../../../amqp/field-table.ts';
import { CLASSIC } from './classic.ts';
import type { QueueType } from './queue-type.ts';
import { QUORUM } from './quorum.ts';
import { STREAM } from './stream.ts';

/** The argument that names the type of a queue. */
export const QUEUE_TYPE = 'x-queue-type';

/** Every type of queues. */
export const TYPES = [CLASSIC, QUORUM, STREAM] as const;

export type QueueTypeName = (typeof TYPES)[number]['name'];

/** A row of the table. */
type NamedType = QueueType & { readonly name: QueueTypeName };

/** Every type that a queue can be declared with, by its name. */
export const QUEUE_TYPES: ReadonlyMap<string, NamedType> = new Map<string, NamedType>(
  TYPES.map((type) => [type.name, type]),
);

/** The type of a queue whose declaration names none. */
export const DEFAULT_TYPE: NamedType = CLASSIC;

/** The type of a queue with these arguments, which were checked before. */
export function queueTypeOf(args: FieldTable): NamedType {
  const name = args.get(QUEUE_TYPE)?.value;
  return (typeof name === 'string' && QUEUE_TYPES.get(name)) || DEFAULT_TYPE;
}
