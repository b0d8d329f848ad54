// Owns the tests of the one way into queues.

import { expect, test } from 'vitest';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import {
  ENQUEUED_STORED,
  enqueue,
  enqueueWide,
  keepOf,
  refusalsIn,
  WIDE_ROUTE,
} from '../../../src/broker/core/enqueue.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { Chunk } from '../../../src/message/chunk.ts';
import { weightOf } from '../../../src/message/log/segment.ts';
import {
  buildRecord,
  FLAG_PERSISTENT,
  NO_EXPIRY,
  writeRecordHead,
} from '../../../src/message/record.ts';
import { NOW_MS, SmallBroker } from '../small-broker.ts';

const BODY = Buffer.from('body');

/** A message whose record is whole. */
function record(persistent: boolean): Chunk {
  const chunk = new Chunk();
  const payload = encodeContentHeaderPayload(BODY.length, {});
  chunk.loadRecord(buildRecord('', 'a', payload, BODY), null);
  writeRecordHead(chunk.view, 0, persistent ? FLAG_PERSISTENT : 0, 0, NOW_MS, NO_EXPIRY);
  return chunk;
}

test.each([
  { persistent: true, durable: true, outcome: ENQUEUED_STORED },
  { persistent: true, durable: false, outcome: 0 },
  { persistent: false, durable: true, outcome: 0 },
])('a message is stored if it is persistent and a queue durable: %o', (given) => {
  const small = new SmallBroker();
  const queue = small.declare('a', given.durable);
  const chunk = record(given.persistent);
  const end = chunk.bytes.length;
  const { core } = small.broker;
  const came = enqueue(core, chunk, 0, end, BODY.length, [queue], keepOf([queue]), 0);
  expect(came).toBe(given.outcome);
  expect(queue.readyCount).toBe(1);
});

test('each queue that is too full is told of, and the others have the message', () => {
  const small = new SmallBroker();
  const [full, too] = ['full', 'too'].map((name) =>
    small.declare(name, true, {
      'x-max-length': { type: 'I', value: 0 },
      'x-overflow': { type: 'S', value: 'reject-publish' },
    }),
  ) as [Queue, Queue];
  const other = small.declare('other');
  const chunk = record(true);
  const end = chunk.bytes.length;
  const queues = [full, other, too];
  const came = enqueue(small.broker.core, chunk, 0, end, BODY.length, queues, keepOf(queues), 0);
  expect([came & ENQUEUED_STORED, refusalsIn(came)]).toEqual([ENQUEUED_STORED, 2]);
  expect(queues.map(({ readyCount }) => readyCount)).toEqual([0, 1, 0]);
  expect(queues.map(({ counts }) => counts.refused)).toEqual([1, 0, 1]);
});

test('a message for very many queues goes in in steps, and lets go of those that were deleted', () => {
  const small = new SmallBroker();
  const queues = Array.from({ length: WIDE_ROUTE }, (_, i) => small.declare(`q${i}`));
  const chunk = record(true);
  const { core } = small.broker;
  const outcome = { stored: false, refused: false };
  const end = chunk.bytes.length;
  const steps = enqueueWide(core, chunk, 0, end, BODY.length, queues, keepOf(queues), 0, outcome);
  expect(outcome.stored).toBe(true);
  const segment = core.log.placed;
  const each = weightOf(BODY.length);
  expect(segment.liveWeight).toBe(WIDE_ROUTE * each);
  expect(steps.next().done).toBe(false);
  const last = queues.at(-1) as (typeof queues)[0];
  small.vhost.removeQueue(last);
  while (steps.next().done !== true);
  expect(queues.filter(({ readyCount }) => readyCount === 1)).toHaveLength(WIDE_ROUTE - 1);
  expect(segment.liveWeight).toBe((WIDE_ROUTE - 1) * each);
});
