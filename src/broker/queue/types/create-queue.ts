// Owns which class the queues of each type are of. Never says what a type means.

import type { QueueDeclaration } from '../ports.ts';
import { Queue } from '../queue.ts';
import { Stream } from '../stream/stream.ts';
import { type QueueTypeName, queueTypeOf } from './registry.ts';

/** A queue of any type, as a vhost has it. `isStream` tells which class it is of. */
export type AnyQueue = Queue | Stream;

const CLASSES: Readonly<Record<QueueTypeName, typeof Queue | typeof Stream>> = {
  classic: Queue,
  quorum: Queue,
  stream: Stream,
};

/** Makes a queue of the type that its arguments name, which were checked before. */
export function createQueue(
  id: number,
  declaration: QueueDeclaration,
  ...surroundings: QueueSurroundings
): AnyQueue {
  const QueueClass = CLASSES[queueTypeOf(declaration.arguments).name];
  return new QueueClass(id, declaration, ...surroundings);
}

/** What the constructor takes of the broker and the vhost around a queue. */
type QueueSurroundings =
  ConstructorParameters<typeof Queue> extends [number, QueueDeclaration, ...infer Rest]
    ? Rest
    : never;
