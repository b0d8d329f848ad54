// Owns routing at random: the type `x-random`, from RabbitMQ's plugin.
// Never looks at keys or the message.

import { assert } from '../../util/assert.ts';
import type { Binding } from './binding.ts';
import type { Found, RoutedMessage, Router } from './router.ts';

/** A message goes over one binding, each as likely as the next. */
export class RandomRouter<D> implements Router<D> {
  private readonly bindings: Binding<D>[] = [];
  private readonly random: () => number;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number) {
    this.random = random;
  }

  add(binding: Binding<D>): void {
    this.bindings.push(binding);
  }

  remove(binding: Binding<D>): void {
    const at = this.bindings.indexOf(binding);
    assert(at >= 0, 'a binding to remove was added before');
    const last = this.bindings.pop() as Binding<D>;
    if (at < this.bindings.length) this.bindings[at] = last;
  }

  route(_routingKey: string, _message: RoutedMessage, found: Found<D>): boolean {
    const { bindings } = this;
    if (bindings.length === 0) return false;
    const binding = bindings[Math.floor(this.random() * bindings.length)] as Binding<D>;
    found.add(binding.destination);
    return true;
  }

  /** How many bindings are held. */
  get size(): number {
    return this.bindings.length;
  }
}
