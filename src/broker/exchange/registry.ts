// Owns the table of exchange types: a name and how to make the router behind it.
// Never routes: a new type is a file of its own and a row here.

import { assert } from '../../util/assert.ts';
import { DirectRouter } from './direct.ts';
import { FanoutRouter } from './fanout.ts';
import type { Router } from './router.ts';
import { TopicRouter } from './topic.ts';

/** One row of the table. */
export interface ExchangeType {
  /** Makes a router without bindings. */
  create<D>(): Router<D>;
}

/** Every type that `exchange.declare` knows, by its name on the wire. */
export const EXCHANGE_TYPES: ReadonlyMap<string, ExchangeType> = new Map<string, ExchangeType>([
  ['direct', { create: <D>() => new DirectRouter<D>() }],
  ['fanout', { create: <D>() => new FanoutRouter<D>() }],
  ['topic', { create: <D>() => new TopicRouter<D>() }],
]);

/** The names of all types, as the management overview lists them. */
export const exchangeTypes: readonly string[] = [...EXCHANGE_TYPES.keys()];

/** Makes the router of a type that was looked up before: an unknown name is the caller's bug. */
export function createRouter<D>(type: string): Router<D> {
  const row = EXCHANGE_TYPES.get(type);
  assert(row !== undefined, `exchange type ${type} is in the table`);
  return row.create<D>();
}
