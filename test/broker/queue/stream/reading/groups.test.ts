// Owns the tests of a group that reads one stream: which member is active, and how its place moves.

import { expect, test } from 'vitest';
import type { ReadingSpec } from '../../../../../src/broker/queue/stream/reading/reading-spec.ts';
import { SmallBroker } from '../../../small-broker.ts';
import { StreamWorker } from '../../../stream-worker.ts';
import { declareStream, streamNamed } from '../../../vhost/super-stream-world.ts';

const GROUP: ReadingSpec = { start: { kind: 'first' }, until: null, group: 'g', filter: null };

/** A stream with so many messages. */
function filled(count: number): SmallBroker {
  const small = new SmallBroker();
  declareStream(small, 's');
  small.fill('s', count);
  small.run();
  return small;
}

const streamOf = (small: SmallBroker) => streamNamed(small, 's');
const placeOf = (small: SmallBroker) => streamOf(small).places.of('g')?.offset;

function member(small: SmallBroker, prefetch: number, spec = GROUP): StreamWorker {
  const worker = new StreamWorker(small);
  worker.consume(streamOf(small).reading(spec), prefetch);
  small.run();
  return worker;
}

const offsets = (worker: StreamWorker): number[] =>
  worker.given.splice(0).map(({ offset }) => offset);

function cancel(worker: StreamWorker): void {
  for (const consumer of worker.consumers) worker.cancel(consumer);
}

test('one member is active, and the others wait', () => {
  const small = filled(3);
  const [one, other] = [member(small, 10), member(small, 10)];
  expect([offsets(one), offsets(other)]).toEqual([[0, 1, 2], []]);
  const { cursors, consumers } = streamOf(small).reading(GROUP);
  expect([cursors[0]?.owner, consumers.length]).toEqual([[...one.consumers][0], 2]);
});

test('the place is below what is not settled, and is there after a crash', () => {
  const small = filled(5);
  const one = member(small, 10);
  one.settle('settle', one.unacked[1]);
  expect(placeOf(small)).toBe(0);
  one.settle();
  expect(placeOf(small)).toBe(2);
  small.commit();
  const after = small.crashed();
  expect(placeOf(after)).toBe(2);
  expect(offsets(member(after, 10))).toEqual([2, 3, 4]);
});

test('the next member goes on behind acks that are not durable yet, which a crash then undoes with its own', () => {
  const tookOver = () => {
    const small = filled(6);
    const [one, other] = [member(small, 2), member(small, 2)];
    one.settle();
    one.settle();
    one.close();
    small.broker.core.deliver();
    expect([offsets(other), placeOf(small)]).toEqual([[2, 3], 2]);
    return { small, other };
  };
  const lost = tookOver();
  lost.other.settle();
  expect(offsets(member(lost.small.crashed(), 10))).toEqual([0, 1, 2, 3, 4, 5]);
  const kept = tookOver();
  kept.small.commit();
  kept.other.settle();
  expect(offsets(member(kept.small.crashed(), 10))).toEqual([2, 3, 4, 5]);
  const both = tookOver();
  both.other.settle();
  both.small.commit();
  expect(offsets(member(both.small.crashed(), 10))).toEqual([3, 4, 5]);
});

test('what a member rejects or gives back while it is there counts as read', () => {
  const small = filled(3);
  const one = member(small, 10);
  one.settle('reject');
  one.settle('requeue');
  expect(placeOf(small)).toBe(2);
  small.run();
  expect(offsets(one)).toEqual([0, 1, 2]);
});

test('acks after a cancel move the place, and the next begins behind them', () => {
  const small = filled(4);
  const one = member(small, 2);
  cancel(one);
  expect(streamOf(small).isRead('g')).toBe(true);
  const next = member(small, 10);
  expect(offsets(next)).toEqual([]);
  one.settle();
  expect(placeOf(small)).toBe(1);
  one.settle();
  small.run();
  expect(offsets(next)).toEqual([2, 3]);
});

test('a group without members and deliveries is not read any more', () => {
  const small = filled(2);
  const one = member(small, 1);
  cancel(one);
  one.settle();
  expect(streamOf(small).isRead('g')).toBe(false);
  expect(offsets(member(small, 10))).toEqual([1]);
});

test('what one that has left gives back is read again, also where it settles what is before it later', () => {
  const small = filled(4);
  const one = member(small, 3);
  cancel(one);
  one.settle('requeue', one.unacked[1]);
  one.settle();
  expect(placeOf(small)).toBe(1);
  one.settle();
  expect(placeOf(small)).toBe(1);
  expect(offsets(member(small, 10))).toEqual([1, 2, 3]);
});

test('a member that is taken off twice leaves once', () => {
  const small = filled(3);
  const [one, other] = [member(small, 1), member(small, 1)];
  const [consumer] = one.consumers;
  cancel(one);
  if (consumer !== undefined) streamOf(small).reading(GROUP).removeConsumers([consumer]);
  one.settle();
  small.run();
  expect(offsets(other)).toEqual([1]);
});

test('acks after the end of a replay move the place', () => {
  const small = filled(3);
  const one = member(small, 10, { ...GROUP, until: { kind: 'end' } });
  expect([offsets(one), one.ended.length]).toEqual([[0, 1, 2], 1]);
  one.settleAll();
  expect(placeOf(small)).toBe(3);
  expect(streamOf(small).isRead('g')).toBe(false);
});

test('a stream that is deleted ends its group, and acks of it mean nothing', () => {
  const small = filled(3);
  const one = member(small, 10);
  small.vhost.removeQueue(small.vhost.queue('s', small));
  expect(one.ended).toHaveLength(1);
  one.settleAll();
  const after = small.restarted();
  expect([...after.vhost.queues.keys()]).toEqual([]);
});

test('while members are ended a few at a time, nothing goes to one that has ended', () => {
  const small = filled(0);
  const members = Array.from({ length: 5 }, () => member(small, 10));
  const reading = streamOf(small).reading(GROUP);
  reading.endConsumers(2);
  small.fill('s', 3);
  small.run();
  expect(members.map(({ ended }) => ended.length)).toEqual([1, 1, 0, 0, 0]);
  expect(members.map((each) => offsets(each).length)).toEqual([0, 0, 3, 0, 0]);
  reading.endConsumers();
  expect([reading.deleted, members.map(({ ended }) => ended.length)]).toEqual([
    true,
    [1, 1, 1, 1, 1],
  ]);
});

test('a reader that comes by much that cannot be read lets others have their turn', () => {
  const small = filled(1_000);
  const stream = streamOf(small);
  const { deliver } = small.broker.core;
  const worker = new StreamWorker(small, ({ offset }) => {
    if (offset < 500) throw new Error('damaged');
  });
  const reading = stream.reading({ ...GROUP, group: null });
  worker.consume(reading, 2_000);
  let turns = 1;
  for (; deliver.call(small.broker.core); turns++) expect(turns).toBeLessThan(50);
  expect(turns).toBeGreaterThan(500 / 100);
  expect(reading.cursors[0]?.next).toBe(1_000);
});
