// Owns the tests of queues with groups: whose message goes out, what holds a group up and what frees it, and what is left
// of the order after a crash.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { browsePage } from '../../../../src/broker/queue/messages/visiting.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { withSeed } from '../../../amqp/random.ts';
import { settledPages, wrongReferences } from '../../inspect.ts';
import { purgeNow } from '../../purge.ts';
import { type Given, SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });

interface World {
  readonly small: SmallBroker;
  readonly queue: Queue;
}

function grouped(args: Record<string, Field> = {}): World {
  const small = new SmallBroker();
  small.declare('dead');
  const dead = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('dead') };
  const queue = small.declare('q', true, { 'x-group-header': text('tenant'), ...dead, ...args });
  return { small, queue };
}

/** Publishes messages such as `a1`, whose group is the letter; `-1` has none. */
function send({ small }: World, ...bodies: string[]): void {
  for (const body of bodies) {
    const group = body.slice(0, 1);
    const headers = new Map(group === '-' ? [] : [['tenant', text(group)] as const]);
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, headers } }, Buffer.from(body));
  }
}

/** What came since the last call, in order. */
function watch(world: World, prefetch = 0): () => string[] {
  const given: Given[] = world.small.consume(world.queue, prefetch);
  return () => {
    world.small.run();
    return given.splice(0).map(({ position }) => world.small.bodyAt(position));
  };
}

/** Takes one as basic.get does; null: there is none that may go. */
function take({
  small,
  queue,
}: World): { readonly body: string; readonly seq: number; readonly redelivered: boolean } | null {
  let entry = queue.get();
  if (entry === null && queue.waitsForMark) {
    small.commit();
    entry = queue.get();
  }
  if (entry === null) return null;
  const { seq, position, redelivered } = entry;
  return { body: small.bodyAt(position), seq, redelivered };
}

function again(small: SmallBroker): World {
  return { small, queue: small.queue('q') };
}

/** Takes and acks all that may go out. */
function drain(world: World): string[] {
  const bodies: string[] = [];
  for (let got = take(world); got !== null; got = take(world)) {
    bodies.push(got.body);
    world.queue.settle(got.seq);
  }
  return bodies;
}

test('groups go out in turns, one message of each at a time, and each in its order', () => {
  const world = grouped();
  send(world, 'a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1');
  const first = [take(world), take(world), take(world)];
  expect(first.map((got) => got?.body)).toEqual(['a1', 'b1', 'c1']);
  expect(take(world)).toBeNull();
  expect([world.queue.readyCount, world.queue.unackedCount]).toEqual([4, 3]);
  world.queue.settle(first[1]?.seq as number);
  expect(take(world)?.body).toBe('b2');
  expect(take(world)).toBeNull();
});

test('an ack, a rejection, a dead letter and an expiry free the group, and consumers are given the next', () => {
  const world = grouped({ 'x-delivery-limit': int(0) });
  const came = watch(world);
  send(world, 'a1', 'a2', 'a3', 'a4');
  const seqs: number[] = [];
  const channel = world.queue.consumers[0]?.channel as unknown as {
    deliver: (...args: unknown[]) => void;
  };
  const deliver = channel.deliver.bind(channel);
  channel.deliver = (...args) => {
    seqs.push(args[2] as number);
    deliver(...args);
  };
  expect(came()).toEqual(['a1']);
  world.queue.settle(seqs.at(-1) as number);
  expect(came()).toEqual(['a2']);
  world.queue.reject(seqs.at(-1) as number);
  expect(came()).toEqual(['a3']);
  world.queue.requeue(seqs.at(-1) as number);
  expect(came()).toEqual(['a4']);
  expect(world.small.queue('dead').readyCount).toBe(2);
});

