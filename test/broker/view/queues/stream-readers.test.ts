// Owns the tests of what tools see of the groups of a stream, and of what they do with their places.

import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import type { StreamStart } from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../src/broker/queue/stream/stream.ts';
import { Lags, Looks } from '../../../../src/broker/view/queues/stream-lag.ts';
import {
  type GroupView,
  groupRows,
  StreamActor,
} from '../../../../src/broker/view/queues/stream-readers.ts';
import { StreamSnapshots } from '../../../../src/broker/view/queues/stream-snapshots.ts';
import { streamsAmong } from '../../plain-queue.ts';
import { NOW_MS, SmallBroker } from '../../small-broker.ts';

const PAGE = 256;
const FIRST: StreamStart = { kind: 'first' };
const at = (offset: number): StreamStart => ({ kind: 'offset', offset });

function streamOf(small: SmallBroker): Stream {
  const [stream] = streamsAmong(small.vhost.queues.values());
  if (stream === undefined) throw new Error('there is no stream');
  return stream;
}

function declared(args: Record<string, Field> = {}): SmallBroker {
  const small = new SmallBroker();
  const declaration = { name: 's', durable: true, autoDelete: false, owner: null };
  const all = new Map(Object.entries({ 'x-queue-type': textField('stream'), ...args }));
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: all });
  return small;
}

function filled(small: SmallBroker, count: number): void {
  small.fill('s', count);
  small.run();
}

const actorOf = (small: SmallBroker): StreamActor =>
  new StreamActor(small.broker, '/', small.vhost.as(ALL_RIGHTS, small));

const groupsOf = (small: SmallBroker): GroupView[] =>
  [...actorOf(small).groups('s')].filter((row) => row !== null);

test('the lag of a group is what comes at its place and behind it, and the age of the first of that', () => {
  const small = declared();
  for (let n = 0; n < 4; n++) {
    filled(small, 1);
    small.pass(1_000);
  }
  const actor = actorOf(small);
  expect(actor.setPlace('s', 'behind', at(1))).toBe(1);
  expect(actor.setPlace('s', 'done', { kind: 'next' })).toBe(4);
  const none = { consumers: 0, active_consumer: null, vhost: '/', queue: 's' };
  const movedAt = { moved_at: NOW_MS + 4_000 };
  expect(groupsOf(small)).toEqual([
    { name: 'behind', offset: 1, lag_messages: 3, lag_seconds: 3, ...movedAt, ...none },
    { name: 'done', offset: 4, lag_messages: 0, lag_seconds: 0, ...movedAt, ...none },
  ]);
  small.pass(5_000);
  expect(groupsOf(small).map((row) => row.lag_seconds)).toEqual([8, 0]);
});

test('a place is set to what there is: the first message that is kept, or the next to come', () => {
  const small = declared({ 'x-max-length': { type: 'l', value: PAGE } });
  filled(small, 2 * PAGE);
  const actor = actorOf(small);
  expect(actor.setPlace('s', 'g', at(3))).toBe(PAGE);
  expect(actor.setPlace('s', 'g', at(10 * PAGE))).toBe(2 * PAGE);
  expect(actor.setPlace('s', 'g', { kind: 'back', count: 2 })).toBe(2 * PAGE - 2);
  expect(actor.setPlace('s', 'g', FIRST)).toBe(PAGE);
});

test('a place whose message is gone counts from the first that is kept', () => {
  const small = declared({ 'x-max-length': { type: 'l', value: PAGE } });
  filled(small, 1);
  actorOf(small).setPlace('s', 'g', FIRST);
  filled(small, 2 * PAGE - 1);
  expect(groupsOf(small)).toMatchObject([{ offset: 0, lag_messages: PAGE }]);
});

