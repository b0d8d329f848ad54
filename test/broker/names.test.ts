// Owns the tests of names that no short string holds: refused by every way in, with nothing left behind.

import { expect, test } from 'vitest';
import type { Field } from '../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import { View } from '../../src/broker/view.ts';
import { SmallBroker } from './small-broker.ts';

const LONG = ['n'.repeat(256), 'é'.repeat(128), 'q'.repeat(3000), 'q'.repeat(70_000)];
const TOO_LONG = /longer than 255 bytes|is not a valid/;
const text = (value: string): Field => ({ type: 'S', value });

/** All that a broker holds of definitions, in memory and on disk. */
function all(small: SmallBroker): string {
  small.commit();
  const now = JSON.stringify(new View(small.broker, '0').exportDefinitions());
  expect(JSON.stringify(new View(small.crashed().broker, '0').exportDefinitions())).toBe(now);
  return now;
}

/** Everything that gives a name or a key, on the way of AMQP and HTTP, and as definitions. */
const WAYS: Readonly<Record<string, (small: SmallBroker, name: string) => unknown>> = {
  'a queue': (small, name) => small.declare(name),
  'a dead-letter exchange': (small, name) =>
    small.declare('new', true, { 'x-dead-letter-exchange': text(name) }),
  'a dead-letter routing key': (small, name) =>
    small.declare('new', true, {
      'x-dead-letter-exchange': text(''),
      'x-dead-letter-routing-key': text(name),
    }),
  'an exchange': (small, name) => small.vhost.as(ALL_RIGHTS).declareExchange({ ...EXCHANGE, name }),
  'an alternate exchange': (small, name) =>
    small.vhost.as(ALL_RIGHTS).declareExchange({
      ...EXCHANGE,
      arguments: new Map([['alternate-exchange', text(name)]]),
    }),
  'a hashed header': (small, name) =>
    small.vhost.as(ALL_RIGHTS).declareExchange({
      ...EXCHANGE,
      type: 'x-consistent-hash',
      arguments: new Map([['hash-header', text(name)]]),
    }),
  'a binding key': (small, name) =>
    small.vhost.bindings.bind(
      small.vhost.exchange('amq.direct'),
      small.queue('q'),
      name,
      new Map(),
    ),
  'a vhost': ({ broker }, name) => broker.putVhost(name),
  'a tag of a vhost': ({ broker }, name) => broker.putVhost('new', { tags: [name] }),
  'a user': ({ broker }, name) => broker.access.putUserNow({ name, tags: [] }, 'p', 1),
  'a tag of a user': ({ broker }, name) =>
    broker.access.putUserNow({ name: 'new', tags: [name] }, 'p', 1),
  'the exchange of a topic permission': ({ broker }, exchange) =>
    broker.access.setTopicPermission({ user: 'u', vhost: '/', exchange, write: '', read: '' }),
  'a policy': (small, name) => view(small).setPolicy('policy', '/', name, POLICY),
  'an operator policy': (small, name) =>
    view(small).setPolicy('operator_policy', '/', name, POLICY),
  'a parameter': (small, name) =>
    view(small).setParameter({ vhost: '/', component: 'federation-upstream-set', name, value: [] }),
  'a global parameter': (small, name) => view(small).setGlobalParameter(name, 1),
  ...Object.fromEntries(
    ['dead-letter-exchange', 'dead-letter-routing-key', 'alternate-exchange'].map((key) => [
      `the ${key} of a policy`,
      (small: SmallBroker, name: string) =>
        view(small).setPolicy('policy', '/', 'new', { ...POLICY, definition: { [key]: name } }),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({
      queues: (name: string) => ({ name, durable: true, vhost: '/' }),
      exchanges: (name: string) => ({ name, durable: true, vhost: '/', type: 'direct' }),
      bindings: (name: string) => ({
        source: 'amq.direct',
        destination: 'q',
        routing_key: name,
        vhost: '/',
      }),
      users: (name: string) => ({ name, tags: '' }),
      vhosts: (name: string) => ({ name }),
      policies: (name: string) => ({ ...POLICY, name, vhost: '/' }),
      parameters: (name: string) => ({
        component: 'federation-upstream-set',
        name,
        value: [],
        vhost: '/',
      }),
      global_parameters: (name: string) => ({ name, value: 1 }),
      topic_permissions: (exchange: string) => ({
        user: 'u',
        vhost: '/',
        exchange,
        write: '',
        read: '',
      }),
    }).map(([list, item]) => [
      `${list} of definitions`,
      (small: SmallBroker, name: string) => view(small).importDefinitions({ [list]: [item(name)] }),
    ]),
  ),
};

const EXCHANGE = {
  name: 'new',
  type: 'direct',
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: new Map<string, Field>(),
};
const POLICY = { pattern: '^none$', definition: { 'max-length': 1 }, priority: 0, applyTo: 'all' };

function view(small: SmallBroker): View {
  return new View(small.broker, '0');
}

test.each(Object.entries(WAYS))(
  '%s of more than 255 bytes is refused, and nothing changes',
  (_, give) => {
    const small = new SmallBroker();
    small.broker.access.putUserNow({ name: 'u', tags: [] }, 'p', 1);
    small.declare('q');
    const before = all(small);
    for (const name of LONG) expect(() => give(small, name)).toThrow(TOO_LONG);
    expect(all(small)).toBe(before);
    expect(() => give(small, 'n'.repeat(255))).not.toThrow();
    expect(all(small)).not.toBe(before);
  },
);

test('a policy that today would be refused is read back, and what is wrong in it has no effect', () => {
  const small = new SmallBroker();
  const long = 'x'.repeat(300);
  for (const [name, odd] of Object.entries({
    a: { definition: { 'dead-letter-exchange': long, 'max-length': 7 } },
    b: { priority: null },
    c: { pattern: '(' },
    d: { applyTo: 'nothing', definition: { unknown: { deep: [1] } } },
  })) {
    const stored = { ...POLICY, pattern: { text: '' }, name, ...odd };
    const pattern = { text: 'pattern' in odd ? odd.pattern : '^q$' };
    small.broker.policyRows.putPolicy('/', 'policy', { ...stored, pattern } as never);
  }
  small.commit();
  const again = small.crashed();
  const { rules } = again.declare('q');
  expect([rules.deadLetterExchange, rules.lengthMax]).toEqual([null, 7]);
  const policies = [...view(again).defined.policies('policy', ['/'])];
  expect(policies.flatMap((each) => (each === null ? [] : [each.name]))).toEqual([
    'a',
    'b',
    'c',
    'd',
  ]);
  for (const name of ['a', 'b', 'c', 'd']) view(again).clearPolicy('policy', '/', name);
  expect(() => all(again)).not.toThrow();
});

test('a binding of a queue that was never stored does not keep a broker from starting', () => {
  const small = new SmallBroker();
  small.broker.definitionRows.putBinding('/', 'identity', {
    source: 'amq.direct',
    destination: 'q'.repeat(3000),
    toExchange: false,
    bindingKey: 'k',
    arguments: new Map(),
  });
  small.commit();
  expect(small.crashed().declare('q').name).toBe('q');
});
