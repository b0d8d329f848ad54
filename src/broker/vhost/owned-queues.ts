// Owns which queues are exclusive to which connection. Never deletes one: the vhost does.

import type { Queue } from '../queue/queue.ts';

/** For each connection that has any, its exclusive queues. */
export class OwnedQueues {
  private readonly byOwner = new Map<object, Set<Queue>>();

  add(queue: Queue): void {
    if (queue.owner === null) return;
    const owned = this.byOwner.get(queue.owner);
    if (owned === undefined) this.byOwner.set(queue.owner, new Set([queue]));
    else owned.add(queue);
  }

  remove(queue: Queue): void {
    if (queue.owner !== null) this.byOwner.get(queue.owner)?.delete(queue);
  }

  /** The queues of an owner that ends: from now on it has none. */
  take(owner: object): Iterable<Queue> {
    const owned = this.byOwner.get(owner) ?? [];
    this.byOwner.delete(owner);
    return owned;
  }

  clear(): void {
    this.byOwner.clear();
  }
}
