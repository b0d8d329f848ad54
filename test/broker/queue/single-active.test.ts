// Owns the tests of which consumer is the active one of queues that have a single active consumer, and how several such
// queues are spread over connections.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { SimChannel, SimLink } from '../peers.ts';
import { SmallBroker } from '../small-broker.ts';

const yes: Field = { type: 't', value: true };
const SINGLE: Record<string, Field> = { 'x-single-active-consumer': yes };
const SPREAD: Record<string, Field> = { ...SINGLE, 'x-single-active-consumer-spread': yes };

interface Options {
  readonly prefetch?: number;
  readonly priority?: number;
  readonly noAck?: boolean;
}

/** A process with a connection, which consumes from queues. */
class Worker {
  readonly link: SimLink;
  readonly consumers: Consumer[] = [];
  /** What it was given and has not settled. */
  readonly held: { readonly queue: Queue; readonly consumer: Consumer; readonly seq: number }[] =
    [];
  private readonly small: SmallBroker;

  constructor(small: SmallBroker) {
    this.small = small;
    this.link = new SimLink(small.broker.core.lines);
  }

  /** Each consumer has a channel of its own, as in a pool. */
  consume(queues: readonly Queue[], { prefetch = 0, priority = 0, noAck = false }: Options = {}) {
    for (const queue of queues) {
      const channel = new SimChannel(
        this.small.broker.core.lines,
        (_channel, consumer, _queue, seq) => {
          if (!consumer.noAck) this.held.push({ queue, consumer, seq });
        },
        this.link,
      );
      const args = new Map<string, Field>([['x-priority', { type: 'I', value: priority }]]);
      const tag = `${queue.name}.${this.consumers.length}`;
      const consumer = new Consumer(queue, channel, tag, noAck, false, prefetch, args);
      this.consumers.push(consumer);
      queue.addConsumer(consumer);
      this.small.run();
    }
    return this;
  }

  /** Acks what it holds of some queues. */
  ack(queues: readonly Queue[]): void {
    for (const { queue, consumer, seq } of this.held.splice(0)) {
      if (!queues.includes(queue)) continue;
      queue.settle(seq);
      consumer.unacked -= 1;
      queue.wake();
    }
    this.small.run();
  }

  leave(): void {
    for (const consumer of this.consumers.splice(0)) consumer.queue.removeConsumers([consumer]);
    for (const { queue, seq } of this.held.splice(0)) queue.requeue(seq, true);
    this.small.run();
  }

  /** The names of the queues on which it is the active one. */
  get active(): string {
    return this.consumers
      .filter(({ queue }) => (queue as Queue).subscribed.active?.channel.link === this.link)
      .map(({ queue }) => queue.name)
      .join('');
  }
}

/** So many partitions, in a broker of their own. */
function partitions(names: string, args = SINGLE): { small: SmallBroker; queues: Queue[] } {
  const small = new SmallBroker();
  return { small, queues: [...names].map((name) => small.declare(name, true, args)) };
}

const activeOf = (...workers: Worker[]): string[] => workers.map(({ active }) => active);

test('queues that had nothing yet are spread over the connections as they come', () => {
  const { small, queues } = partitions('abcdef');
  const [one, two, three] = [new Worker(small), new Worker(small), new Worker(small)] as const;
  one.consume(queues);
  expect(activeOf(one)).toEqual(['abcdef']);
  two.consume(queues);
  expect(activeOf(one, two)).toEqual(['def', 'abc']);
  three.consume(queues);
  expect(activeOf(one, two, three)).toEqual(['ef', 'bc', 'ad']);
  expect([one, two, three].map(({ link }) => link.activeQueues)).toEqual([2, 2, 2]);
});

test('one that was given something stays active, whatever it has settled', () => {
  const { small, queues } = partitions('abcd');
  for (const { name } of queues.slice(0, 3)) small.fill(name, 1);
  const [one, two] = [new Worker(small), new Worker(small)] as const;
  one.consume(queues);
  one.ack(queues);
  two.consume(queues);
  expect(activeOf(one, two)).toEqual(['abc', 'd']);
});

test('of two queues on one connection one moves, and a single one stays where it is', () => {
  const { small, queues } = partitions('ab');
  const [one, two] = [new Worker(small), new Worker(small)] as const;
  one.consume(queues.slice(0, 1));
  two.consume(queues.slice(0, 1));
  expect(activeOf(one, two)).toEqual(['a', '']);
  one.consume(queues.slice(1));
  two.consume(queues.slice(1));
  expect(activeOf(one, two)).toEqual(['a', 'b']);
});

test('at a takeover the connection with the fewest is next, and of equals the one that came first', () => {
  const { small, queues } = partitions('abcd');
  for (const { name } of queues) small.fill(name, 1);
  const [one, two, three] = [new Worker(small), new Worker(small), new Worker(small)] as const;
  for (const each of [one, two, three]) each.consume(queues);
  expect(activeOf(one, two, three)).toEqual(['abcd', '', '']);
  one.leave();
  expect(activeOf(two, three)).toEqual(['ac', 'bd']);
  expect([one, two, three].map(({ link }) => link.activeQueues)).toEqual([0, 2, 2]);
});

