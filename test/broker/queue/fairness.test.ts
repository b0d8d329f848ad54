// Owns the property that nobody starves: random topologies of queues, consumers, limits, channels and
// connections; SEED=... plays one again. Never opens a socket: turns and sockets move by hand.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { Random } from '../../amqp/random.ts';
import { SimChannel, SimLink } from '../peers.ts';
import { SmallBroker } from '../small-broker.ts';

const TOPOLOGIES = 150;
const STEPS = 120;

/** A delivery that is not acked yet. */
interface Owed {
  readonly consumer: Consumer;
  readonly seq: number;
}

/** A channel whose peer acks when the test says so. */
class Peer extends SimChannel {
  readonly owed: Owed[] = [];
  /** How many deliveries its link takes before it is full; Infinity: all. */
  room = Infinity;
  readonly given = new Map<Consumer, number>();

  constructor(small: SmallBroker, link: SimLink) {
    super(
      small.broker.core.lines,
      (_channel, consumer, _queue, seq) => {
        if (link.full) throw new Error('a delivery to a link that is full');
        this.given.set(consumer, (this.given.get(consumer) ?? 0) + 1);
        this.room -= 1;
        if (this.room <= 0) link.fill();
        if (consumer.noAck) return;
        const { limit } = this.credit;
        if (limit !== 0 && this.credit.unacked >= limit) throw new Error('beyond the shared limit');
        this.credit.unacked += 1;
        this.owed.push({ consumer, seq });
      },
      link,
    );
  }

  ack(at: number): void {
    const [{ consumer, seq }] = this.owed.splice(at, 1) as [Owed];
    consumer.queue.settle(seq);
    consumer.unacked -= 1;
    this.credit.giveBack();
    consumer.queue.wake();
  }

  subscribe(queue: Queue, tag: string, noAck: boolean, prefetch: number, priority = 0): Consumer {
    const args = new Map<string, Field>();
    if (priority !== 0) args.set('x-priority', { type: 'I', value: priority });
    const consumer = new Consumer(queue, this, tag, noAck, false, noAck ? 0 : prefetch, args);
    this.consumers.push(consumer);
    queue.addConsumer(consumer);
    return consumer;
  }

  cancel(consumer: Consumer): void {
    this.consumerGone(consumer);
    consumer.queue.removeConsumers([consumer]);
  }

  /** Whether what holds this consumer back is its own doing: it has to ack, or its socket is full. */
  isHeld(consumer: Consumer): boolean {
    if (this.link.stuck) return true;
    if (consumer.prefetch !== 0 && consumer.unacked >= consumer.prefetch) return true;
    return this.credit.limit !== 0 && this.credit.unacked >= this.credit.limit;
  }
}

/** One turn after the other until nothing moves. */
function settle(small: SmallBroker): void {
  for (let n = 0; small.broker.core.deliver(); n++)
    expect(n, 'turns without end').toBeLessThan(1_000);
}

class Topology {
  readonly small = new SmallBroker();
  readonly queues: Queue[] = [];
  readonly peers: Peer[] = [];
  private readonly random: Random;
  private tags = 0;

  constructor(random: Random) {
    this.random = random;
    for (let n = 0; n <= random.below(5); n++) this.queues.push(this.small.declare(`q${n}`, false));
    for (let n = 0; n <= random.below(3); n++) {
      const link = new SimLink(this.small.broker.core.lines);
      for (let m = 0; m <= random.below(3); m++) {
        const peer = new Peer(this.small, link);
        peer.credit.setLimit(random.pick([0, 1, 1, 2, 5]));
        this.peers.push(peer);
      }
    }
    for (let n = random.below(8) + 1; n > 0; n--) this.join();
  }

  join(): void {
    const { random } = this;
    const peer = random.pick(this.peers);
    const prefetch = random.pick([0, 0, 1, 3]);
    const priority = random.pick([0, 0, 0, 5]);
    const noAck = random.below(4) === 0;
    peer.subscribe(random.pick(this.queues), `c${this.tags++}`, noAck, prefetch, priority);
  }

  leave(): void {
    const peer = this.random.pick(this.peers);
    if (peer.consumers.length > 0) peer.cancel(this.random.pick(peer.consumers));
  }

  publish(): void {
    const { name } = this.random.pick(this.queues);
    for (let n = this.random.below(6); n >= 0; n--) this.small.publish({ routingKey: name });
  }

