// Owns damaging and mending records on the disk of a small broker, so that looking at them fails. Never
// asserts.

import type { Field } from '../../../src/amqp/field-table.ts';
import { TABLE_SEGMENTS } from '../../../src/store/tables.ts';
import type { SmallBroker } from '../small-broker.ts';

export const text = (value: string): Field => ({ type: 'S', value });
export const long = (value: number): Field => ({ type: 'l', value });

/** A body so large that its record has a segment of its own. */
function bodyOf(letter: string): Buffer<ArrayBuffer> {
  return Buffer.alloc(20_000, letter);
}

/** Publishes persistent messages, each in a segment of its own, one for each letter. */
export function publishEach(small: SmallBroker, queue: string, letters: string): void {
  for (const letter of letters) {
    const properties = { deliveryMode: 2 };
    small.publish({ routingKey: queue, properties }, bodyOf(letter));
  }
  small.commit();
}

/** Changes a byte of the stored record whose body consists of that letter; doing so again mends it. */
export function damage(small: SmallBroker, letter: string): void {
  const table = small.disk.table(TABLE_SEGMENTS);
  for (const key of small.disk.keys(TABLE_SEGMENTS)) {
    const value = Buffer.from(table.get(key) as Buffer);
    const middle = value.length >> 1;
    if (value[middle] !== letter.charCodeAt(0)) continue;
    value[middle + 1] = (value[middle + 1] as number) ^ 0xff;
    table.put(key, value);
  }
}

/** The broker after a clean stop, whose memory holds no message: each is read from the disk. */
export function restartedWithout(small: SmallBroker, ...letters: string[]): SmallBroker {
  small.run();
  for (const letter of letters) damage(small, letter);
  return small.restarted();
}

/** The first letters of the bodies in a queue, in order. */
export function lettersIn(small: SmallBroker, name: string): string {
  let letters = '';
  const queue = small.queue(name);
  const taken: number[] = [];
  for (let entry = queue.take(); entry !== null || queue.waitsForMark; entry = queue.take()) {
    if (entry === null) {
      small.commit();
      continue;
    }
    taken.push(entry.seq);
    letters += small.bodyAt(entry.position)[0];
  }
  for (const seq of taken) queue.requeue(seq);
  return letters;
}

/** What is set aside, as texts. */
export function setAsideIn(small: SmallBroker): string[] {
  return [...small.broker.core.setAside.list()].map(
    ({ queue, doing, error }) => `${queue} ${doing} ${error.split(':')[0]}`,
  );
}
