import { beforeEach, expect, test } from 'vitest';
import type { FieldTable } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import type { Exchange } from '../../../src/broker/exchange/exchange.ts';
import type { RoutedMessage } from '../../../src/broker/exchange/exchange-router.ts';
import type { Route } from '../../../src/broker/routing/route.ts';
import type { Vhost } from '../../../src/broker/vhost/vhost.ts';
import { withHeaders } from '../exchange/support.ts';
import { SmallBroker } from '../small-broker.ts';

const NO_ARGUMENTS: FieldTable = new Map();
const plain: RoutedMessage = { header: () => null, property: () => null };

let broker: SmallBroker;
let vhost: Vhost;

beforeEach(() => {
  broker = new SmallBroker();
  vhost = broker.vhost;
});

function exchange(name: string, type: string, alternate?: string): Exchange {
  const args: FieldTable = new Map();
  if (alternate !== undefined) args.set('alternate-exchange', { type: 'S', value: alternate });
  const flags = { durable: false, autoDelete: false, internal: false };
  vhost.as(ALL_RIGHTS).declareExchange({ name, type, ...flags, arguments: args });
  return vhost.exchange(name);
}

function queues(...names: string[]): void {
  for (const name of names) {
    const flags = { durable: false, autoDelete: false, owner: null };
    vhost.as(ALL_RIGHTS, broker).declareQueue({ name, ...flags, arguments: NO_ARGUMENTS });
  }
}

function bind(source: string, destination: string, bindingKey = '', args = NO_ARGUMENTS): void {
  const to = vhost.exchanges.get(destination) ?? vhost.queue(destination, broker);
  vhost.bindings.bind(vhost.exchange(source), to, bindingKey, args);
}

const names = (route: Route | null): string[] | null =>
  route === null ? null : route.queues.map((queue) => queue.name).sort();

const routed = (source: string, key = 'k', message = plain): string[] | null =>
  names(vhost.router.route(source, key, message));

test('a queue gets one copy, however many ways lead to it, and cycles end', () => {
  exchange('a', 'fanout');
  exchange('b', 'direct');
  exchange('c', 'topic');
  queues('q1', 'q2');
  bind('a', 'b');
  bind('a', 'b', 'k');
  bind('b', 'c', 'k');
  bind('c', 'a', '#');
  bind('a', 'a');
  bind('a', 'q1');
  bind('b', 'q1', 'k');
  bind('c', 'q1', 'k');
  bind('c', 'q2', '*');
  expect(routed('a')).toEqual(['q1', 'q2']);
  expect(routed('b')).toEqual(['q1', 'q2']);
  expect(routed('c')).toEqual(['q1', 'q2']);
  expect(routed('b', 'other')).toEqual([]);
});

test('a missing exchange has no route', () => {
  expect(vhost.router.route('none', 'k', plain)).toBeNull();
  expect(vhost.router.routeAll('none', ['k'], plain)).toBeNull();
});

test('several keys lead to every queue that one of them leads to, once', () => {
  exchange('d', 'direct');
  queues('q1', 'q2', 'q3');
  bind('d', 'q1', 'a');
  bind('d', 'q1', 'b');
  bind('d', 'q2', 'b');
  const all = (source: string, ...keys: string[]) =>
    names(vhost.router.routeAll(source, keys, plain));
  expect(all('d', 'a', 'b', 'none')).toEqual(['q1', 'q2']);
  expect(all('d', 'a')).toEqual(['q1']);
  expect(all('d', 'none')).toEqual([]);
  expect(all('', 'q3', 'none', 'q1', 'q3')).toEqual(['q1', 'q3']);
  expect(routed('d', 'a')).toEqual(['q1']);
});

