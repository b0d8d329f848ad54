// Owns routing at random: the type `x-random`, from RabbitMQ's plugin.
// Never looks at keys or the message.

import { assert } from '../../../util/assert.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';

/** A message goes over one binding, each as likely as the next. */
export class RandomRouter<D> implements ExchangeRouter<D> {
  private readonly bindings: Binding<D>[] = [];
  /** The place of each binding: one deletion takes thousands away. */
  private readonly places = new Map<Binding<D>, number>();
  private readonly random: () => number;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number) {
    this.random = random;
  }

  add(binding: Binding<D>): void {
    this.places.set(binding, this.bindings.length);
    this.bindings.push(binding);
  }

  remove(binding: Binding<D>): void {
    const at = this.places.get(binding);
    assert(at !== undefined, 'a binding to remove was added before');
    this.places.delete(binding);
    const last = this.bindings.pop() as Binding<D>;
    if (last === binding) return;
    this.bindings[at] = last;
    this.places.set(last, at);
  }

  route(_routingKey: string, _message: RoutedMessage, matches: Matches<D>): boolean {
    const { bindings } = this;
    if (bindings.length === 0) return false;
    const binding = bindings[Math.floor(this.random() * bindings.length)] as Binding<D>;
    matches.add(binding.destination);
    return true;
  }

  /** How many bindings are held. */
  get size(): number {
    return this.bindings.length;
  }
}
