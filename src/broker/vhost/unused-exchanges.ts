// Owns that auto-delete exchanges go with the last binding that has them as its source, however many follow from
// one. Never takes one away itself: how is given.

import type { Exchange } from '../exchange/exchange.ts';

/** The auto-delete exchanges of one vhost that are about to go. */
export class UnusedExchanges {
  private readonly remove: (exchange: Exchange) => void;
  /** Those that go, in order; null: none does. */
  private going: Exchange[] | null = null;

  constructor(remove: (exchange: Exchange) => void) {
    this.remove = remove;
  }

  /**
   * Told that an exchange has lost a binding: it goes if it was the last. Others that lose theirs with that go
   * after it, never within it: a chain of them takes no more stack than one.
   */
  look(exchange: Exchange): void {
    if (!exchange.autoDelete || exchange.deleted || exchange.bindings.size > 0) return;
    if (this.going !== null) {
      this.going.push(exchange);
      return;
    }
    const going = [exchange];
    this.going = going;
    for (const each of going) if (!each.deleted) this.remove(each);
    this.going = null;
  }
}