test('at a takeover priority goes first', () => {
  const { small, queues } = partitions('ab');
  const [one, idle, high] = [new Worker(small), new Worker(small), new Worker(small)] as const;
  one.consume(queues);
  high.consume(queues, { priority: 5 });
  idle.consume(queues);
  expect(activeOf(one, idle, high)).toEqual(['b', 'a', '']);
  one.leave();
  idle.leave();
  expect(activeOf(high)).toEqual(['ab']);
});

test('one that is late is passed over at a takeover', () => {
  const { small, queues } = partitions('ab');
  const [one, late, good] = [new Worker(small), new Worker(small), new Worker(small)] as const;
  const [queue, other] = queues as [Queue, Queue];
  good.consume([other]);
  for (const each of [one, good, late]) each.consume([queue]);
  const consumer = late.consumers[0] as Consumer;
  consumer.unacked = 1;
  queue.subscribed.fellBehind(consumer);
  one.leave();
  expect(activeOf(late, good)).toEqual(['', 'ba']);
});

test('a deleted queue counts for no connection', () => {
  const { small, queues } = partitions('ab');
  const one = new Worker(small).consume(queues);
  small.vhost.removeQueue(queues[0] as Queue);
  expect(one.link.activeQueues).toBe(1);
});

test('with the rule to spread, the active one hands over once it has settled all, and nothing goes out before', () => {
  const { small, queues } = partitions('abcd', SPREAD);
  for (const { name } of queues) small.fill(name, 3);
  const [one, two] = [new Worker(small), new Worker(small)] as const;
  one.consume(queues, { prefetch: 2 });
  two.consume(queues, { prefetch: 2 });
  expect(activeOf(one, two)).toEqual(['abcd', '']);
  // Two are meant to go, and count for the one that gets them.
  expect([one, two].map(({ link }) => link.activeQueues)).toEqual([2, 2]);
  expect(queues.map(({ readyCount }) => readyCount)).toEqual([1, 1, 1, 1]);
  // The first of `a` alone is acked: the next must not overtake the second.
  const [first] = one.held.splice(0, 1);
  if (first === undefined) throw new Error('nothing was given');
  first.queue.settle(first.seq);
  first.consumer.unacked -= 1;
  first.queue.wake();
  small.run();
  expect(queues.map(({ readyCount }) => readyCount)).toEqual([1, 1, 1, 1]);
  expect(two.held).toEqual([]);
  one.ack(queues);
  expect(activeOf(one, two)).toEqual(['cd', 'ab']);
  expect(two.held.map(({ queue }) => queue.name).sort()).toEqual(['a', 'b']);
});

test('where the one that would take over leaves before it does, the active one goes on', () => {
  const { small, queues } = partitions('ab', SPREAD);
  for (const { name } of queues) small.fill(name, 2);
  const [one, two] = [new Worker(small), new Worker(small)] as const;
  one.consume(queues, { prefetch: 1 });
  two.consume(queues);
  expect(one.link.activeQueues).toBe(1);
  two.leave();
  expect([one, two].map(({ link }) => link.activeQueues)).toEqual([2, 0]);
  one.ack(queues);
  expect(one.held).toHaveLength(2);
});

test('where the active one leaves while it hands over, the one that is meant takes over', () => {
  const { small, queues } = partitions('ab', SPREAD);
  for (const { name } of queues) small.fill(name, 2);
  const [one, first, two] = [new Worker(small), new Worker(small), new Worker(small)] as const;
  one.consume(queues, { prefetch: 1 });
  first.consume(queues, { priority: -1 });
  two.consume(queues);
  one.leave();
  expect(activeOf(first, two)).toEqual(['', 'ab']);
  expect([one, first, two].map(({ link }) => link.activeQueues)).toEqual([0, 0, 2]);
});

test('one that does not ack hands nothing over: what it works on is not known', () => {
  const { small, queues } = partitions('ab', SPREAD);
  for (const { name } of queues) small.fill(name, 1);
  const [one, two] = [new Worker(small), new Worker(small)] as const;
  one.consume(queues, { noAck: true });
  two.consume(queues);
  for (const { name } of queues) small.fill(name, 1);
  small.run();
  expect(activeOf(one, two)).toEqual(['ab', '']);
});

test('tens of thousands that leave one after the other take no long search each', () => {
  const { small, queues } = partitions('a');
  const [queue] = queues as [Queue];
  let looks = 0;
  const workers = Array.from({ length: 3_000 }, () => {
    const worker = new Worker(small);
    const channel = new SimChannel(small.broker.core.lines, () => {}, worker.link);
    Object.defineProperty(worker.link, 'activeQueues', {
      get: () => {
        looks += 1;
        return 0;
      },
      set: () => {},
    });
    const consumer = new Consumer(queue, channel, 'c', false, false, 0, new Map());
    queue.addConsumer(consumer);
    return consumer;
  });
  looks = 0;
  for (const each of workers) queue.removeConsumers([each]);
  expect(looks / workers.length).toBeLessThan(1_000);
});
