// Owns which queues are exclusive to which connection. Never deletes one: the vhost does.

/** What may be exclusive to a connection. */
interface Owned {
  /** The connection, or null. */
  readonly owner: object | null;
}

/** For each connection that has any, its exclusive queues. */
export class OwnedQueues<Q extends Owned> {
  private readonly byOwner = new Map<object, Set<Q>>();

  add(queue: Q): void {
    if (queue.owner === null) return;
    const owned = this.byOwner.get(queue.owner);
    if (owned === undefined) this.byOwner.set(queue.owner, new Set([queue]));
    else owned.add(queue);
  }

  remove(queue: Q): void {
    if (queue.owner !== null) this.byOwner.get(queue.owner)?.delete(queue);
  }

  /** The queues of an owner that ends: from now on it has none. */
  take(owner: object): Iterable<Q> {
    const owned = this.byOwner.get(owner) ?? [];
    this.byOwner.delete(owner);
    return owned;
  }

  clear(): void {
    this.byOwner.clear();
  }
}
