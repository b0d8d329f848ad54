// Owns the tests of deletions of what has many bindings: what others see of them, and what a crash leaves.

import { beforeEach, expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import type { Exchange } from '../../../src/broker/exchange/exchange.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import type { Steps } from '../../../src/broker/turn/slices.ts';
import { SmallBroker } from '../small-broker.ts';

const COUNT = 1000;

let small: SmallBroker;
let queue: Queue;
let source: Exchange;

beforeEach(() => {
  small = new SmallBroker();
  ({ queue, source } = bound(small, 'bound', 'many'));
  small.commit();
});

function exchange({ vhost }: SmallBroker, name: string, autoDelete = false): Exchange {
  const rest = { type: 'direct', durable: true, internal: false, arguments: new Map() };
  vhost.as(ALL_RIGHTS).declareExchange({ name, autoDelete, ...rest });
  return vhost.exchange(name);
}

/** A queue with many bindings to one exchange. */
function bound(to: SmallBroker, name: string, from: string, autoDelete = false) {
  const made = { queue: to.declare(name), source: exchange(to, from, autoDelete) };
  for (let i = 0; i < COUNT; i++)
    to.vhost.bindings.bind(made.source, made.queue, `k${i}`, new Map());
  return made;
}

/** Has each binding that goes take a part of a turn. */
function slowly({ broker }: SmallBroker): void {
  broker.changes.listener = () => {
    small.nowMs += 1;
  };
}

/** How many bindings the store of a broker that starts now has. */
function bindingsAfterCrash(): number | undefined {
  return small.crashed().vhost.exchanges.get('many')?.bindings.size;
}

test('what has many bindings goes in small steps, and works for others until the last', () => {
  let acts = 0;
  const stepping = (steps: Steps, then: () => void): void => {
    acts += 1;
    let before = source.bindings.size;
    for (let n = 0; ; n++) {
      const last = steps.next().done === true;
      expect(before - source.bindings.size).toBeLessThanOrEqual(64);
      before = source.bindings.size;
      if (last) break;
      expect(small.broker.core.line.underWay).toBe(false);
      expect(small.queue('bound').deleted).toBe(false);
      if (n === 0) small.vhost.bindings.bind(source, queue, 'anew', new Map());
    }
    then();
  };
  small.publish({ routingKey: 'bound' });
  let count = -1;
  small.vhost.removeQueueBy(stepping, queue, (ready) => {
    count = ready;
  });
  expect([acts, count]).toEqual([1, 1]);
  expect([small.vhost.queues.has('bound'), source.bindings.size]).toEqual([false, 0]);

  ({ queue, source } = bound(small, 'other', 'other'));
  const { vhost } = small;
  let gone = false;
  const steps: Steps[] = [];
  vhost.as(ALL_RIGHTS).deleteExchange(
    'other',
    false,
    (given, then) => {
      steps.push(given);
      while (given.next().done !== true) expect(vhost.exchanges.has('other')).toBe(true);
      then();
    },
    () => {
      gone = true;
    },
  );
  expect([steps.length, gone, vhost.exchanges.has('other')]).toEqual([1, true, false]);
  expect([...vhost.bindings.to(queue)]).toEqual([]);
});

test('a crash amid such a deletion leaves all that was there, and behind it nothing', () => {
  slowly(small);
  const { broker, vhost } = small;
  let answered = false;
  vhost.removeQueueBy(broker.core.slices.whole, queue, () => {
    answered = true;
  });
  let turns = 0;
  for (; !answered; turns++) {
    expect(broker.core.sealable).toBe(false);
    expect(small.crashed().vhost.queues.has('bound')).toBe(true);
    expect(bindingsAfterCrash()).toBe(COUNT);
    broker.core.deliver();
  }
  expect(turns).toBeGreaterThan(5);
  small.commit();
  expect(small.crashed().vhost.queues.has('bound')).toBe(false);
  expect(bindingsAfterCrash()).toBe(0);
});

test('an auto-delete exchange goes with the last of them, and a queue whose time came goes the same way', () => {
  const expiring = small.declare('expiring', true, { 'x-expires': { type: 'l', value: 10 } });
  const passing = exchange(small, 'passing', true);
  for (let i = 0; i < COUNT; i++) small.vhost.bindings.bind(passing, expiring, `k${i}`, new Map());
  slowly(small);
  small.pass(20);
  expect(expiring.deleted).toBe(true);
  expect([passing.deleted, small.vhost.exchanges.has('passing')]).toEqual([true, false]);
});

test('what is deleted meanwhile by another is not deleted twice', () => {
  slowly(small);
  const { broker, vhost } = small;
  const counts: number[] = [];
  const then = (count: number): void => {
    counts.push(count);
  };
  vhost.removeQueueBy(broker.core.slices.whole, queue, then);
  vhost.removeQueueBy(broker.core.slices.whole, queue, then);
  vhost.removeQueue(queue);
  const anew = small.declare('bound');
  small.run();
  expect(counts).toEqual([0, 0]);
  expect(small.queue('bound')).toBe(anew);
});
