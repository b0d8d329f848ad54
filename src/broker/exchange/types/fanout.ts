// Owns routing to all destinations (§3.1.3.2): the type `fanout`.
// Never looks at the routing key, the binding key or the message.

import type { Binding } from '../binding.ts';
import { DestinationList } from '../destinations.ts';
import type { Found, RoutedMessage, Router } from '../exchange-router.ts';

/** A message goes to every destination that is bound. */
export class FanoutRouter<D> implements Router<D> {
  private readonly bound = new DestinationList<D>([]);

  add(binding: Binding<D>): void {
    this.bound.add(binding.destination);
  }

  remove(binding: Binding<D>): void {
    this.bound.remove(binding.destination);
  }

  route(_routingKey: string, _message: RoutedMessage, found: Found<D>): boolean {
    return this.bound.collect(found);
  }

  /** How many destinations are bound. */
  get size(): number {
    return this.bound.items.length;
  }
}