test('what is put back goes out first in its group, as redelivered', () => {
  const world = grouped({ 'x-group-concurrency': int(2) });
  send(world, 'a1', 'a2', 'a3', 'b1');
  const [a1, b1, a2] = [take(world), take(world), take(world)];
  expect([a1, b1, a2].map((got) => got?.body)).toEqual(['a1', 'b1', 'a2']);
  expect(take(world)).toBeNull();
  world.queue.requeue(a2?.seq as number);
  world.queue.requeue(a1?.seq as number);
  expect([take(world), take(world)]).toMatchObject([
    { body: 'a1', redelivered: true },
    { body: 'a2', redelivered: true },
  ]);
});

test('what waits to be tried again holds up its group alone, also after a crash', () => {
  const world = grouped({ 'x-delayed-retry-min': int(1_000) });
  send(world, 'a1', 'a2', 'b1', 'b2');
  world.queue.requeue(take(world)?.seq as number);
  expect(drain(world)).toEqual(['b1', 'b2']);
  world.small.commit();
  const second = again(world.small.crashed());
  expect(take(second)).toBeNull();
  expect([second.queue.readyCount, second.queue.delays.count]).toEqual([1, 1]);
  second.small.pass(1_000);
  expect(take(second)).toMatchObject({ body: 'a1', redelivered: true });
  expect(take(second)).toBeNull();
});

test('what is dropped or sent while it waits frees its group', () => {
  for (const act of ['one', 'all', 'send'] as const) {
    const world = grouped({ 'x-delayed-retry-min': int(60_000) });
    send(world, 'a1', 'a2');
    world.queue.requeue(take(world)?.seq as number);
    expect(take(world)).toBeNull();
    const [entry] = world.queue.delays.soonest(1, null).entries;
    if (act === 'all') expect(world.queue.delays.drop()).toBe(1);
    else world.queue.delays.handle(act === 'one' ? 'drop' : 'send', entry as never);
    expect(drain(world)).toEqual(act === 'send' ? ['a1', 'a2'] : ['a2']);
  }
});

test('messages without the header have one turn in common, and do not wait for each other', () => {
  const world = grouped();
  send(world, '-1', '-2', '-3', 'a1', 'a2');
  const came = watch(world);
  expect(came()).toEqual(['-1', 'a1', '-2', '-3']);
});

test('without a header the concurrency bounds what all consumers hold together', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-group-concurrency': int(3) });
  const given = [small.consume(queue), small.consume(queue)];
  small.fill('q', 10);
  small.run();
  expect(given.map(({ length }) => length)).toEqual([2, 1]);
  expect(queue.get()).toBeNull();
  const [first, second, third] = given.flat() as [Given, Given, Given];
  queue.settle(first.seq);
  small.run();
  expect(given.map(({ length }) => length)).toEqual([2, 2]);
  queue.applyPolicy(null, new Map([['group-concurrency', 1]]));
  for (const { seq } of [second, third]) queue.settle(seq);
  small.run();
  expect(queue.unackedCount).toBe(1);
  queue.applyPolicy(null, null);
  small.run();
  expect(queue.unackedCount).toBe(3);
});

test('of consumers that take turns none is passed over because a group was not free', () => {
  const world = grouped();
  const { small, queue } = world;
  const given = [small.consume(queue), small.consume(queue)];
  send(world, ...Array.from({ length: 40 }, (_, n) => `a${n}`));
  for (let n = 0; n < 40; n++) {
    small.run();
    const out = given.flat();
    queue.settle((out.find(({ seq }) => seq === n) as Given).seq);
  }
  expect(given.map(({ length }) => length)).toEqual([20, 20]);
});

test('a policy changes how many of a group may be out, and frees groups at once', () => {
  const world = grouped();
  send(world, 'a1', 'a2', 'a3', 'b1');
  const came = watch(world);
  expect(came()).toEqual(['a1', 'b1']);
  world.queue.applyPolicy(new Map([['group-concurrency', 2]]), null);
  expect(came()).toEqual(['a2']);
});

test('a rate holds for all groups together', () => {
  const world = grouped({ 'x-delivery-rate': text('2/s') });
  send(world, 'a1', 'b1', 'c1');
  const came = watch(world);
  expect(came()).toEqual(['a1', 'b1']);
  world.small.pass(500);
  expect(came()).toEqual(['c1']);
});

