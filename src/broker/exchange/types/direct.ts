// Owns routing by equal keys (§3.1.3.1): the default exchange and the type `direct`.
// Never reads the message: a direct exchange looks at the routing key alone.

import { assert } from '../../../util/assert.ts';
import type { Binding } from '../binding.ts';
import { DestinationList } from '../destination-list.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';

/** A message goes to every destination whose binding key equals the routing key. */
export class DirectRouter<D> implements ExchangeRouter<D> {
  private readonly byKey = new Map<string, DestinationList<D>>();

  add(binding: Binding<D>): void {
    const list = this.byKey.get(binding.bindingKey);
    if (list !== undefined) list.add(binding.destination);
    else this.byKey.set(binding.bindingKey, new DestinationList([binding.destination]));
  }

  remove(binding: Binding<D>): void {
    const list = this.byKey.get(binding.bindingKey);
    assert(list !== undefined, 'a binding to remove was added before');
    list.remove(binding.destination);
    if (list.empty) this.byKey.delete(binding.bindingKey);
  }

  route(routingKey: string, _message: RoutedMessage, matches: Matches<D>): boolean {
    const list = this.byKey.get(routingKey);
    return list?.collect(matches) ?? false;
  }

  /** How many keys are held; zero when all bindings are gone. */
  get size(): number {
    return this.byKey.size;
  }
}