  ack(): void {
    const peer = this.random.pick(this.peers);
    if (peer.owed.length > 0) peer.ack(this.random.below(peer.owed.length));
  }

  step(): void {
    const { random } = this;
    const { link } = random.pick(this.peers);
    const steps = [
      () => this.publish(),
      () => this.publish(),
      () => this.ack(),
      () => this.ack(),
      () => this.ack(),
      () => this.join(),
      () => this.leave(),
      () => link.fill(),
      () => link.drain(),
      () => {
        random.pick(this.peers).credit.setLimit(random.pick([0, 1, 2, 5]));
      },
      () => settle(this.small),
      () => settle(this.small),
    ];
    random.pick(steps)();
  }

  /** At rest no queue keeps a message from a consumer that nothing holds back. */
  checkRest(): void {
    settle(this.small);
    for (const peer of this.peers) {
      for (const consumer of peer.consumers) {
        if (consumer.queue.readyCount === 0 || peer.isHeld(consumer)) continue;
        throw new Error(`${consumer.tag} starves at ${consumer.queue.name}`);
      }
    }
  }

  /** All peers ack and read on until nothing comes any more: then nothing may be left. */
  finish(): void {
    for (const queue of this.queues) {
      const peer = this.random.pick(this.peers);
      if (queue.consumers.length === 0) peer.subscribe(queue, `last ${queue.name}`, false, 1);
    }
    for (let n = 0; n < 10_000; n++) {
      for (const { link } of this.peers) if (link.stuck) link.drain();
      this.checkRest();
      const owing = this.peers.filter(({ owed }) => owed.length > 0);
      if (owing.length === 0) break;
      this.random.pick(owing).ack(0);
    }
    for (const { name, readyCount, unackedCount } of this.queues) {
      expect([name, readyCount, unackedCount]).toEqual([name, 0, 0]);
    }
  }
}

test('whatever consumers share, no message stays with a consumer free to take it', () => {
  const seeds = process.env['SEED'] ? [Number(process.env['SEED'])] : null;
  const first = Math.floor(Math.random() * 2 ** 31);
  for (let n = 0; n < TOPOLOGIES; n++) {
    const seed = seeds?.[0] ?? first + n;
    try {
      const topology = new Topology(new Random(seed));
      for (let step = 0; step < STEPS; step++) topology.step();
      topology.checkRest();
      topology.finish();
    } catch (cause) {
      throw new Error(`SEED=${seed}: ${(cause as Error).message}`, { cause });
    }
    if (seeds !== null) return;
  }
});

/** How far apart the shares are. */
function spread(peers: Peer[], consumers: readonly Consumer[]): number {
  const shares = consumers.map((each) => {
    const peer = peers.find(({ given }) => given.has(each));
    return peer?.given.get(each) ?? 0;
  });
  return Math.max(...shares) - Math.min(...shares);
}

/** Queues that never run dry, in whatever order their publishers come. */
function flood(small: SmallBroker, random: Random, names: readonly string[], each: number): void {
  for (const name of [...names].sort(() => random.below(3) - 1)) {
    for (let n = 0; n < each; n++) small.publish({ routingKey: name });
  }
}

test.each([1, 2, 3, 10])('queues that share a limit of %i have equal shares of it', (limit) => {
  const random = new Random(limit);
  for (let queues = 2; queues <= 6; queues++) {
    const small = new SmallBroker();
    const names = Array.from({ length: queues }, (_, n) => `q${n}`);
    const peer = new Peer(small, new SimLink(small.broker.core.lines));
    peer.credit.setLimit(limit);
    const all = names.map((name) => peer.subscribe(small.declare(name, false), name, false, 0));
    for (let n = 0; n < 200; n++) {
      // The first queue is touched before the credit comes back, each time: that must win nothing.
      flood(small, random, names, 3);
      for (let acks = random.below(limit) + 1; acks > 0 && peer.owed.length > 0; acks--)
        peer.ack(0);
      settle(small);
    }
    expect(spread([peer], all), `${queues} queues`).toBeLessThanOrEqual(2 * limit + 1);
  }
});