test('a purge leaves what is out where it is, and frees nothing else', () => {
  const world = grouped();
  const letters = 'abcdefgh';
  send(
    world,
    ...Array.from({ length: 3_000 }, (_, n) => `${letters[Math.floor(n / 400)] ?? '-'}${n}`),
  );
  const out = Array.from({ length: 5 }, () => take(world)?.seq as number);
  world.small.commit();
  expect(purgeNow(world.queue)).toBe(2_995);
  expect([world.queue.readyCount, world.queue.unackedCount]).toEqual([0, 5]);
  send(world, 'a-new', 'i-new');
  expect(take(world)?.body).toBe('i-new');
  expect(take(world)).toBeNull();
  for (const seq of out.slice(1)) world.queue.settle(seq);
  world.queue.requeue(out[0] as number);
  world.small.run();
  expect(drain(world)).toEqual(['a0', 'a-new']);
  world.small.run();
  expect(settledPages(world.queue)).toBe(0);
  expect(wrongReferences(world.small.broker, [world.queue, world.small.queue('dead')])).toBeNull();
});

test('a queue over its length loses its oldest ready message, whatever is out', () => {
  const world = grouped({ 'x-max-length': int(3) });
  send(world, 'a1', 'a2', 'b1');
  expect(take(world)?.body).toBe('a1');
  send(world, 'a3', 'b2');
  world.small.run();
  expect(world.queue.readyCount).toBe(3);
  expect(world.small.queue('dead').readyCount).toBe(1);
  expect(drain(world)).toEqual(['b1', 'b2']);
});

test('what has expired is never given out, also where it is not the oldest', () => {
  const world = grouped();
  send(world, 'a1', 'a2');
  const properties = {
    deliveryMode: 2,
    expiration: '100',
    headers: new Map([['tenant', text('b')]]),
  };
  for (const body of ['b1', 'b2'])
    world.small.publish({ routingKey: 'q', properties }, Buffer.from(body));
  send(world, 'b3');
  world.small.pass(101);
  expect(drain(world)).toEqual(['a1', 'b3', 'a2']);
  expect(world.small.queue('dead').readyCount).toBe(2);
});

test('after a clean stop those alone are redelivered that were out', () => {
  const world = grouped();
  send(world, 'a1', 'a2', 'b1', 'c1');
  take(world);
  const b1 = take(world);
  world.queue.requeue(b1?.seq as number);
  world.queue.requeue(0);
  const { small } = world;
  const third = again(small.restarted());
  const flags: Record<string, boolean> = {};
  for (let got = take(third); got !== null; got = take(third)) {
    flags[got.body] = got.redelivered;
    third.queue.settle(got.seq);
  }
  expect(flags).toEqual({ a1: true, b1: true, c1: false, a2: false });
});

test('places of messages that are gone are not given out anew, over a stop and a crash', () => {
  const world = grouped();
  send(world, 'a0', ...Array.from({ length: 1_000 }, (_, n) => `-${n}`));
  const [first] = [take(world)];
  drain(world);
  world.queue.requeue(first?.seq as number);
  const second = again(world.small.restarted());
  expect(second.queue.messages.laneSet.nextSeq(0)).toBe(1_001);
  expect(take(second)).toMatchObject({ body: 'a0', redelivered: true });
  second.small.commit();
  const third = again(second.small.crashed());
  expect(third.queue.messages.laneSet.nextSeq(0)).toBeGreaterThanOrEqual(1_001);
  expect(take(third)).toMatchObject({ body: 'a0', redelivered: true });
});

test('a message moved or set aside from the midst of a group leaves the rest in order', () => {
  const world = grouped();
  send(world, 'a1', 'a2', 'a3');
  const entries: Parameters<typeof world.queue.messages.removeReady>[0][] = [];
  browsePage(world.queue.messages.lanes, 0, (entry) => entries.push(entry));
  world.queue.messages.removeReady(entries[1] as (typeof entries)[0]);
  const first = take(world);
  const ready: boolean[] = [];
  browsePage(world.queue.messages.lanes, 0, (entry) => ready.push(entry.ready));
  expect(ready).toEqual([false, true]);
  world.queue.settle(first?.seq as number);
  expect(drain(world)).toEqual(['a3']);
  expect(world.queue.messages.grouped?.groups.count).toBe(0);
});