test('what is set and forgotten survives a loss of power once the batch is durable', () => {
  const small = declared();
  filled(small, 5);
  const actor = actorOf(small);
  actor.setPlace('s', 'g', at(2));
  actor.setPlace('s', 'other', at(3));
  expect(small.broker.core.definitionsBatch).toBe(small.store.batch);
  small.commit();
  const again = small.crashed();
  expect(groupsOf(again).map(({ name, offset }) => [name, offset])).toEqual([
    ['g', 2],
    ['other', 3],
  ]);
  actorOf(again).forget('s', 'g');
  expect(again.broker.core.definitionsBatch).toBe(again.store.batch);
  again.commit();
  expect(groupsOf(again.crashed()).map(({ name }) => name)).toEqual(['other']);
});

test('a group that reads keeps its place, whatever an operator says', () => {
  const small = declared();
  filled(small, 5);
  const actor = actorOf(small);
  const spec = { start: FIRST, until: null, group: 'g', filter: null };
  const reading = streamOf(small).reading(spec);
  const refused =
    "group 'g' has consumers of stream 's': its place can be changed once they have left";
  expect(() => actor.setPlace('s', 'g', at(3))).toThrow(refused);
  expect(() => actor.forget('s', 'g')).toThrow(refused);
  reading.endConsumers();
  expect(actor.setPlace('s', 'g', at(3))).toBe(3);
});

test('what is no stream, no group and no name of one is refused', () => {
  const small = declared();
  small.declare('q');
  const actor = actorOf(small);
  expect(() => actor.groups('q')).toThrow("queue 'q' in vhost '/' is no stream");
  expect(() => actor.forget('s', 'g')).toThrow("no group 'g' has a place in stream 's'");
  expect(() => actor.setPlace('s', '', FIRST)).toThrow('must not be empty');
  expect(() => actor.setPlace('s', 'x'.repeat(256), FIRST)).toThrow('255 bytes');
});

test('lags read no more from the disk than they may, and each place once', () => {
  const before = declared();
  // In each page the first five came ten seconds before the others.
  for (let n = 0; n < 3; n++) {
    filled(before, 5);
    before.pass(10_000);
    filled(before, PAGE - 5);
  }
  const actor = actorOf(before);
  for (let n = 0; n < 3; n++) actor.setPlace('s', `g${n}`, at(n * PAGE + 5));
  before.commit();
  // After a start nothing is in memory.
  const small = before.crashed();
  const stream = streamOf(small);
  const lags = new Lags(small.broker.core);
  const seconds = (looks: number): (number | null)[] =>
    [...groupRows(small.broker, '/', stream, lags, new Looks(looks))]
      .filter((row) => row !== null)
      .map((row) => row.lag_seconds);
  // A page alone does not tell when a message of it came.
  for (const looks of [0, 1]) expect(seconds(looks)).toEqual([null, null, null]);
  const some = seconds(2);
  expect(some.filter((each) => each !== null).length).toBeGreaterThan(0);
  expect(some).toContain(null);
  expect(seconds(100)).toEqual([20, 10, 0]);
  small.pass(1_000);
  expect(seconds(0)).toEqual([21, 11, 1]);
});

test('a scrape sees all streams with the lag of the reader that is behind most, and all groups', () => {
  const small = declared();
  small.declare('q');
  filled(small, 10);
  actorOf(small).setPlace('s', 'g', at(4));
  const stream = streamOf(small);
  const offsets = () => [...new StreamSnapshots(small.broker).offsets(['/', 'none'])];
  const shown = { vhost: '/', name: 's', first_offset: 0, next_offset: 10 };
  expect(offsets().filter((row) => row !== null)).toEqual([{ ...shown, max_offset_lag: 0 }]);
  const from = (offset: number) => ({ start: at(offset), until: null, group: null, filter: null });
  stream.reading(from(7));
  stream.reading(from(3));
  expect(offsets()).toContainEqual({ ...shown, max_offset_lag: 7 });
  const groups = [...new StreamSnapshots(small.broker).groups(['/', 'none'])];
  expect(groups).toContainEqual(expect.objectContaining({ name: 'g', lag_messages: 6 }));
});
