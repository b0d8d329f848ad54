import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { Policies } from '../../../src/broker/policy/policies.ts';
import { type ApplyTo, type PolicyLayer, readPolicy } from '../../../src/broker/policy/policy.ts';
import type { AnyQueue } from '../../../src/broker/queue/types/create-queue.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import { SmallBroker } from '../small-broker.ts';

const NO_MESSAGE = { header: () => null, property: () => null };
const typed = (value: string): Record<string, Field> => ({ 'x-queue-type': { type: 'S', value } });
const QUORUM = typed('quorum');

interface Options {
  readonly pattern?: string;
  readonly priority?: number;
  readonly applyTo?: ApplyTo;
  readonly layer?: PolicyLayer;
}

function set(small: SmallBroker, name: string, definition: JsonObject, options: Options = {}) {
  const { pattern = '', layer = 'policy', ...rest } = options;
  const policy = readPolicy(layer, name, { pattern, definition, ...rest });
  small.vhost.policies.set(layer, policy);
}

function declareStream(small: SmallBroker, name: string): AnyQueue {
  const rest = { durable: true, autoDelete: false, owner: null };
  const args = new Map(Object.entries(typed('stream')));
  return small.vhost.as(ALL_RIGHTS, small).declareQueue({ name, ...rest, arguments: args });
}

const policyOf = (small: SmallBroker, queue: AnyQueue) =>
  small.vhost.policies.of(queue).policy?.name ?? null;

test('a policy holds at once for the queues that it matches, those there and those to come', () => {
  const small = new SmallBroker();
  const there = small.declare('jobs.a');
  const other = small.declare('other');
  set(small, 'short', { 'max-length': 3 }, { pattern: '^jobs' });
  const later = small.declare('jobs.b');
  expect([there, other, later].map((queue) => queue.rules.lengthMax)).toEqual([3, Infinity, 3]);
  small.vhost.policies.clear('policy', 'short');
  expect([there, other, later].map((queue) => queue.rules.lengthMax)).toEqual(
    Array(3).fill(Infinity),
  );
});

test('a new limit drops what is too much already', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs');
  small.fill('jobs', 10);
  set(small, 'short', { 'max-length': 3 });
  small.run();
  expect(queue.readyCount).toBe(3);
});

test('only the policy with the highest priority holds, wholly', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs');
  set(small, 'low', { 'max-length': 3, 'message-ttl': 5 }, { priority: 1 });
  set(small, 'high', { 'max-length': 9 }, { priority: 2 });
  set(small, 'lowest', { 'max-length': 1 }, { priority: -7.5 });
  expect(policyOf(small, queue)).toBe('high');
  expect(queue.rules).toMatchObject({ lengthMax: 9, messageTtlMs: Infinity });
  small.vhost.policies.clear('policy', 'high');
  expect(policyOf(small, queue)).toBe('low');
});

test('of equal priorities the first by name holds, whatever the order they came in', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs');
  for (const name of ['b', 'a', 'c']) set(small, name, { 'max-length': 1 });
  expect(policyOf(small, queue)).toBe('a');
});

test('a policy set again takes the place of the one with its name', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs');
  set(small, 'p', { 'max-length': 1 });
  set(small, 'p', { 'max-length': 2 }, { priority: 3 });
  expect(queue.rules.lengthMax).toBe(2);
  expect(small.vhost.policies.list('policy')).toHaveLength(1);
});

test.each<[ApplyTo, string[]]>([
  ['all', ['classic', 'quorum', 'stream', 'amq.topic']],
  ['queues', ['classic', 'quorum', 'stream']],
  ['classic_queues', ['classic']],
  ['quorum_queues', ['quorum']],
  ['streams', ['stream']],
  ['exchanges', ['amq.topic']],
])('a policy for %s holds for %j', (applyTo, expected) => {
  const small = new SmallBroker();
  const targets = [
    small.declare('classic'),
    small.declare('quorum', true, QUORUM),
    declareStream(small, 'stream'),
    small.vhost.exchange('amq.topic'),
  ];
  set(small, 'p', { 'max-length': 1, 'alternate-exchange': 'x' }, { applyTo });
  const holding = targets.filter((target) => small.vhost.policies.of(target).policy !== null);
  expect(holding.map(({ name }) => name)).toEqual(expected);
});

test('a policy leaves queues alone of a kind that does not know one of its keys', () => {
  const small = new SmallBroker();
  const queues = [small.declare('c'), small.declare('q', true, QUORUM), declareStream(small, 's')];
  const policies = () => queues.map((queue) => policyOf(small, queue));
  set(small, 'lazy', { 'max-length': 1, 'queue-mode': 'lazy' });
  expect(policies()).toEqual(['lazy', null, null]);
  set(small, 'stream', { 'max-length': 1, 'max-age': '7D' }, { priority: 1 });
  expect(policies()).toEqual(['lazy', null, 'stream']);
  set(small, 'expires', { 'message-ttl': 60_000 }, { priority: 2 });
  expect(policies()).toEqual(['expires', 'expires', 'stream']);
});

