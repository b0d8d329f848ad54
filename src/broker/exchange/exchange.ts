// Owns one exchange: what it was declared with and its bindings. Never routes by itself: its router
// does, and broker/routing/router.ts follows bindings from exchange to exchange.

import { createHash } from 'node:crypto';
import { encodeTable } from '../../amqp/encode-table.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import type { Visitable } from '../../util/visit-mark.ts';
import type { MessageSink } from '../queue/ports.ts';
import { ALTERNATE_EXCHANGE, routingType, textArgument } from './arguments.ts';
import type { Binding } from './binding.ts';
import type { ExchangeRouter } from './exchange-router.ts';
import { exchangeType } from './registry.ts';

/** Where a binding leads. */
export type Destination = MessageSink | Exchange;

/** What an exchange is declared with; redeclaration compares these. */
export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

/** One exchange with its bindings. */
export class Exchange implements ExchangeDeclaration, Visitable {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
  /** The bindings that have this exchange as their source, by identity. */
  readonly bindings = new Map<string, Binding<Destination>>();
  readonly router: ExchangeRouter<Destination>;
  /** Whether its routes hold for all messages with the same routing key. */
  readonly byKeyOnly: boolean;
  /** Whether a message with several routing keys is routed by each, or by the first alone. */
  readonly eachKey: boolean;
  /** Where a message goes that matches no binding: an argument or a policy says so, or null. */
  alternateExchange: string | null;
  /** Messages published to it, and how many queues took one of them. */
  publishedIn = 0;
  publishedOut = 0;
  visitMark = 0;
  deleted = false;

  constructor(declaration: ExchangeDeclaration) {
    this.name = declaration.name;
    this.type = declaration.type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.arguments = declaration.arguments;
    const type = exchangeType(routingType(declaration.type, declaration.arguments));
    const setup = { arguments: declaration.arguments, labelOf, random: Math.random };
    this.router = type.create<Destination>(setup);
    this.byKeyOnly = type.byKeyOnly(declaration.arguments);
    this.eachKey = type.eachKey;
    this.alternateExchange = textArgument(declaration.arguments, ALTERNATE_EXCHANGE);
  }

  /**
   * Takes in the definition of the policy that matches this exchange, or null for none. An argument
   * wins over it. Returns whether anything changed: then the vhost's routes are stale.
   */
  applyPolicy(definition: ReadonlyMap<string, unknown> | null): boolean {
    const before = this.alternateExchange;
    const wanted = definition?.get(ALTERNATE_EXCHANGE);
    const byPolicy = typeof wanted === 'string' ? wanted : null;
    this.alternateExchange = textArgument(this.arguments, ALTERNATE_EXCHANGE) ?? byPolicy;
    return this.alternateExchange !== before;
  }

  /** Adds a binding; false when it was there already. */
  addBinding(identity: string, binding: Binding<Destination>): boolean {
    if (this.bindings.has(identity)) return false;
    // One that is read back may be refused: then it is nowhere.
    this.router.add(binding);
    this.bindings.set(identity, binding);
    return true;
  }

  /** Removes a binding; undefined when it was not there. */
  removeBinding(identity: string): Binding<Destination> | undefined {
    const binding = this.bindings.get(identity);
    if (binding === undefined) return undefined;
    this.bindings.delete(identity);
    this.router.remove(binding);
    return binding;
  }
}

/** Whether a destination is an exchange. */
export function isExchange(destination: Destination): destination is Exchange {
  return destination instanceof Exchange;
}

/** A queue and an exchange may have the same name. */
function labelOf(destination: Destination): string {
  return `${isExchange(destination) ? 'e' : 'q'}${destination.name}`;
}

/**
 * What makes a binding itself among those of one source: destination, binding key, arguments
 * (§3.1.3).
 */
export function bindingIdentity(
  toExchange: boolean,
  destination: string,
  bindingKey: string,
  args: FieldTable,
): string {
  const hash = args.size === 0 ? '' : createHash('sha256').update(sorted(args)).digest('base64');
  return JSON.stringify([toExchange ? 'e' : 'q', destination, bindingKey, hash]);
}

/** The order of a table's entries does not make another binding. */
function sorted(args: FieldTable): Buffer {
  const entries = [...args].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeTable(new Map(entries));
}
