// Owns routing by the hash of the key modulo the number of bindings: the type `x-modulus-hash`, from
// RabbitMQ's sharding plugin. Never looks at binding keys or the message.

import { assert } from '../../../util/assert.ts';
import { hashText } from '../../../util/hash.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';

/** A binding in its place. */
interface Place<D> {
  readonly binding: Binding<D>;
  readonly order: string;
  gone: boolean;
}

/**
 * A message goes over one binding, the same for all messages with its routing key; a destination with
 * two bindings gets two shares. Bindings stand in the order of their destinations' names, so that
 * the answer is the same after a restart. A binding that comes or goes moves most keys.
 */
export class ModulusHashRouter<D> implements ExchangeRouter<D> {
  /** In order, as of the last route. */
  private places: Place<D>[] = [];
  /** What came since, and how many of `places` went. */
  private readonly came = new Set<Place<D>>();
  private went = 0;
  private readonly placeOf = new Map<Binding<D>, Place<D>>();
  private readonly labelOf: (destination: D) => string;

  constructor(labelOf: (destination: D) => string) {
    this.labelOf = labelOf;
  }

  add(binding: Binding<D>): void {
    const order = `${this.labelOf(binding.destination)}\0${binding.bindingKey}`;
    const place = { binding, order, gone: false };
    this.placeOf.set(binding, place);
    this.came.add(place);
  }

  remove(binding: Binding<D>): void {
    const place = this.placeOf.get(binding);
    assert(place !== undefined, 'a binding to remove was added before');
    this.placeOf.delete(binding);
    if (this.came.delete(place)) return;
    place.gone = true;
    this.went += 1;
  }

  route(routingKey: string, _message: RoutedMessage, matches: Matches<D>): boolean {
    if (this.came.size > 0 || this.went > 0) this.putInOrder();
    const { places } = this;
    if (places.length === 0) return false;
    const place = places[hashText(routingKey) % places.length] as Place<D>;
    matches.add(place.binding.destination);
    return true;
  }

  /** How many bindings are held. */
  get size(): number {
    return this.placeOf.size;
  }

  /** Merges what came into what stayed: a deletion that takes thousands away is paid for once. */
  private putInOrder(): void {
    const came = [...this.came].sort((a, b) =>
      a.order < b.order ? -1 : Number(a.order > b.order),
    );
    const places: Place<D>[] = [];
    let at = 0;
    for (const place of this.places) {
      if (place.gone) continue;
      while (at < came.length && (came[at] as Place<D>).order < place.order) {
        places.push(came[at++] as Place<D>);
      }
      places.push(place);
    }
    while (at < came.length) places.push(came[at++] as Place<D>);
    this.places = places;
    this.came.clear();
    this.went = 0;
  }
}
