// Owns routing to all destinations (§3.1.3.2): the type `fanout`.
// Never looks at the routing key, the binding key or the message.

import type { Binding } from '../binding.ts';
import { DestinationList } from '../destination-list.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';

/** A message goes to every destination that is bound. */
export class FanoutRouter<D> implements ExchangeRouter<D> {
  private readonly bound = new DestinationList<D>([]);

  add(binding: Binding<D>): void {
    this.bound.add(binding.destination);
  }

  remove(binding: Binding<D>): void {
    this.bound.remove(binding.destination);
  }

  route(_routingKey: string, _message: RoutedMessage, matches: Matches<D>): boolean {
    return this.bound.collect(matches);
  }

  /** How many destinations are bound. */
  get size(): number {
    return this.bound.items.length;
  }
}
