import { expect, test } from 'vitest';
import type { Field } from '../../src/amqp/field-table.ts';
import { readPolicy } from '../../src/broker/policy/policy.ts';
import { mergeDefinitions } from '../../src/broker/view/policies.ts';
import { View } from '../../src/broker/view.ts';
import { atOnce } from '../../src/util/rows.ts';
import { SmallBroker } from './small-broker.ts';

const found = <T>(rows: Iterable<T | null>): T[] => [...rows].filter((row) => row !== null);

const viewOf = (small: SmallBroker): View => new View(small.broker, '1.2.3');

test('a queue shows its counts, its arguments and what policies make of it', () => {
  const small = new SmallBroker();
  const args: Record<string, Field> = { 'x-expires': { type: 'I', value: 5000 } };
  const queue = small.declare('jobs', true, args);
  const view = viewOf(small);
  view.setPolicy('policy', '/', 'p', {
    pattern: '^jobs',
    definition: { 'max-length': 9, 'dead-letter-exchange': 'x' },
    priority: 1,
    applyTo: 'queues',
  });
  view.setPolicy('operator_policy', '/', 'o', {
    pattern: '',
    definition: { 'max-length': 5 },
    priority: 0,
    applyTo: 'all',
  });
  small.fill('jobs', 3);
  small.consume(queue, 1);
  small.run();
  expect(found(view.snapshots.queues(['/']))).toMatchObject([
    {
      name: 'jobs',
      vhost: '/',
      type: 'classic',
      durable: true,
      auto_delete: false,
      exclusive: false,
      arguments: { 'x-expires': 5000 },
      state: 'running',
      messages: 3,
      messages_ready: 2,
      messages_unacknowledged: 1,
      message_bytes_ready: 8,
      consumers: 1,
      policy: 'p',
      operator_policy: 'o',
      effective_policy_definition: { 'max-length': 5, 'dead-letter-exchange': 'x' },
    },
  ]);
  expect(found(view.snapshots.exchanges(['/']))).toContainEqual(
    expect.objectContaining({
      name: 'amq.topic',
      policy: null,
      effective_policy_definition: { 'max-length': 5 },
    }),
  );
});

test('the totals count what there is in those vhosts', () => {
  const small = new SmallBroker();
  small.declare('jobs');
  small.fill('jobs', 2);
  small.broker.putVhost('shop');
  const { version, snapshots } = viewOf(small);
  expect(version).toBe('1.2.3');
  expect([...snapshots.vhostNames]).toEqual(['/', 'shop']);
  expect(atOnce(snapshots.totals(['/', 'shop']))).toMatchObject({
    queues: 1,
    consumers: 0,
    messages: 2,
  });
  expect(atOnce(snapshots.totals(['shop']))).toMatchObject({ queues: 0, messages_ready: 0 });
});

test('bindings show those to the default exchange too', () => {
  const small = new SmallBroker();
  const queue = small.declare('jobs');
  small.vhost.bindings.bind(small.vhost.exchange('amq.topic'), queue, 'a.#', new Map());
  const { snapshots } = viewOf(small);
  expect(found(snapshots.bindings(['/']))).toMatchObject([
    { source: '', destination: 'jobs', routing_key: 'jobs' },
    { source: 'amq.topic', destination: 'jobs', destination_type: 'queue', routing_key: 'a.#' },
  ]);
  const toDefault = { source: '', destination: 'jobs', properties_key: 'jobs' };
  expect(found(snapshots.bindingsFrom('/', ''))).toMatchObject([toDefault]);
  expect(found(snapshots.bindingsTo('/', { kind: 'queue', name: 'jobs' }))).toMatchObject([
    toDefault,
    { source: 'amq.topic' },
  ]);
});

test('what is asked of a vhost or a user that is not there is refused', () => {
  const view = viewOf(new SmallBroker());
  expect(() => view.snapshots.requireVhost('none')).toThrow("there is no vhost 'none'");
  expect(() => view.purgeQueue('none', 'q')).toThrow("there is no vhost 'none'");
  expect(() => view.userLimits('none')).toThrow("there is no user 'none'");
  expect(() => view.clearPermission('none', '/')).toThrow("there is no user 'none'");
});

test('a user or a vhost that is there is not made again', async () => {
  const view = viewOf(new SmallBroker());
  await view.addUser({ name: 'app', tags: [] }, 'secret');
  const again = view.addUser({ name: 'app', tags: [] }, 'secret');
  await expect(again).rejects.toThrow("there is a user 'app' already");
  expect(() => view.addVhost('/', {})).toThrow("there is a vhost '/' already");
});

