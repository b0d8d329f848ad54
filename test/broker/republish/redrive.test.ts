// Moving messages back, with a loss of power at any moment of it.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { redriveMessage, STUCK } from '../../../src/broker/republish/redrive.ts';
import { QueueWalk } from '../../../src/broker/view/browse/queue-walk.ts';
import { reference } from '../../../src/broker/view/tables/reference.ts';
import { STUCK as IN_VERBS } from '../../../src/cli/verbs/live/messages.ts';
import { readMessage } from '../../../src/message/read-message.ts';
import { SmallBroker } from '../small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const CLOCK = { wallMs: () => 0, monotonicMs: () => 0 };

function withDeadLetters(count: number): SmallBroker {
  const small = new SmallBroker();
  small.declare('dead');
  small.declare('jobs', true, {
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text('dead'),
  });
  small.fill('jobs', count);
  const queue = small.queue('jobs');
  const given = small.consume(queue);
  small.run();
  for (const { seq } of given.splice(0)) queue.reject(seq);
  queue.removeConsumers([queue.consumers[0] as Queue['consumers'][number]]);
  small.run();
  return small;
}

function redrive(small: SmallBroker, count: number, to: Queue | null = null): string[] {
  const from = small.queue('dead');
  const said: string[] = [];
  new QueueWalk(from, small.broker.core.log, CLOCK, '').run((entry, message) => {
    said.push(redriveMessage(small.broker.core, small.vhost, from, entry, message, to));
    return said.length < count;
  });
  return said;
}

const counts = (small: SmallBroker): number[] =>
  ['dead', 'jobs'].map((name) => small.queue(name).readyCount);

test('a message is in one of the two queues at any moment, also after a loss of power', () => {
  const small = withDeadLetters(3);
  expect(counts(small)).toEqual([3, 0]);
  expect(redrive(small, 2)).toEqual(['moved', 'moved']);
  expect(counts(small)).toEqual([1, 2]);
  expect(counts(small.crashed())).toEqual([3, 0]);
  const again = withDeadLetters(3);
  redrive(again, 2);
  again.commit();
  expect(counts(again.crashed())).toEqual([1, 2]);
});

test('what has nowhere to go back to, or is refused there, stays', () => {
  const small = withDeadLetters(2);
  small.vhost.removeQueue(small.queue('jobs'));
  expect(redrive(small, 9)).toEqual(['no_queue', 'no_queue']);
  const full = small.declare('full', true, {
    'x-max-length': { type: 'l', value: 1 },
    'x-overflow': text('reject-publish'),
  });
  expect(redrive(small, 9, full)).toEqual(['moved', 'refused']);
  expect([small.queue('dead').readyCount, full.readyCount]).toEqual([1, 1]);
  small.commit();
  const after = small.crashed();
  expect([after.queue('dead').readyCount, after.queue('full').readyCount]).toEqual([1, 1]);
});

test('messages amid others are moved, and those around them stay in their order', () => {
  const small = new SmallBroker();
  small.declare('from');
  small.declare('to');
  for (let n = 0; n < 600; n++) {
    small.publish({ routingKey: 'from', properties: { deliveryMode: 2 } }, Buffer.from(`${n}`));
  }
  small.commit();
  const [from, to] = [small.queue('from'), small.queue('to')];
  new QueueWalk(from, small.broker.core.log, CLOCK, '').run((entry, message) => {
    if (Number(message.body) % 3 === 0) {
      redriveMessage(small.broker.core, small.vhost, from, entry, message, to);
    }
    return true;
  });
  small.commit();
  const bodies = (queue: Queue, broker: SmallBroker): number[] => {
    const given = broker.consume(queue);
    broker.run();
    return given.map(({ position }) => Number(broker.bodyAt(position)));
  };
  const after = small.crashed();
  const all = Array.from({ length: 600 }, (_, n) => n);
  expect(bodies(after.queue('to'), after)).toEqual(all.filter((n) => n % 3 === 0));
  expect(bodies(after.queue('from'), after)).toEqual(all.filter((n) => n % 3 !== 0));
});

test('a message that came back too often says how often, and begins anew when it is moved back', () => {
  const small = new SmallBroker();
  small.declare('dead');
  const queue = small.declare('jobs', true, {
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text('dead'),
    'x-delivery-limit': { type: 'l', value: 1 },
  });
  small.fill('jobs', 1);
  for (let n = 0; n < 2; n++) {
    const taken = queue.get();
    if (taken !== null) queue.requeue(taken.seq);
  }
  const countsOf = (name: string) => {
    const taken = small.queue(name).get();
    if (taken === null) throw new Error(`there is no message in ${name}`);
    small.queue(name).requeue(taken.seq);
    const { headers } = readMessage(small.broker.core.log, taken.position);
    return [headers.get('x-delivery-count')?.value, headers.get('x-acquired-count')?.value];
  };
  expect(countsOf('dead')).toEqual([2, 2]);
  expect(redrive(small, 1)).toEqual(['moved']);
  expect(countsOf('jobs')).toEqual([undefined, undefined]);
  expect(counts(small)).toEqual([0, 1]);
});

test('the command line and the web UI have words for each reason why messages stay', () => {
  const names = Object.keys(STUCK);
  expect(Object.keys(IN_VERBS)).toEqual(names);
  // The web UI has no list of its own: it shows these.
  expect(reference()['stuck_reasons']).toEqual(
    names.map((name) => expect.objectContaining({ name })),
  );
});
