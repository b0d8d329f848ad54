// Owns the tests of counting messages that died: what one costs, and what it adds up to. Never asks why they died.

import { describe, expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { NO_SERVER } from '../../../src/broker/view/server-port.ts';
import { Snapshots } from '../../../src/broker/view/snapshots.ts';
import { atOnce } from '../../../src/util/rows.ts';
import { purgeNow } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';

const ONE: Record<string, Field> = { 'x-max-length': { type: 'l', value: 1 } };
const text = (value: string): Field => ({ type: 'S', value });
const to = (exchange: string, key = 'letters'): Record<string, Field> => ({
  'x-dead-letter-exchange': text(exchange),
  'x-dead-letter-routing-key': text(key),
});
const TO_LETTERS: Record<string, Field> = { ...ONE, ...to('') };

/** What the vhost, the broker and the history say of messages that died: those that are gone and those handed on. */
function told(small: SmallBroker): Record<string, readonly unknown[]> {
  const snapshots = new Snapshots(small.broker, NO_SERVER);
  atOnce(snapshots.lookForHistory({ openFiles: 0 }));
  small.nowMs += 5000;
  const { counts } = atOnce(snapshots.messageCounts());
  const byType = atOnce(snapshots.countsByType()).get('classic');
  const { broker } = small.broker.history;
  const vhost = small.vhost.activity?.series;
  const { deaths } = snapshots;
  return {
    broker: [counts.droppedDead, counts.deadLettered],
    type: [byType?.droppedDead, byType?.deadLettered],
    reasons: [
      deaths.ofType('classic').of('disabled', 'maxlen'),
      deaths.ofType('classic').of('at_most_once', 'maxlen'),
    ],
    history: [broker.newest('dropped'), broker.newest('dead_lettered')],
    historyOfVhost: [vhost?.newest('dropped'), vhost?.newest('dead_lettered')],
  };
}

const all = (gone: number, handedOn: number): Record<string, readonly unknown[]> => ({
  broker: [gone, handedOn],
  type: [gone, handedOn],
  reasons: [gone, handedOn],
  history: [gone, handedOn],
  historyOfVhost: [gone, handedOn],
});

function fill(small: SmallBroker, queue: Queue, count: number): void {
  small.fill(queue.name, count);
  small.run();
}

test('a message that dies is counted at its queue alone: nothing of the vhost or the broker is looked at', () => {
  const small = new SmallBroker();
  small.declare('letters');
  const queues = [small.declare('gone', true, ONE), small.declare('on', true, TO_LETTERS)];
  for (const queue of queues) fill(small, queue, 2);
  const { core } = small.broker;
  const { counts } = core;
  const { closed } = small.vhost;
  let looks = 0;
  const looked = <T>(value: T) => ({
    configurable: true,
    get: () => {
      looks += 1;
      return value;
    },
  });
  Object.defineProperty(core, 'counts', looked(counts));
  Object.defineProperty(counts, 'deaths', looked(counts.deaths));
  Object.defineProperty(small.vhost, 'closed', looked(closed));
  for (const queue of queues) small.fill(queue.name, 100);
  expect(looks).toBe(0);
  expect(
    queues.map(({ counts: { droppedDead, deadLettered } }) => [droppedDead, deadLettered]),
  ).toEqual([
    [101, 0],
    [0, 101],
  ]);
});

test('what died counts for its vhost and the broker while the queue is there, and after it is deleted', () => {
  const small = new SmallBroker();
  told(small);
  small.declare('letters');
  const gone = small.declare('gone', true, ONE);
  const on = small.declare('on', true, TO_LETTERS);
  fill(small, gone, 4);
  fill(small, on, 3);
  expect(told(small)).toEqual(all(3, 2));
  small.vhost.removeQueue(gone);
  expect(told(small)).toEqual(all(3, 2));
  fill(small, small.declare('gone', true, ONE), 2);
  small.vhost.removeQueue(on);
  expect(told(small)).toEqual(all(4, 2));
});

/** How the messages of a queue died, as tools see it: by the reason, those that are gone and those in another queue. */
function deathsOf(queue: Queue): Record<string, readonly number[]> {
  const died = Object.entries(queue.deaths.view()).filter(
    ([, { dropped, dead_lettered }]) => dropped + dead_lettered > 0,
  );
  return Object.fromEntries(
    died.map(([reason, { dropped, dead_lettered }]) => [reason, [dropped, dead_lettered]]),
  );
}

/** A queue from which one message was taken out, by a consumer or a client. */
function takenOne(small: SmallBroker, args: Record<string, Field>): { queue: Queue; seq: number } {
  const queue = small.declare('q', true, args);
  small.fill('q', 1);
  const taken = queue.get();
  if (taken === null) throw new Error('nothing was there');
  return { queue, seq: taken.seq };
}

describe.each([
  { what: 'without an exchange for dead letters', args: {}, of: [1, 0] },
  { what: 'with a queue for them', args: to(''), of: [0, 1] },
  { what: 'whose exchange is not there', args: to('none'), of: [1, 0] },
  { what: 'whose exchange has no route for them', args: to('amq.fanout'), of: [1, 0] },
  { what: 'whose only route is full', args: to('', 'full'), of: [1, 0] },
  { what: 'whose letters would go round for ever', args: to('', 'q'), of: [1, 0], cycle: true },
])('a queue $what counts by the reason', ({ args, of, cycle }) => {
  const prepared = (): SmallBroker => {
    const small = new SmallBroker();
    small.declare('letters');
    const full = { 'x-max-length': { type: 'l', value: 0 }, 'x-overflow': text('reject-publish') };
    small.declare('full', true, full as Record<string, Field>);
    return small;
  };

  test('what was too much', () => {
    const small = prepared();
    const queue = small.declare('q', true, { ...ONE, ...args });
    fill(small, queue, 2);
    expect(deathsOf(queue)).toEqual({ maxlen: of });
  });

  test('what expired', () => {
    const small = prepared();
    const queue = small.declare('q', true, { 'x-message-ttl': { type: 'l', value: 10 }, ...args });
    fill(small, queue, 1);
    small.pass(11);
    expect(deathsOf(queue)).toEqual({ expired: of });
  });

  test('what was rejected', () => {
    const small = prepared();
    const { queue, seq } = takenOne(small, args);
    queue.reject(seq);
    // A consumer that rejects ends no circle: it may go on.
    expect(deathsOf(queue)).toEqual({ rejected: cycle ? [0, 1] : of });
  });

  test('what came back too often', () => {
    const small = prepared();
    const { queue, seq } = takenOne(small, {
      'x-delivery-limit': { type: 'l', value: 0 },
      ...args,
    });
    queue.requeue(seq);
    expect(deathsOf(queue)).toEqual({ delivery_limit: of });
    const { deadLettered, droppedDead } = queue.counts;
    expect([droppedDead, deadLettered]).toEqual(of);
  });
});

test('a queue from which nothing was lost has no counts of it, in memory and for tools', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...ONE, ...to('') });
  const given = small.consume(queue);
  fill(small, queue, 100);
  for (const { seq } of given) queue.settle(seq);
  small.fill('q', 1);
  purgeNow(queue);
  const rowOf = () => {
    const rows = [...new Snapshots(small.broker, NO_SERVER).queues(['/'])];
    return rows.find((row) => row !== null);
  };
  expect(queue.deaths.any).toBe(false);
  expect(rowOf()).not.toHaveProperty('deaths');
  small.broker.core.deliver();
  queue.deaths.count('disabled', 'maxlen', false);
  expect(rowOf()).toHaveProperty('deaths.maxlen', { dropped: 1, dead_lettered: 0 });
});

