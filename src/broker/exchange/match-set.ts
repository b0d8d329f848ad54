// Owns the collection of the destinations that one message goes to, without allocation.
// Never routes: it is what a router is given to write its answer into.

import type { Visitable } from '../../util/visit-mark.ts';
import type { Matches } from './exchange-router.ts';

/** Counts what all lists collected, so that a mark left by one means nothing to another. */
let collections = 0;

/**
 * The destinations of one message, each once. A Set would do as well, but emptying and filling one
 * allocates and costs as much as the routing itself; here a destination is marked instead.
 *
 * Two lists must not collect by turns: empty one, fill it, read it, and only then take up another.
 */
export class MatchSet<D extends Visitable> implements Matches<D> {
  /** Read by index, up to `length`; in the order of finding. */
  readonly items: D[] = [];
  private mark = ++collections;

  get length(): number {
    return this.items.length;
  }

  add(destination: D): void {
    if (destination.visitMark === this.mark) return;
    destination.visitMark = this.mark;
    this.items.push(destination);
  }

  has(destination: D): boolean {
    return destination.visitMark === this.mark;
  }

  /** Makes ready for the next message. */
  clear(): void {
    // Popping keeps the array's memory, which setting its length to 0 would give away.
    while (this.items.length > 0) this.items.pop();
    this.mark = ++collections;
  }
}
