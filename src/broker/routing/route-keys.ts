// Owns what the exchanges of a route that look for duplicates found of a message: which of them it is new to, and which
// dropped it. Never looks for one.

import type { Exchange } from '../exchange/exchange.ts';
import type { NewKey } from '../exchange/exchange-duplicates.ts';
import type { RoutedMessage } from '../exchange/exchange-router.ts';

/** The keys of one message on its route. */
export class RouteKeys {
  /** The keys of the message where it is new. */
  readonly fresh: NewKey[] = [];
  /** Exchanges that knew its key, so that it did not pass them. */
  readonly dropping: Exchange[] = [];
  /** What was routed by, to do so again. */
  readonly routingKey: string;
  readonly moreKeys: readonly string[];

  constructor(routingKey: string, moreKeys: readonly string[]) {
    this.routingKey = routingKey;
    this.moreKeys = moreKeys;
  }

  /**
   * Whether an exchange knows by now what was new to it, or knows no more what it dropped the message for: then it has to
   * be routed anew. `message`: that of the route.
   */
  isStale(message: RoutedMessage): boolean {
    if (this.fresh.some((key) => key.duplicates.knows(key))) return true;
    return this.dropping.some(({ duplicates }) => duplicates?.look(message) !== 'duplicate');
  }

  /** Whether some exchange dropped it: then it is not unroutable. */
  get dropped(): boolean {
    return this.dropping.length > 0;
  }

  /** Counts that it was dropped. */
  count(): void {
    for (const exchange of this.dropping) exchange.duplicatesIn += 1;
  }

  /** The message is taken: from now on its key is known. `stored`: the batch being gathered has it. */
  take(stored: boolean): void {
    for (const key of this.fresh) key.duplicates.add(key, stored);
  }

  /** The same of a message that goes to very many queues, before it is in all of them: see `undo`. */
  takeAhead(stored: boolean): void {
    this.count();
    this.take(stored);
  }

  /** The message was not taken after all. */
  undo(): void {
    for (const key of this.fresh) key.duplicates.forget(key);
  }
}
