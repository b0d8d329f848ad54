// Owns what the tests of the routers share: bindings and messages in one line.
// Never asserts, but throws when a router does not say truly whether it found anything.

import type { FieldTable } from '../../../src/amqp/field-table.ts';
import type { Binding } from '../../../src/broker/exchange/binding.ts';
import type {
  ExchangeRouter,
  RoutedMessage,
} from '../../../src/broker/exchange/exchange-router.ts';

/** A binding without arguments unless given. */
export function bind(
  destination: string,
  bindingKey = '',
  table: FieldTable = new Map(),
): Binding<string> {
  return { destination, bindingKey, arguments: table };
}

/** A message with these headers. */
export function withHeaders(headers: FieldTable | null): RoutedMessage {
  return { header: (name) => headers?.get(name.text) ?? null, property: () => null };
}

/** A message that must not be asked for its headers. */
export const sealed: RoutedMessage = {
  header: () => {
    throw new Error('this exchange type has no business in the headers');
  },
  property: () => {
    throw new Error('this exchange type has no business in the properties');
  },
};

/** The destinations of a message, sorted. */
export function routed(
  router: ExchangeRouter<string>,
  routingKey: string,
  message: RoutedMessage = sealed,
): string[] {
  const found = new Set<string>();
  const matched = router.route(routingKey, message, found);
  if (matched !== found.size > 0) throw new Error(`route returned ${matched}`);
  return [...found].sort();
}