test.each(['x-consistent-hash', 'x-modulus-hash', 'x-random'])(
  'with several keys, a %s exchange still chooses one queue, by the first key',
  (type) => {
    exchange('x', type);
    queues('q1', 'q2', 'q3');
    for (const name of ['q1', 'q2', 'q3']) bind('x', name, '1');
    for (let i = 0; i < 50; i++) {
      const keys = [`k${i}`, `other-${i}`, `more-${i}`];
      const route = names(vhost.router.routeAll('x', keys, plain));
      expect(route).toHaveLength(1);
      if (type !== 'x-random') expect(route).toEqual(routed('x', `k${i}`));
    }
  },
);

test('what is hashed from a header is not remembered by the key', () => {
  vhost.as(ALL_RIGHTS).declareExchange({
    name: 'x',
    type: 'x-consistent-hash',
    durable: false,
    autoDelete: false,
    internal: false,
    arguments: new Map([['hash-header', { type: 'S', value: 'h' }]]),
  });
  queues('q1', 'q2', 'q3');
  for (const name of ['q1', 'q2', 'q3']) bind('x', name, '1');
  const found = new Set<string>();
  for (let value = 0; value < 50; value++) {
    const message = withHeaders(new Map([['h', { type: 'I', value }]]));
    for (const name of routed('x', 'same', message) ?? []) found.add(name);
  }
  expect(found.size).toBe(3);
});

test('several keys follow bindings between exchanges too', () => {
  exchange('first', 'direct');
  exchange('second', 'topic');
  queues('q1', 'q2');
  bind('first', 'second', 'in');
  bind('second', 'q1', 'out.*');
  bind('second', 'q2', 'in');
  expect(names(vhost.router.routeAll('first', ['in', 'out.1'], plain))).toEqual(['q1', 'q2']);
  expect(names(vhost.router.routeAll('first', ['out.1'], plain))).toEqual([]);
});

test('what matches nothing goes to the alternate exchange, and from there on', () => {
  exchange('last', 'fanout');
  exchange('middle', 'direct', 'last');
  exchange('first', 'direct', 'middle');
  queues('known', 'caught');
  bind('first', 'known', 'k');
  bind('last', 'caught');
  expect(routed('first', 'k')).toEqual(['known']);
  expect(routed('first', 'unknown')).toEqual(['caught']);
  bind('middle', 'known', 'unknown');
  expect(routed('first', 'unknown')).toEqual(['known']);
});

test('with several keys, one that matches is enough to keep the alternate exchange out', () => {
  exchange('alternate', 'fanout');
  exchange('first', 'direct', 'alternate');
  queues('known', 'caught');
  bind('first', 'known', 'k');
  bind('alternate', 'caught');
  expect(names(vhost.router.routeAll('first', ['none', 'k'], plain))).toEqual(['known']);
  expect(names(vhost.router.routeAll('first', ['k', 'none'], plain))).toEqual(['known']);
  expect(names(vhost.router.routeAll('first', ['none', 'nil'], plain))).toEqual(['caught']);
});

test('an exchange in the midst hands on what it matches nothing for, whatever others match', () => {
  exchange('alternate', 'fanout');
  exchange('outer', 'fanout');
  exchange('inner', 'direct', 'alternate');
  queues('q', 'caught');
  bind('outer', 'inner');
  bind('outer', 'q');
  bind('inner', 'q', 'k');
  bind('alternate', 'caught');
  expect(routed('outer', 'k')).toEqual(['q']);
  expect(routed('outer', 'unknown')).toEqual(['caught', 'q']);
});

test.each([
  ['headers', new Map([['a', { type: 't', value: true } as const]])],
  ['topic', NO_ARGUMENTS],
])('a %s exchange that matches what was found before has matched', (type, args) => {
  exchange('alternate', 'fanout');
  exchange('outer', 'fanout');
  exchange('inner', type, 'alternate');
  queues('q', 'caught');
  bind('outer', 'q');
  bind('outer', 'inner');
  bind('inner', 'q', 'k', args);
  bind('alternate', 'caught');
  const message = withHeaders(args);
  expect(routed('outer', 'k', message)).toEqual(['q']);
  expect(routed('outer', 'other', withHeaders(NO_ARGUMENTS))).toEqual(['caught', 'q']);
});

