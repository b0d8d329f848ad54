// Owns the tests of exchanges that look for duplicates: which messages pass, through bindings, dead letters, policies,
// restarts and crashes.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../src/amqp/property-walk.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { readPolicy } from '../../../src/broker/policy/policy.ts';
import { MessageProperties } from '../../../src/broker/routing/message-properties.ts';
import { TABLE_KEYS } from '../../../src/store/tables.ts';
import { purgeNow } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });
const YES: Field = { type: 't', value: true };

function declare(
  small: SmallBroker,
  name: string,
  type: string,
  args: Record<string, Field>,
  durable = true,
): void {
  const more = { durable, autoDelete: false, internal: false };
  const declaration = { name, type, ...more, arguments: new Map(Object.entries(args)) };
  small.vhost.as(ALL_RIGHTS).declareExchange(declaration);
}

function bind(small: SmallBroker, source: string, destination: string, toExchange = false): void {
  const { vhost } = small;
  const to = toExchange ? vhost.exchange(destination) : small.queue(destination);
  vhost.bindings.bind(vhost.exchange(source), to, 'k', new Map());
}

/** A broker with an exchange `x` and a queue `q` bound to it. */
function withExchange(type: string, args: Record<string, Field>, durable = true): SmallBroker {
  const small = new SmallBroker();
  declare(small, 'x', type, args, durable);
  small.declare('q');
  bind(small, 'x', 'q');
  small.commit();
  return small;
}

/** Publishes messages with these keys; returns how many came to the queue. */
function came(small: SmallBroker, keys: readonly (string | null)[], told: Told = {}): number {
  const queue = small.queue(told.queue ?? 'q');
  const before = queue.readyCount;
  for (const key of keys) {
    const headers: FieldTable = new Map(Object.entries(told.headers ?? {}));
    if (key !== null) headers.set('x-deduplication-header', text(key));
    const properties = { deliveryMode: (told.persistent ?? true) ? 2 : 1, headers };
    small.publish({ exchange: told.exchange ?? 'x', routingKey: 'k', properties });
  }
  return queue.readyCount - before;
}

interface Told {
  readonly exchange?: string;
  readonly queue?: string;
  readonly persistent?: boolean;
  readonly headers?: Record<string, Field>;
}

const seen = (small: SmallBroker, name = 'x'): number => small.vhost.exchange(name).duplicatesIn;

// https://github.com/noxdafox/rabbitmq-message-deduplication: README.md and test/exchange_SUITE.erl.
test("the type of RabbitMQ's plugin goes to all that is bound, each key once, and without a header always", () => {
  const small = withExchange('x-message-deduplication', { 'x-cache-size': int(10) });
  expect(came(small, ['a', 'a', 'a', 'a', 'a'])).toBe(1);
  expect(came(small, [null, null])).toBe(2);
  expect(seen(small)).toBe(4);
});

test('its keys last as long as an argument says, or a header', () => {
  const small = withExchange('x-message-deduplication', {
    'x-cache-size': text('10'),
    'x-cache-ttl': text('1000'),
  });
  expect(came(small, ['a', 'a'])).toBe(1);
  expect(came(small, ['own', 'own'], { headers: { 'x-cache-ttl': int(500) } })).toBe(1);
  small.pass(500);
  expect(came(small, ['a', 'own'])).toBe(1);
  small.pass(500);
  expect(came(small, ['a'])).toBe(1);
});

test('of more keys than its size the oldest is forgotten, and a policy sets another size', () => {
  const small = withExchange('x-message-deduplication', { 'x-cache-size': int(1) });
  expect(came(small, ['a', 'b', 'a'])).toBe(3);
  const policy = { pattern: '.*', definition: { 'x-cache-size': 5 } };
  small.vhost.policies.set('policy', readPolicy('policy', 'p', policy));
  small.run();
  expect(came(small, ['c', 'd', 'c'])).toBe(2);
  small.vhost.policies.clear('policy', 'p');
  small.run();
  expect(came(small, ['e', 'e', 'e', 'e', 'e'])).toBe(1);
});

test('it needs a size, and takes integers and texts of digits', () => {
  const size =
    (field: Field | null, more = {}) =>
    () =>
      declare(new SmallBroker(), 'x', 'x-message-deduplication', {
        ...(field === null ? {} : { 'x-cache-size': field }),
        ...more,
      });
  const needed = "'x-cache-size' must be an integer greater than 0";
  expect(size(null)).toThrow(needed);
  for (const field of [text('foo'), int(0), int(-1), text('')]) expect(size(field)).toThrow(needed);
  expect(size(YES)).toThrow("invalid type 'bool' for arg 'x-cache-size'");
  expect(size(int(5), { 'x-cache-ttl': text('bar') })).toThrow("'x-cache-ttl' must be an integer");
  expect(size(int(5), { 'x-cache-persistence': text('tape') })).toThrow(
    "either 'disk' or 'memory'",
  );
  size({ type: 's', value: 10 }, { 'x-cache-persistence': text('memory') })();
});

// LavinMQ, spec/exchange_spec.cr.
test('any exchange looks for duplicates that is told to, by another header too', () => {
  const small = withExchange('topic', {
    'x-message-deduplication': YES,
    'x-deduplication-header': text('custom'),
  });
  const custom = (value: string): Told => ({ headers: { custom: text(value) } });
  expect(came(small, [null], custom('a'))).toBe(1);
  expect(came(small, [null], custom('a'))).toBe(0);
  expect(came(small, ['same', 'same'], custom('b'))).toBe(1);
  expect(seen(small)).toBe(2);
  // Its rules hold still.
  small.publish({
    exchange: 'x',
    routingKey: 'other',
    properties: { headers: new Map([['custom', text('c')]]) },
  });
  expect(small.queue('q').readyCount).toBe(2);
});