test('operator policies and limits can be set and cleared as the parameters that they are', () => {
  const small = new SmallBroker();
  const view = viewOf(small);
  const operator = {
    vhost: '/',
    component: 'operator_policy',
    name: 'o',
    value: { pattern: '', definition: { expires: 5 } },
  };
  const limits = { 'max-queues': 2 };
  view.setParameter(operator);
  view.setParameter({ vhost: '/', component: 'vhost-limits', name: 'limits', value: limits });
  const { defined } = view;
  expect(found(defined.policies('operator_policy', ['/']))).toMatchObject([
    { name: 'o', vhost: '/' },
  ]);
  expect(view.vhostLimits('/')).toEqual(limits);
  expect(found(defined.parameters(['/'])).map(({ component }) => component)).toEqual([
    'operator_policy',
    'vhost-limits',
  ]);
  view.clearParameter('/', 'operator_policy', 'o');
  view.clearParameter('/', 'vhost-limits', 'limits');
  expect(found(defined.parameters(['/']))).toEqual([]);
});

test('a parameter that is set is told to the log as one that is cleared is', () => {
  const small = new SmallBroker();
  const view = viewOf(small);
  const told: string[] = [];
  const { changes } = small.broker;
  changes.listener = ({ kind, act }) => told.push(changes.inBulk ? 'in bulk' : `${kind} ${act}`);
  expect(
    view.setParameter({ vhost: '/', component: 'federation-upstream-set', name: 'n', value: [] }),
  ).toBe('Leveret moves no messages between brokers');
  view.clearParameter('/', 'federation-upstream-set', 'n');
  view.setGlobalParameter('g', 1);
  view.clearGlobalParameter('g');
  const each = ['set', 'deleted'];
  expect(told).toEqual(
    ['parameter', 'global parameter'].flatMap((kind) => each.map((act) => `${kind} ${act}`)),
  );
});

test('what is wrong with a parameter is said in the words of the rule, as by RabbitMQ', () => {
  const view = viewOf(new SmallBroker());
  const set = (component: string, value: unknown) => () =>
    view.setParameter({ vhost: '/', component, name: 'n', value });
  expect(set('policy', 1)).toThrow(/^policies may not be set using this method$/);
  expect(set('operator_policy', 1)).toThrow(/^'value' must be an object$/);
  expect(set('vhost-limits', { odd: 1 })).toThrow(/^'odd' is no limit/);
  expect(() => view.setGlobalParameter('x'.repeat(256), 1)).toThrow(
    /^'name' is longer than 255 bytes$/,
  );
});

test('of two limits the smaller holds, of anything else what the operator says', () => {
  const policy = readPolicy('policy', 'p', {
    pattern: '',
    definition: { 'max-length': 1, expires: 9, overflow: 'drop-head' },
  });
  const operator = readPolicy('operator_policy', 'o', {
    pattern: '',
    definition: { 'max-length': 5, expires: 5, 'message-ttl': 7 },
  });
  expect(mergeDefinitions({ policy, operator })).toEqual({
    'max-length': 1,
    expires: 5,
    overflow: 'drop-head',
    'message-ttl': 7,
  });
});

test('memory and disk are shown in whole bytes by the names that tools know', () => {
  const small = new SmallBroker();
  Object.assign(small.broker.alarms.memory, { measured: true, now: 3.5, limit: 2.4 });
  Object.assign(small.broker.alarms.disk, { now: 9.25, limit: 5.75 });
  expect(viewOf(small).resources()).toEqual({
    mem_used: 3,
    mem_limit: 2,
    mem_alarm: true,
    disk_free: 9,
    disk_free_limit: 5,
    disk_free_alarm: false,
  });
});

test('an act of a tool happens now, though no client was heard of for hours', () => {
  const small = new SmallBroker();
  const view = viewOf(small);
  const everything = { configure: '.*', write: '.*', read: '.*' };
  small.broker.access.putUserNow({ name: 'ops', tags: [] }, 'x', 1);
  small.broker.access.setPermission({ user: 'ops', vhost: '/', ...everything });
  small.nowMs += 5 * 3_600_000;
  view.actor('ops', '/');
  expect(small.broker.core.nowMs).toBe(small.nowMs);
});