test('alternates that form a cycle come to an end', () => {
  exchange('left', 'direct', 'right');
  exchange('right', 'direct', 'left');
  exchange('self', 'direct', 'self');
  expect(routed('left')).toEqual([]);
  expect(routed('self')).toEqual([]);
});

test('an alternate exchange that is not there is ignored, until it is', () => {
  exchange('first', 'direct', 'alternate');
  expect(routed('first')).toEqual([]);
  queues('caught');
  exchange('alternate', 'fanout');
  bind('alternate', 'caught');
  expect(routed('first')).toEqual(['caught']);
  vhost.as(ALL_RIGHTS).deleteExchange('alternate', false);
  expect(routed('first')).toEqual([]);
});

test('an alternate exchange that reads headers keeps the answer from being remembered', () => {
  const yes: FieldTable = new Map([['a', { type: 't', value: true }]]);
  exchange('alternate', 'headers');
  exchange('first', 'direct', 'alternate');
  queues('known', 'caught');
  bind('first', 'known', 'known');
  bind('alternate', 'caught', '', yes);
  expect(routed('first', 'k', withHeaders(yes))).toEqual(['caught']);
  expect(routed('first')).toEqual([]);
  expect(vhost.router.route('first', 'k', plain)?.byKeyOnly).toBe(false);
  expect(vhost.router.route('first', 'known', plain)?.byKeyOnly).toBe(true);
});

test('a policy sets the alternate exchange, an argument wins over it', () => {
  const policy = (name: unknown) => new Map([['alternate-exchange', name]]);
  const free = exchange('free', 'direct');
  const fixed = exchange('fixed', 'direct', 'alternate');
  expect(free.alternateExchange).toBeNull();
  expect(free.applyPolicy(policy('other'))).toBe(true);
  expect(free.alternateExchange).toBe('other');
  expect(free.applyPolicy(policy('other'))).toBe(false);
  expect(free.applyPolicy(policy(7))).toBe(true);
  expect(free.alternateExchange).toBeNull();
  free.applyPolicy(policy('other'));
  expect(free.applyPolicy(null)).toBe(true);
  expect(free.alternateExchange).toBeNull();
  expect(fixed.applyPolicy(policy('other'))).toBe(false);
  expect(fixed.alternateExchange).toBe('alternate');
});

test('after a restart every key goes where it went, and alternates are there again', () => {
  const flags = { durable: true, autoDelete: false };
  const args: FieldTable = new Map([['alternate-exchange', { type: 'S', value: 'amq.fanout' }]]);
  for (const type of ['x-consistent-hash', 'x-modulus-hash', 'direct']) {
    vhost
      .as(ALL_RIGHTS)
      .declareExchange({ name: type, type, ...flags, internal: false, arguments: args });
  }
  for (const name of ['q3', 'q1', 'q2', 'caught']) {
    vhost
      .as(ALL_RIGHTS, broker)
      .declareQueue({ name, ...flags, owner: null, arguments: NO_ARGUMENTS });
  }
  for (const [name, weight] of [
    ['q2', '2'],
    ['q3', '1'],
    ['q1', '2'],
  ] as const) {
    bind('x-consistent-hash', name, weight);
    bind('x-modulus-hash', name, weight);
  }
  bind('amq.fanout', 'caught');
  const places = () =>
    ['x-consistent-hash', 'x-modulus-hash', 'direct'].map((source) =>
      Array.from({ length: 100 }, (_, i) => routed(source, `k${i}`)?.join()),
    );
  const before = places();
  expect(new Set(before.flat())).toEqual(new Set(['q1', 'q2', 'q3', 'caught']));
  vhost = broker.restarted().vhost;
  expect(places()).toEqual(before);
});
