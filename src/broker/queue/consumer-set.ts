// Owns the consumers of one queue and whose turn it is. Never delivers: the queue does.

import { assert } from '../../util/assert.ts';
import type { Consumer } from './consumer.ts';

/** The consumers of one queue, served in turns. */
export class ConsumerSet {
  /** In order of registration. */
  readonly list: Consumer[] = [];
  private next = 0;

  add(consumer: Consumer): void {
    this.list.push(consumer);
  }

  /** Takes a consumer off, which must be there. */
  remove(consumer: Consumer): void {
    const index = this.list.indexOf(consumer);
    assert(index >= 0, 'a consumer leaves the queue that it consumes from');
    this.list.splice(index, 1);
    if (this.next > index) this.next -= 1;
  }

  /** Takes all consumers off and returns them: their queue is gone. */
  clear(): Consumer[] {
    this.next = 0;
    return this.list.splice(0);
  }

  /** The consumer that has the queue to itself, if any. */
  get exclusive(): Consumer | null {
    const only = this.list[0];
    return only?.exclusive ? only : null;
  }

  /** The consumer whose turn it is among those that can take a message; null: none can. */
  pick(): Consumer | null {
    const { list } = this;
    const count = list.length;
    let index = this.next;
    for (let tried = 0; tried < count; tried++) {
      if (index >= count) index = 0;
      const consumer = list[index] as Consumer;
      if (consumer.ready) {
        this.next = index + 1;
        return consumer;
      }
      index += 1;
    }
    return null;
  }
}
