// Owns what tools see of bindings, row by row: those that clients made, and that of each queue to the default
// exchange, which no client made. Never keeps anything.

import type { FieldTable } from '../../amqp/field-table.ts';
import { hashText } from '../../util/hash.ts';
import type { JsonObject } from '../../util/json/json.ts';
import { wellFormed } from '../../util/json/json-input.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import type { Rows } from '../../util/rows.ts';
import { argumentsOf, argumentsToJson } from '../definitions/arguments-json.ts';
import type { Binding } from '../exchange/binding.ts';
import { type Destination, isExchange } from '../exchange/exchange.ts';
import type { AnyQueue } from '../queue/types/create-queue.ts';
import type { Vhost } from '../vhost/vhost.ts';
import type { BindingEnd } from '../vhost/vhost-actor.ts';

/** A binding by the names of its ends, with what stands for it in paths. */
export interface BindingRow {
  readonly source: string;
  readonly vhost: string;
  readonly destination: string;
  readonly destination_type: BindingEnd['kind'];
  readonly routing_key: string;
  readonly arguments: JsonObject;
  readonly properties_key: string;
}

/** All bindings of a vhost, those of queues to the default exchange first. */
export function* bindingsOf(vhost: Vhost): Rows<BindingRow> {
  yield* bindingsFrom(vhost, '');
  for (const name of vhost.exchanges.keys()) {
    if (name !== '') yield* bindingsFrom(vhost, name);
  }
}

/** The bindings that have an exchange as their source. */
export function* bindingsFrom(vhost: Vhost, exchange: string): Rows<BindingRow> {
  yield null;
  if (exchange === '') {
    for (const queue of vhost.queues.values()) yield defaultBinding(vhost, queue);
  }
  for (const binding of vhost.exchanges.get(exchange)?.bindings.values() ?? []) {
    yield rowOf(vhost, exchange, binding);
  }
}

/** How many those are. */
export function countFrom(vhost: Vhost, exchange: string): number {
  const made = vhost.exchanges.get(exchange)?.bindings.size ?? 0;
  return exchange === '' ? made + vhost.queues.size : made;
}

/** The bindings that lead to a queue or an exchange. */
export function* bindingsTo(vhost: Vhost, { kind, name }: BindingEnd): Rows<BindingRow> {
  const destination = (kind === 'queue' ? vhost.queues : vhost.exchanges).get(name);
  if (destination === undefined) return;
  if (!isExchange(destination)) yield defaultBinding(vhost, destination);
  for (const { source, identity } of vhost.bindings.to(destination)) {
    yield null;
    const binding = source.bindings.get(identity);
    if (binding !== undefined) yield rowOf(vhost, source.name, binding);
  }
}

/** Every queue is bound to the default exchange with its name. */
function defaultBinding(vhost: Vhost, queue: AnyQueue): BindingRow {
  return rowOf(vhost, '', { destination: queue, bindingKey: queue.name, arguments: new Map() });
}

function rowOf(vhost: Vhost, source: string, binding: Binding<Destination>): BindingRow {
  const { destination, bindingKey } = binding;
  return {
    source,
    vhost: vhost.name,
    destination: destination.name,
    destination_type: isExchange(destination) ? 'exchange' : 'queue',
    routing_key: bindingKey,
    arguments: argumentsOf(binding),
    properties_key: propertiesKeyOf(bindingKey, binding.arguments),
  };
}

/** What stands for a binding in paths, as RabbitMQ makes it: the key, escaped, `~` for an empty one; and with arguments `~` and a hash of these. */
export function propertiesKeyOf(bindingKey: string, args: FieldTable): string {
  const key = bindingKey === '' ? '~' : escapeKey(bindingKey);
  if (args.size === 0) return key;
  return `${key}~${hashText(jsonText(argumentsToJson(args, true))).toString(36)}`;
}

/** As in a form: all but letters, digits, points, hyphens and underscores; a space is a plus. */
export function escapeKey(text: string): string {
  // It refuses a text with half of a pair of surrogates.
  return encodeURIComponent(wellFormed(text))
    .replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
