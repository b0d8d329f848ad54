// Owns the tests of counting messages that died: what one costs, and what it adds up to. Never asks why they died.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { NO_SERVER } from '../../../src/broker/view/server-port.ts';
import { Snapshots } from '../../../src/broker/view/snapshots.ts';
import { atOnce } from '../../../src/util/rows.ts';
import { SmallBroker } from '../small-broker.ts';

const ONE: Record<string, Field> = { 'x-max-length': { type: 'l', value: 1 } };
const TO_NOTHING: Record<string, Field> = {
  ...ONE,
  'x-dead-letter-exchange': { type: 'S', value: 'amq.fanout' },
};

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
    reasons: [deaths.of('classic', false, 'maxlen'), deaths.of('classic', true, 'maxlen')],
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
  const queues = [small.declare('gone', true, ONE), small.declare('on', true, TO_NOTHING)];
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
  const gone = small.declare('gone', true, ONE);
  const on = small.declare('on', true, TO_NOTHING);
  fill(small, gone, 4);
  fill(small, on, 3);
  expect(told(small)).toEqual(all(3, 2));
  small.vhost.removeQueue(gone);
  expect(told(small)).toEqual(all(3, 2));
  fill(small, small.declare('gone', true, ONE), 2);
  small.vhost.removeQueue(on);
  expect(told(small)).toEqual(all(4, 2));
});
