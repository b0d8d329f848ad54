// Owns one exchange: what it was declared with and its bindings. Never routes by itself: its router
// does, and broker/routing/router.ts follows bindings from exchange to exchange.

import { createHash } from 'node:crypto';
import { encodeTable } from '../../amqp/encode-table.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import type { Visitable } from '../../util/visit-mark.ts';
import { type DuplicateRule, duplicateRule } from '../queue/duplicates/duplicate-rule.ts';
import type { MessageSink } from '../queue/ports.ts';
import { ALTERNATE_EXCHANGE, routingType, textArgument } from './arguments.ts';
import type { Binding } from './binding.ts';
import { ExchangeDuplicates, type KeyedExchange, type KeyHome } from './exchange-duplicates.ts';
import type { ExchangeRouter } from './exchange-router.ts';
import { DUPLICATES_TYPE, exchangeType } from './registry.ts';

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

/** What an exchange needs of its vhost to keep keys of messages. */
export interface ExchangeHome {
  readonly core: KeyHome;
  /** Gives an exchange the id under which the store has its keys from now on. */
  giveKeysId(exchange: Exchange): void;
}

/** One exchange with its bindings. */
export class Exchange implements ExchangeDeclaration, Visitable, KeyedExchange {
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
  byKeyOnly: boolean;
  /** Whether a message with several routing keys is routed by each, or by the first alone. */
  readonly eachKey: boolean;
  /** Where a message goes that matches no binding: an argument or a policy says so, or null. */
  alternateExchange: string | null;
  /** Messages published to it, and how many queues took one of them. */
  publishedIn = 0;
  publishedOut = 0;
  /** Messages that came to it and were duplicates of earlier ones. */
  duplicatesIn = 0;
  /** Null: it does not look for duplicates. */
  duplicates: ExchangeDuplicates | null = null;
  keysId = 0;
  visitMark = 0;
  deleted = false;

  private readonly home: ExchangeHome | null;

  /** Without a `home` it never looks for duplicates. */
  constructor(declaration: ExchangeDeclaration, home: ExchangeHome | null = null) {
    this.home = home;
    this.name = declaration.name;
    this.type = declaration.type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.arguments = declaration.arguments;
    const type = exchangeType(routingType(declaration.type, declaration.arguments));
    const setup = { arguments: declaration.arguments, labelOf, isStream, random: Math.random };
    this.router = type.create<Destination>(setup);
    this.byKeyOnly = type.byKeyOnly(declaration.arguments);
    this.eachKey = type.eachKey;
    this.alternateExchange = textArgument(declaration.arguments, ALTERNATE_EXCHANGE);
    this.lookForDuplicates(null);
  }

  /**
   * Takes in the definition of the policy that matches this exchange, or null for none. An argument
   * wins over it, but where duplicates are looked for. Returns whether anything changed: then the vhost's routes are stale.
   */
  applyPolicy(definition: ReadonlyMap<string, unknown> | null): boolean {
    const before = this.alternateExchange;
    const wanted = definition?.get(ALTERNATE_EXCHANGE);
    const byPolicy = typeof wanted === 'string' ? wanted : null;
    this.alternateExchange = textArgument(this.arguments, ALTERNATE_EXCHANGE) ?? byPolicy;
    const { byKeyOnly } = this;
    this.lookForDuplicates(definition);
    return this.alternateExchange !== before || this.byKeyOnly !== byKeyOnly;
  }

  takeKeysId(): void {
    this.home?.giveKeysId(this);
  }

  /** Looks for duplicates, or no more, as its arguments and a policy say. */
  private lookForDuplicates(definition: ReadonlyMap<string, unknown> | null): void {
    const { home } = this;
    const rule = home === null ? null : this.duplicateRule(definition);
    if (rule === null) {
      this.duplicates?.clear();
      this.duplicates = null;
    } else if (this.duplicates !== null) this.duplicates.goBy(rule);
    else if (home !== null) this.duplicates = new ExchangeDuplicates(this, home.core, rule);
    const type = exchangeType(routingType(this.type, this.arguments));
    this.byKeyOnly = this.duplicates === null && type.byKeyOnly(this.arguments);
  }

  /** As in RabbitMQ's plugin, a policy wins over an argument. */
  private duplicateRule(definition: ReadonlyMap<string, unknown> | null): DuplicateRule | null {
    return duplicateRule((key) => {
      // Keys of an exchange last until a time: no message of it has an end.
      if (key === 'cache-release') return 'ttl';
      if (key === 'message-deduplication' && this.type === DUPLICATES_TYPE) return true;
      return definition?.get(key) ?? this.arguments.get(`x-${key}`)?.value;
    });
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

/** Streams alone keep what need not last. */
function isStream(destination: Destination): boolean {
  return !isExchange(destination) && destination.keepsAll;
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
