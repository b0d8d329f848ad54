// Owns a dense list of destinations, each counted by the bindings that lead to it.
// Never looks at keys or arguments: the routers do, and keep one such list for each place.

import { assert } from '../../util/assert.ts';
import type { Matches } from './exchange-router.ts';

/** From this many destinations on, a list keeps an index instead of looking through itself. */
const INDEXED_FROM = 16;

/**
 * A destination bound twice in the same place (same key, other arguments) stands in `items` once and
 * leaves with its last binding. Read `items` by index; its order means nothing and changes.
 */
export class DestinationList<D> {
  readonly items: D[];
  /** How many bindings beyond one lead to a destination; null while no destination has two. */
  private extra: Map<D, number> | null = null;
  /** Destination to its place in `items`; null while the list is short. */
  private index: Map<D, number> | null = null;

  /** Takes over an array: one made as `[destination]` is much smaller than one that is pushed to. */
  constructor(items: D[]) {
    this.items = items;
  }

  get empty(): boolean {
    return this.items.length === 0;
  }

  add(destination: D): void {
    if (this.find(destination) >= 0) {
      this.extra ??= new Map();
      this.extra.set(destination, (this.extra.get(destination) ?? 0) + 1);
      return;
    }
    this.items.push(destination);
    if (this.index !== null) this.index.set(destination, this.items.length - 1);
    else if (this.items.length >= INDEXED_FROM) this.buildIndex();
  }

  remove(destination: D): void {
    const at = this.find(destination);
    assert(at >= 0, 'a destination is removed as often as it was added');
    if (this.removeExtra(destination)) return;
    // The last one takes the place that falls free.
    const last = this.items.pop() as D;
    if (this.index !== null) this.index.delete(destination);
    if (at === this.items.length) return;
    this.items[at] = last;
    if (this.index !== null) this.index.set(last, at);
  }

  /** Adds all destinations to `matches`; returns whether there are any. */
  collect(matches: Matches<D>): boolean {
    const items = this.items;
    for (let i = 0; i < items.length; i++) matches.add(items[i] as D);
    return items.length > 0;
  }

  private removeExtra(destination: D): boolean {
    const count = this.extra?.get(destination) ?? 0;
    if (count > 1) this.extra?.set(destination, count - 1);
    else this.extra?.delete(destination);
    return count > 0;
  }

  private find(destination: D): number {
    if (this.index === null) return this.items.indexOf(destination);
    return this.index.get(destination) ?? -1;
  }

  private buildIndex(): void {
    const index = new Map<D, number>();
    for (let i = 0; i < this.items.length; i++) index.set(this.items[i] as D, i);
    this.index = index;
  }
}