test('groups and a highest priority exclude each other, and a quorum queue with groups knows no priorities', () => {
  expect(() => grouped({ 'x-max-priority': int(5) })).toThrow(/group_header_with_max_priority/);
  expect(() => grouped({ 'x-group-header': text('') })).toThrow(/empty_group_header/);
  expect(() => grouped({ 'x-group-concurrency': int(0) })).toThrow(/value_zero/);
  const world = grouped({ 'x-queue-type': text('quorum') });
  for (const [body, priority] of [
    ['a1', 1],
    ['a2', 9],
  ] as const) {
    const properties = { deliveryMode: 2, priority, headers: new Map([['tenant', text('a')]]) };
    world.small.publish({ routingKey: 'q', properties }, Buffer.from(body));
  }
  expect(drain(world)).toEqual(['a1', 'a2']);
});

test('through crashes nothing is lost, no group is out of order or goes out too often, and none starves', () => {
  withSeed((random) => {
    const bound = random.pick([1, 2, 3]);
    let world = grouped({ 'x-group-concurrency': int(bound) });
    const letters = Array.from('abcdefghijklmnopqrstuvwxyz').slice(0, 1 + random.below(26));
    const acked = new Set<string>();
    const published: string[] = [];
    let out = new Map<number, string>();
    let ackedBefore = new Set<string>();
    const groupOf = (body: string): string => body.slice(0, 1);
    const numberOf = (body: string): number => Number(body.slice(1));
    const look = (): void => {
      const got = take(world);
      if (got === null) return;
      const { body, seq } = got;
      const mates = [...out.values()].filter((other) => groupOf(other) === groupOf(body));
      expect(mates.length).toBeLessThan(bound);
      expect(acked.has(body)).toBe(false);
      // All of its group that came before are acked, or out.
      for (const other of published) {
        if (groupOf(other) !== groupOf(body) || numberOf(other) >= numberOf(body)) continue;
        expect(acked.has(other) || mates.includes(other), `${other} before ${body}`).toBe(true);
      }
      out.set(seq, body);
    };
    const durable = (): void => {
      world.small.run();
      world.small.commit();
      ackedBefore = new Set(acked);
    };
    for (let step = 0; step < 400; step++) {
      const dice = random.below(20);
      const [seq] = [...out.keys()].slice(random.below(Math.max(1, out.size)));
      if (dice < 5) {
        const body = `${random.pick(letters)}${published.length}`;
        published.push(body);
        send(world, body);
      } else if (dice < 11) look();
      else if (dice < 15 && seq !== undefined) {
        world.queue.settle(seq);
        acked.add(out.get(seq) as string);
        out.delete(seq);
      } else if (dice < 17 && seq !== undefined) {
        world.queue.requeue(seq);
        out.delete(seq);
      } else if (dice === 17) durable();
      else if (dice === 18 && random.bool()) {
        durable();
        world = again(world.small.crashed());
        out = new Map();
        for (const body of acked) if (!ackedBefore.has(body)) acked.delete(body);
      }
    }
    for (const [seq, body] of out) {
      world.queue.settle(seq);
      acked.add(body);
    }
    const left = drain(world);
    for (const body of left) acked.add(body);
    expect([...acked].sort()).toEqual([...published].sort());
    expect(world.queue.messages.grouped?.groups.count).toBe(0);
    // While others have messages, no group comes twice.
    const seen = new Set<string>();
    const counts = new Map<string, number>();
    for (const body of left) counts.set(groupOf(body), (counts.get(groupOf(body)) ?? 0) + 1);
    for (const body of left.slice(0, counts.size)) {
      expect(seen.has(groupOf(body)), `${body} of ${left.join(' ')}`).toBe(false);
      seen.add(groupOf(body));
    }
  });
});
