// Owns which class the queues of each type are of. Never says what a type means.

import type { QueueDeclaration } from '../ports.ts';
import { Queue } from '../queue.ts';
import { type QueueTypeName, queueTypeOf } from './registry.ts';

const CLASSES: Readonly<Record<QueueTypeName, typeof Queue>> = { classic: Queue, quorum: Queue };

/** Makes a queue of the type that its arguments name, which were checked before. */
export function createQueue(
  id: number,
  declaration: QueueDeclaration,
  ...surroundings: QueueSurroundings
): Queue {
  const QueueClass = CLASSES[queueTypeOf(declaration.arguments).name];
  return new QueueClass(id, declaration, ...surroundings);
}

/** What the constructor takes of the broker and the vhost around a queue. */
type QueueSurroundings =
  ConstructorParameters<typeof Queue> extends [number, QueueDeclaration, ...infer Rest]
    ? Rest
    : never;