test('what no queue takes leaves no key, nor what a queue refuses', () => {
  const small = new SmallBroker();
  declare(small, 'x', 'fanout', { 'x-message-deduplication': YES });
  small.declare('q', true, { 'x-max-length': int(1), 'x-overflow': text('reject-publish') });
  expect(came(small, ['a'])).toBe(0);
  bind(small, 'x', 'q');
  expect(came(small, ['a', 'a', 'b'])).toBe(1);
  purgeNow(small.queue('q'));
  expect(came(small, ['b', 'b'])).toBe(1);
  expect(seen(small)).toBe(2);
});

test('a key is on the disk if and only if its message is, of a durable exchange and queue', () => {
  for (const durable of [true, false]) {
    const small = withExchange('fanout', { 'x-message-deduplication': YES }, durable);
    came(small, ['a']);
    small.commit();
    came(small, ['b']);
    came(small, ['c'], { persistent: false });
    const after = small.crashed();
    if (!durable) {
      expect(after.vhost.exchanges.has('x')).toBe(false);
      expect(after.disk.keys(TABLE_KEYS)).toEqual([]);
      continue;
    }
    expect(came(after, ['a', 'b', 'c', 'a', 'b', 'c'])).toBe(2);
    after.commit();
    expect(came(after.crashed(), ['a', 'b', 'c', 'd'])).toBe(1);
  }
});

test('with the exchange its keys go, and another of its name has none of them', () => {
  let small = withExchange('fanout', { 'x-message-deduplication': YES });
  came(small, ['a', 'b']);
  small.commit();
  expect(small.disk.keys(TABLE_KEYS).length).toBe(1);
  small.vhost.as(ALL_RIGHTS).deleteExchange('x', false, () => {});
  small.run();
  expect(small.disk.keys(TABLE_KEYS)).toEqual([]);
  declare(small, 'x', 'fanout', { 'x-message-deduplication': YES });
  bind(small, 'x', 'q');
  expect(came(small, ['a', 'a'])).toBe(1);
  small.commit();
  small = small.crashed();
  expect(came(small, ['a', 'b'])).toBe(1);
});

test('ids of exchanges and queues are never the same', () => {
  let small = withExchange('fanout', { 'x-message-deduplication': YES });
  came(small, ['a']);
  small.commit();
  small = small.crashed();
  const ids = [small.declare('new').id, small.queue('q').id, small.vhost.exchange('x').keysId];
  expect(new Set(ids).size).toBe(3);
  expect(ids).not.toContain(0);
});

test('a policy begins the search on an exchange that is there, and ends it', () => {
  let small = withExchange('direct', {});
  const go = (definition: Record<string, boolean | number>): void => {
    small.vhost.policies.set('policy', readPolicy('policy', 'p', { pattern: '^x$', definition }));
    small.run();
  };
  expect(came(small, ['a', 'a'])).toBe(2);
  go({ 'x-message-deduplication': true });
  expect(came(small, ['a', 'a'])).toBe(1);
  small.commit();
  small = small.crashed();
  expect(came(small, ['a', 'b'])).toBe(1);
  go({ 'x-message-deduplication': false });
  expect(came(small, ['a', 'b'])).toBe(2);
  small.commit();
  go({ 'x-message-deduplication': true });
  expect(came(small, ['a', 'b', 'a'])).toBe(2);
});

test('an exchange behind another one drops what it knows, and the other destinations get it', () => {
  const small = withExchange('direct', {});
  declare(small, 'once', 'x-message-deduplication', { 'x-cache-size': int(100) });
  small.declare('each');
  bind(small, 'x', 'once', true);
  bind(small, 'once', 'each');
  expect(came(small, ['a', 'a', 'a'])).toBe(3);
  expect(small.queue('each').readyCount).toBe(1);
  expect(seen(small, 'once')).toBe(2);
});

test('a duplicate does not go to the alternate exchange', () => {
  const small = withExchange('direct', {
    'x-message-deduplication': YES,
    'alternate-exchange': text('rest'),
  });
  declare(small, 'rest', 'fanout', {});
  small.declare('others');
  bind(small, 'rest', 'others');
  expect(came(small, ['a', 'a'])).toBe(1);
  expect(small.queue('others').readyCount).toBe(0);
});

test('a dead letter passes an exchange that knows its key, and leaves it one that does not', () => {
  const small = new SmallBroker();
  declare(small, 'x', 'fanout', { 'x-message-deduplication': YES });
  small.declare('q', true, { 'x-dead-letter-exchange': text('x'), 'x-message-ttl': int(1_000) });
  small.declare('dead');
  bind(small, 'x', 'q');
  bind(small, 'x', 'dead');
  expect(came(small, ['a', 'a'])).toBe(1);
  small.pass(1_000);
  expect(small.queue('dead').readyCount).toBe(2);
  expect(came(small, ['a'])).toBe(0);
});

test('the key of a message that was not taken after all is not on the disk, though its row went ahead', () => {
  const small = withExchange('direct', { 'x-message-deduplication': YES });
  const headers = new Map([['x-deduplication-header', text('a')]]);
  const payload = encodeContentHeaderPayload(0, { headers });
  const message = new MessageProperties().read(payload, PROPERTY_FLAGS_OFFSET);
  const keys = small.vhost.router.route('x', 'k', message)?.keys;
  keys?.takeAhead(true);
  // As where thousands of queues changed in the batch: some of their rows are put before it is sealed.
  small.vhost.exchange('x').duplicates?.sealInto();
  keys?.undo();
  small.commit();
  const after = small.crashed();
  expect(came(after, ['a', 'a'])).toBe(1);
});
