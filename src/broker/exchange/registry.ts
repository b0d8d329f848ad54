// Owns the table of exchange types: a name and how to make the router behind it.
// Never routes: a new type is a file of its own and a row here.

import type { FieldTable } from '../../amqp/field-table.ts';
import { assert } from '../../util/assert.ts';
import { DirectRouter } from './direct.ts';
import { FanoutRouter } from './fanout.ts';
import { checkHeadersBinding, HeadersRouter } from './headers.ts';
import type { Router } from './router.ts';
import { TopicRouter } from './topic.ts';

/** One row of the table. */
export interface ExchangeType {
  /** Whether the route depends on more of a message than its routing key. */
  readonly readsHeaders: boolean;
  /** Makes a router without bindings. */
  create<D>(): Router<D>;
  /** Throws the AmqpError that refuses a binding with these arguments; call it before `add`. */
  checkBinding(table: FieldTable): void;
}

/** Most types take a binding with any arguments and give them no meaning. */
const anyArguments = (): void => {};

/** Every type that `exchange.declare` knows, by its name on the wire. */
export const EXCHANGE_TYPES: ReadonlyMap<string, ExchangeType> = new Map<string, ExchangeType>([
  [
    'direct',
    { readsHeaders: false, create: <D>() => new DirectRouter<D>(), checkBinding: anyArguments },
  ],
  [
    'fanout',
    { readsHeaders: false, create: <D>() => new FanoutRouter<D>(), checkBinding: anyArguments },
  ],
  [
    'headers',
    {
      readsHeaders: true,
      create: <D>() => new HeadersRouter<D>(),
      checkBinding: checkHeadersBinding,
    },
  ],
  [
    'topic',
    { readsHeaders: false, create: <D>() => new TopicRouter<D>(), checkBinding: anyArguments },
  ],
]);

/** The names of all types, as the management overview lists them. */
export const exchangeTypes: readonly string[] = [...EXCHANGE_TYPES.keys()];

/** Makes the router of a type that was looked up before: an unknown name is the caller's bug. */
export function createRouter<D>(type: string): Router<D> {
  const row = EXCHANGE_TYPES.get(type);
  assert(row !== undefined, `exchange type ${type} is in the table`);
  return row.create<D>();
}
