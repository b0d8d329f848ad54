// Owns routing by the hash of the key modulo the number of bindings: the type `x-modulus-hash`, from
// RabbitMQ's sharding plugin. Never looks at binding keys or the message.

import { assert } from '../../util/assert.ts';
import { hashText } from '../../util/hash.ts';
import type { Binding } from './binding.ts';
import type { Found, RoutedMessage, Router } from './router.ts';

/** A binding in its place. */
interface Place<D> {
  readonly binding: Binding<D>;
  readonly order: string;
}

/**
 * A message goes over one binding, the same for all messages with its routing key; a destination with
 * two bindings gets two shares. Bindings stand in the order of their destinations' names, so that
 * the answer is the same after a restart. A binding that comes or goes moves most keys.
 */
export class ModulusHashRouter<D> implements Router<D> {
  private readonly places: Place<D>[] = [];
  private readonly labelOf: (destination: D) => string;

  constructor(labelOf: (destination: D) => string) {
    this.labelOf = labelOf;
  }

  add(binding: Binding<D>): void {
    const order = `${this.labelOf(binding.destination)}\0${binding.bindingKey}`;
    let at = this.places.length;
    while (at > 0 && order < (this.places[at - 1] as Place<D>).order) at--;
    this.places.splice(at, 0, { binding, order });
  }

  remove(binding: Binding<D>): void {
    const at = this.places.findIndex((place) => place.binding === binding);
    assert(at >= 0, 'a binding to remove was added before');
    this.places.splice(at, 1);
  }

  route(routingKey: string, _message: RoutedMessage, found: Found<D>): boolean {
    const { places } = this;
    if (places.length === 0) return false;
    const place = places[hashText(routingKey) % places.length] as Place<D>;
    found.add(place.binding.destination);
    return true;
  }

  /** How many bindings are held. */
  get size(): number {
    return this.places.length;
  }
}