test('what a full queue refuses was never in it: it is counted as refused, and as a death where it is handed on', () => {
  const small = new SmallBroker();
  small.declare('letters');
  const refuse = { ...ONE, 'x-overflow': text('reject-publish') };
  const handOn = { ...ONE, ...to(''), 'x-overflow': text('reject-publish-dlx') };
  const queues = [small.declare('a', true, refuse), small.declare('b', true, handOn)] as const;
  for (const queue of queues) fill(small, queue, 3);
  expect(queues.map(({ counts }) => counts.refused)).toEqual([2, 2]);
  expect(queues.map(deathsOf)).toEqual([{}, { maxlen: [0, 2] }]);
});

test.each([
  { type: 'quorum', overflow: 'reject-publish', strategy: 'at_least_once' },
  { type: 'quorum', overflow: 'drop-head', strategy: 'at_most_once' },
  { type: 'classic', overflow: 'reject-publish', strategy: 'at_most_once' },
] as const)('the strategy at-least-once is counted as in RabbitMQ: %o', (given) => {
  const small = new SmallBroker();
  small.declare('letters');
  const { queue, seq } = takenOne(small, {
    ...to(''),
    'x-queue-type': text(given.type),
    'x-overflow': text(given.overflow),
    'x-dead-letter-strategy': text('at-least-once'),
  });
  queue.reject(seq);
  const deaths = new Snapshots(small.broker, NO_SERVER).deaths.ofType(given.type);
  expect(deaths.of(given.strategy, 'rejected')).toBe(1);
  expect(deaths.confirmed).toBe(given.strategy === 'at_least_once' ? 1 : 0);
});
