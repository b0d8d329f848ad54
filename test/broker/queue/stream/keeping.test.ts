// Owns the tests of how much a stream keeps, by its arguments and by policies, as they change and as time passes.

import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import { type PolicyLayer, readPolicy } from '../../../../src/broker/policy/policy.ts';
import type { Stream } from '../../../../src/broker/queue/stream/stream.ts';
import type { JsonObject } from '../../../../src/util/json/json.ts';
import { wrongReferences } from '../../inspect.ts';
import { streamsAmong } from '../../plain-queue.ts';
import { SmallBroker } from '../../small-broker.ts';

const HOUR_MS = 3_600_000;
/** Entries of a page, which go together. */
const PAGE = 256;
const BODY_BYTES = 4;

const int = (value: number): Field => ({ type: 'l', value });

function streamOf(small: SmallBroker): Stream {
  const [stream] = streamsAmong(small.vhost.queues.values());
  if (stream === undefined) throw new Error('there is no stream');
  return stream;
}

function declare(small: SmallBroker, args: Record<string, Field> = {}): Stream {
  const declaration = { name: 's', durable: true, autoDelete: false, owner: null };
  const all = new Map(Object.entries({ 'x-queue-type': textField('stream'), ...args }));
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: all });
  return streamOf(small);
}

function set(small: SmallBroker, definition: JsonObject, layer: PolicyLayer = 'policy'): void {
  const policy = readPolicy(layer, 'p', { pattern: '', definition, applyTo: 'streams' });
  small.vhost.policies.set(layer, policy);
}

function filled(small: SmallBroker, count: number): void {
  small.fill('s', count);
  small.run();
}

test('a stream without limits keeps all, however long', () => {
  const small = new SmallBroker();
  const stream = declare(small);
  filled(small, 3 * PAGE);
  small.pass(1_000 * HOUR_MS);
  expect([stream.entries.first, stream.readyCount]).toEqual([0, 3 * PAGE]);
});

test.each<[string, Record<string, Field>]>([
  ['a length', { 'x-max-length': int(2 * PAGE) }],
  ['a number of bytes', { 'x-max-length-bytes': int(2 * PAGE * BODY_BYTES) }],
])('%s is kept at least, and less than a page more', (_, args) => {
  const small = new SmallBroker();
  const stream = declare(small, args);
  filled(small, 3 * PAGE - 1);
  expect(stream.entries.first).toBe(0);
  filled(small, 1);
  expect([stream.entries.first, stream.readyCount]).toEqual([PAGE, 2 * PAGE]);
  filled(small, 10 * PAGE);
  expect([stream.entries.first, stream.readyCount]).toEqual([11 * PAGE, 2 * PAGE]);
});

test('what is too old goes as time passes, though nothing is published', () => {
  const small = new SmallBroker();
  const stream = declare(small, { 'x-max-age': textField('2h') });
  filled(small, PAGE);
  small.pass(HOUR_MS);
  filled(small, PAGE);
  small.pass(HOUR_MS - 1);
  expect(stream.entries.first).toBe(0);
  small.pass(1);
  expect([stream.entries.first, stream.readyCount]).toEqual([PAGE, PAGE]);
  small.pass(HOUR_MS);
  expect([stream.entries.first, stream.readyCount]).toEqual([2 * PAGE, 0]);
  filled(small, 1);
  expect([stream.entries.first, stream.entries.tail]).toEqual([2 * PAGE, 2 * PAGE + 1]);
});

test('a policy takes hold of what is there, and what it took is gone when it goes', () => {
  const small = new SmallBroker();
  const stream = declare(small, { 'x-max-length': int(3 * PAGE) });
  filled(small, 3 * PAGE);
  set(small, { 'max-length': PAGE });
  small.run();
  expect(stream.entries.first).toBe(2 * PAGE);
  small.vhost.policies.clear('policy', 'p');
  filled(small, 2 * PAGE);
  expect([stream.entries.first, stream.readyCount]).toEqual([2 * PAGE, 3 * PAGE]);
});

test('a policy wins over the argument also where it keeps more', () => {
  const small = new SmallBroker();
  const stream = declare(small, { 'x-max-length': int(PAGE) });
  set(small, { 'max-length': 4 * PAGE });
  filled(small, 4 * PAGE);
  expect(stream.readyCount).toBe(4 * PAGE);
  set(small, { 'max-length': 2 * PAGE }, 'operator_policy');
  small.run();
  expect(stream.readyCount).toBe(2 * PAGE);
});

test('an age that a policy sets is counted from when a message came', () => {
  const small = new SmallBroker();
  const stream = declare(small);
  filled(small, PAGE);
  small.pass(3 * HOUR_MS);
  filled(small, PAGE);
  set(small, { 'max-age': '2h' });
  small.run();
  expect(stream.entries.first).toBe(PAGE);
  small.pass(2 * HOUR_MS);
  expect(stream.readyCount).toBe(0);
});

test.each<[string, (small: SmallBroker) => SmallBroker]>([
  ['a restart', (small) => small.restarted()],
  ['a crash', (small) => small.crashed()],
])('limits hold on after %s, and offsets stay', (_, again) => {
  const small = new SmallBroker();
  declare(small, { 'x-max-age': textField('2h') });
  set(small, { 'max-length': 2 * PAGE });
  filled(small, 3 * PAGE);
  const after = again(small);
  after.run();
  const stream = streamOf(after);
  // The policy has no age, and wins by itself for each limit.
  expect([stream.entries.first, stream.entries.tail]).toEqual([PAGE, 3 * PAGE]);
  filled(after, PAGE);
  expect([stream.entries.first, stream.entries.tail]).toEqual([2 * PAGE, 4 * PAGE]);
  after.pass(2 * HOUR_MS);
  expect([stream.entries.first, stream.entries.tail]).toEqual([4 * PAGE, 4 * PAGE]);
});

test('what has gone is not held any more, though the disk does not know of it yet', () => {
  const small = new SmallBroker();
  const stream = declare(small, { 'x-max-age': textField('1h') });
  filled(small, 10);
  small.nowMs += 2 * HOUR_MS;
  const { core } = small.broker;
  core.tick();
  // The page leaves memory, and its row is removed with a batch that is not durable.
  core.seal();
  expect(stream.readyCount).toBe(0);
  expect(wrongReferences(small.broker, [stream])).toBeNull();
});