test('of argument, policy and operator policy the smallest limit holds', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs', true, { 'x-max-length': { type: 'I', value: 5 } });
  set(small, 'p', { 'max-length': 9, 'message-ttl': 100 });
  expect(queue.rules).toMatchObject({ lengthMax: 5, messageTtlMs: 100 });
  const layer = 'operator_policy';
  set(small, 'o', { 'max-length': 2, 'message-ttl': 500, expires: 60_000 }, { layer });
  expect(queue.rules).toMatchObject({ lengthMax: 2, messageTtlMs: 100, expiresMs: 60_000 });
  expect(small.vhost.policies.of(queue).operator?.name).toBe('o');
});

test('an argument wins over a policy where dead letters go', () => {
  const small = new SmallBroker();
  const argument: Field = { type: 'S', value: 'mine' };
  const queue = small.declare('jobs', true, { 'x-dead-letter-exchange': argument });
  const without = small.declare('plain');
  set(small, 'p', { 'dead-letter-exchange': 'theirs', 'dead-letter-routing-key': 'k' });
  expect(queue.rules).toMatchObject({ deadLetterExchange: 'mine', deadLetterRoutingKey: 'k' });
  expect(without.rules.deadLetterExchange).toBe('theirs');
});

test('a policy reroutes what an exchange cannot route: at once, for new ones, and after a restart', () => {
  const small = new SmallBroker();
  const declare = (name: string): void => {
    const rest = { durable: true, autoDelete: false, internal: false, arguments: new Map() };
    small.vhost.as(ALL_RIGHTS).declareExchange({ name, type: 'direct', ...rest });
  };
  const routed = (broker: SmallBroker, exchange: string): string[] => {
    const queues = broker.vhost.router.route(exchange, 'k', NO_MESSAGE)?.queues ?? [];
    return queues.map(({ name }) => name);
  };
  small.vhost.bindings.bind(
    small.vhost.exchange('amq.fanout'),
    small.declare('caught'),
    '',
    new Map(),
  );
  declare('in.there');
  expect(routed(small, 'in.there')).toEqual([]);
  set(small, 'p', { 'alternate-exchange': 'amq.fanout' }, { pattern: '^in', applyTo: 'exchanges' });
  declare('in.later');
  for (const exchange of ['in.there', 'in.later']) {
    expect(routed(small, exchange)).toEqual(['caught']);
  }
  small.commit();
  const after = small.crashed();
  expect(routed(after, 'in.there')).toEqual(['caught']);
  after.vhost.policies.clear('policy', 'p');
  expect(routed(after, 'in.there')).toEqual([]);
});

test('policies are there again after a restart, and hold', () => {
  const before = new SmallBroker();
  before.declare('jobs');
  set(before, 'p', { 'max-length': 4, 'ha-params': ['a', 'b'] }, { pattern: '^jobs$' });
  set(before, 'o', { 'max-length': 3 }, { layer: 'operator_policy', priority: 2 });
  set(before, 'gone', { 'max-length': 1 }, { priority: 5 });
  before.vhost.policies.clear('policy', 'gone');
  const after = before.restarted();
  expect(after.queue('jobs').rules.lengthMax).toBe(3);
  expect(after.vhost.policies.list('policy')).toMatchObject([
    {
      name: 'p',
      pattern: { text: '^jobs$' },
      definition: { 'max-length': 4, 'ha-params': ['a', 'b'] },
    },
  ]);
  expect(after.vhost.policies.list('operator_policy')).toMatchObject([{ name: 'o', priority: 2 }]);
});

test('to clear a policy that is not there is refused', () => {
  const { policies } = new SmallBroker().vhost;
  expect(() => policies.clear('policy', 'p')).toThrow('Parameter does not exist');
});

test('beside thousands of policies few patterns are tried between two turns, and one act applies all changes', () => {
  const small = new SmallBroker();
  for (let n = 0; n < 40; n++) small.declare(`q${n}`);
  const { queues, exchanges } = small.vhost;
  const acts: Generator[] = [];
  const nothing = (): void => {};
  const policies = new Policies(
    {
      name: '/',
      queues,
      exchanges,
      definitionChanged: nothing,
      routesChanged: nothing,
      act: (steps) => acts.push(steps),
    },
    small.broker.policyRows,
  );
  let tried = 0;
  const matches = (): boolean => {
    tried += 1;
    return false;
  };
  for (let n = 0; n < 2000; n++) {
    const policy = readPolicy('policy', `p${n}`, { pattern: 'x', definition: { expires: 5 } });
    policies.set('policy', { ...policy, pattern: { text: 'x', matches } });
  }
  expect(acts).toHaveLength(1);
  let most = 0;
  let before = 0;
  while ((acts[0] as Generator).next().done !== true) {
    most = Math.max(most, tried - before);
    before = tried;
  }
  // All targets were asked, one in a step.
  expect(tried).toBe(2000 * (queues.size + exchanges.size));
  expect(most).toBe(2000);
  const names = policies.list('policy').map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  policies.clear('policy', 'p7');
  expect(acts).toHaveLength(2);
});