test('a queue at its length limit, which delivers as it is published to, takes no turn from others', () => {
  const small = new SmallBroker();
  const peer = new Peer(small, new SimLink(small.broker.core.lines));
  peer.credit.setLimit(1);
  const bounded = small.declare('bounded', false, { 'x-max-length': { type: 'I', value: 2 } });
  const all = [bounded, small.declare('plain', false)].map((queue) =>
    peer.subscribe(queue, queue.name, false, 0),
  );
  for (let n = 0; n < 100; n++) {
    small.publish({ routingKey: 'plain' });
    if (peer.owed.length > 0) peer.ack(0);
    for (let m = 0; m < 4; m++) small.publish({ routingKey: 'bounded' });
    settle(small);
  }
  expect(spread([peer], all)).toBeLessThanOrEqual(2);
});

test('queues whose consumers share a slow connection have equal shares of it', () => {
  const small = new SmallBroker();
  const link = new SimLink(small.broker.core.lines);
  const peers = [new Peer(small, link), new Peer(small, link)];
  const random = new Random(7);
  const names = ['a', 'b', 'c', 'd'];
  const all = names.map((name, n) =>
    (peers[n % 2] as Peer).subscribe(small.declare(name, false), name, true, 0),
  );
  for (let n = 0; n < 200; n++) {
    flood(small, random, ['a', 'a', 'b', 'c', 'd'], 5);
    // The socket takes as much as five messages, then no more.
    for (const peer of peers) peer.room = 5;
    link.drain();
    settle(small);
  }
  expect(spread(peers, all)).toBeLessThanOrEqual(20);
});

test('a connection that takes output again serves those who waited before a queue at its limit', () => {
  const small = new SmallBroker();
  const link = new SimLink(small.broker.core.lines);
  const peer = new Peer(small, link);
  const bounded = small.declare('bounded', false, { 'x-max-length': { type: 'I', value: 2 } });
  const all = [bounded, small.declare('plain', false)].map((queue) =>
    peer.subscribe(queue, queue.name, true, 0),
  );
  for (let n = 0; n < 100; n++) {
    for (let m = 0; m < 3; m++) small.publish({ routingKey: 'plain' });
    peer.room = 3;
    link.drain();
    for (let m = 0; m < 5; m++) small.publish({ routingKey: 'bounded' });
    settle(small);
  }
  expect(spread([peer], all)).toBeLessThanOrEqual(100);
  expect(peer.given.get(all[1] as Consumer)).toBeGreaterThan(100);
});

test('consumers of one queue take turns, whatever their channels', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', false);
  const peers = Array.from(
    { length: 3 },
    () => new Peer(small, new SimLink(small.broker.core.lines)),
  );
  const limits = [0, 1, 4];
  for (const [n, peer] of peers.entries()) peer.credit.setLimit(limits[n] as number);
  const all = peers.map((peer, n) => peer.subscribe(queue, `c${n}`, n === 0, 0));
  for (let n = 0; n < 300; n++) {
    small.publish({ routingKey: 'q' });
    settle(small);
    for (const peer of peers) while (peer.owed.length > 0) peer.ack(0);
  }
  expect(spread(peers, all)).toBeLessThanOrEqual(2);
});

test('a lower priority is served while the higher is without credit, and only then', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', false);
  const [first, second] = [1, 2].map(() => new Peer(small, new SimLink(small.broker.core.lines)));
  const high = first?.subscribe(queue, 'high', false, 1, 9) as Consumer;
  const low = second?.subscribe(queue, 'low', false, 0) as Consumer;
  for (let n = 0; n < 10; n++) small.publish({ routingKey: 'q' });
  settle(small);
  expect([first?.given.get(high), second?.given.get(low)]).toEqual([1, 9]);
  first?.ack(0);
  for (let n = 0; n < 3; n++) small.publish({ routingKey: 'q' });
  settle(small);
  expect([first?.given.get(high), second?.given.get(low)]).toEqual([2, 11]);
});

test('under a shared limit the higher priority of one queue goes first as well', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', false);
  const peer = new Peer(small, new SimLink(small.broker.core.lines));
  peer.credit.setLimit(1);
  const low = peer.subscribe(queue, 'low', false, 0);
  const high = peer.subscribe(queue, 'high', false, 0, 9);
  for (let n = 0; n < 10; n++) small.publish({ routingKey: 'q' });
  for (let n = 0; n < 10; n++) {
    settle(small);
    peer.ack(0);
  }
  expect([peer.given.get(high), peer.given.get(low)]).toEqual([10, undefined]);
});
