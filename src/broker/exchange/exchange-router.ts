// Owns the port between an exchange and the rules of its type: three verbs, synchronous, no I/O.
// Never holds rules itself: each exchange type is a file of its own, listed in registry.ts.

import type { Field } from '../../amqp/field-table.ts';
import type { Steps } from '../turn/slices.ts';
import type { Binding } from './binding.ts';
import type { HeaderName } from './types/header-name.ts';

/** What a router may ask about the message at hand. */
export interface RoutedMessage {
  /** What the `headers` property has under that name, or null. */
  header(name: HeaderName): Field | null;
  /** A property that is a short string or a timestamp, by its bit; null when it is not there. */
  property(bit: number): string | null;
}

/** Where a router writes the destinations of a message: a MatchSet, or a Set in tests. */
export interface Matches<D> {
  /** Takes in a destination, which may be there already. */
  add(destination: D): void;
  has(destination: D): boolean;
}

/** Finds the destinations of a message among the bindings of one exchange. */
export interface ExchangeRouter<D> {
  /** Takes in a binding that is not there yet. */
  add(binding: Binding<D>): void;
  /** Lets go of a binding: the very object that was added. */
  remove(binding: Binding<D>): void;
  /**
   * Adds to `matches` every destination that the message goes to. Returns whether there was any, be it
   * there already: an exchange without one hands the message to its alternate exchange.
   */
  route(routingKey: string, message: RoutedMessage, matches: Matches<D>): boolean;
  /**
   * Where the answer for a key takes long to find, a walk over more than `nodesMax` nodes: steps, after which
   * `route` has it at hand. Else null.
   */
  longWalk?(routingKey: string, nodesMax: number): Steps | null;
}
