// Owns the benches of exchange types whose routes cannot be remembered: the whole way through the
// router of a vhost, for each message. Never goes through a channel or a queue.

import type { Field, FieldTable } from '../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../src/amqp/property-walk.ts';
import { Exchange } from '../../src/broker/exchange/exchange.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import { Router } from '../../src/broker/routing/router.ts';
import { type Bench, keep, type Run } from './kit.ts';

const MESSAGES = 256;
const NO_ARGUMENTS: FieldTable = new Map();

const text = (value: string): Field => ({ type: 'S', value });

/** One message in `tenants` is for the same tenant. */
function messageOf(i: number, tenants: number): Buffer {
  return encodeContentHeaderPayload(100, {
    correlationId: `request-${i}`,
    headers: new Map<string, Field>([
      ['tenant', text(`t${i % tenants}`)],
      ['kind', text('order.created')],
      ['attempt', { type: 'I', value: i }],
      ['trace', text('4bf92f3577b34da6a3ce929d0e0e4736')],
      ['urgent', { type: 't', value: false }],
    ]),
  });
}

type BindingOf = (i: number) => readonly [bindingKey: string, args: FieldTable];

/** `count` queues, each bound once, and messages with five headers and a correlation id. */
function route(type: string, count: number, bindingOf: BindingOf, args = NO_ARGUMENTS): Run {
  const flags = { durable: false, autoDelete: false, internal: false };
  const exchange = new Exchange({ name: 'x', type, ...flags, arguments: args });
  for (let i = 0; i < count; i++) {
    const destination = { name: `queue-${i}`, visitMark: 0, durable: false } as unknown as Queue;
    const [bindingKey, conditions] = bindingOf(i);
    exchange.addBinding(String(i), { destination, bindingKey, arguments: conditions });
  }
  const router = new Router({
    exchanges: new Map([['x', exchange]]),
    queues: new Map(),
    replies: new Map(),
  });
  const messages = Array.from({ length: MESSAGES }, (_, i) => messageOf(i, count));
  let at = 0;
  return (times) => {
    for (let i = 0; i < times; i++) {
      const properties = router.message.read(messages[at] as Buffer, PROPERTY_FLAGS_OFFSET);
      keep(router.route('x', 'same', properties)?.queues);
      at = (at + 1) % MESSAGES;
    }
  };
}

const byTenant: BindingOf = (i) => [
  '',
  new Map([
    ['kind', text('order.created')],
    ['tenant', text(`t${i}`)],
  ]),
];
const weighted: BindingOf = (i) => [String(1 + (i % 3)), NO_ARGUMENTS];
const even: BindingOf = () => ['1', NO_ARGUMENTS];
const BY_PROPERTY: FieldTable = new Map([['hash-property', text('correlation_id')]]);
const BY_HEADER: FieldTable = new Map([['hash-header', text('tenant')]]);
const HASH = 'x-consistent-hash';

export const exchangeBenches: readonly Bench[] = [
  { name: 'headers, 1 binding', prepare: () => route('headers', 1, byTenant) },
  { name: 'headers, 10 bindings', prepare: () => route('headers', 10, byTenant) },
  { name: 'headers, 1,000 bindings', prepare: () => route('headers', 1_000, byTenant) },
  { name: 'random, 10 bindings', prepare: () => route('x-random', 10, even) },
  { name: 'hash of a property, 10 even', prepare: () => route(HASH, 10, even, BY_PROPERTY) },
  { name: 'hash of a property, 50 even', prepare: () => route(HASH, 50, even, BY_PROPERTY) },
  { name: 'hash of a property, 50 uneven', prepare: () => route(HASH, 50, weighted, BY_PROPERTY) },
  { name: 'hash of a header, 10 even', prepare: () => route(HASH, 10, even, BY_HEADER) },
];
