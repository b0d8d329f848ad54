// Owns the tests of acts that take long: they go on in slices, in order, whole where that is promised, and
// others are served meanwhile. The clock runs with each look at it, so that every slice is short.

import { expect, test } from 'vitest';
import { CLOSED } from '../../src/server/states.ts';
import { eventually } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { CreepingClock, holdActs } from './creeping.ts';
import { publication } from './scripted.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();

const clock = new CreepingClock();

async function creep(): Promise<TestServer> {
  clock.creeps = false;
  const broker = await start({ heartbeatSeconds: 0, unfinishedTimeoutMs: Infinity }, clock);
  return broker;
}

function queueOf(broker: TestServer, name: string) {
  const queue = broker.server.broker.vhost('/').queues.get(name);
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
}

function publishMany(raw: RawConnection, routingKey: string, count: number): void {
  const frames = Array.from({ length: count }, (_, i) =>
    publication(1, { routingKey }, {}, Buffer.from(String(i))),
  );
  raw.write(Buffer.concat(frames));
}

/** Has so many deliveries unacked on channel 1. */
async function takeMany(broker: TestServer, raw: RawConnection, count: number): Promise<void> {
  await raw.call(1, 'queue.declare', { queue: 'q' });
  publishMany(raw, 'q', count);
  await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'c' });
  await eventually(() => queueOf(broker, 'q').unackedCount === count, 'all deliveries');
  for (let i = 0; i < count; i++) await raw.message(1);
}

test('thousands that are requeued at once come back in order, before the next answer', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const other = await broker.open();
  await takeMany(broker, raw, 3000);
  raw.send(1, 'basic.cancel', { consumerTag: 'c' });
  await raw.next(1);
  clock.creeps = true;
  const goOn = holdActs(broker);
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true }),
      encodeMethod(1, 'queue.declare', { queue: 'q', passive: true }),
    ]),
  );
  await eventually(() => broker.server.broker.core.slices.any, 'the act');
  const seen = (await other.call(1, 'queue.declare', { queue: 'q', passive: true }))[
    'messageCount'
  ];
  expect(seen, 'a bystander is answered in the midst of it').toBeLessThan(3000);
  goOn();
  expect((await raw.next(1))['messageCount']).toBe(3000);
  clock.creeps = false;
  for (let i = 0; i < 3000; i++) {
    raw.send(1, 'basic.get', { queue: 'q', noAck: true });
    expect((await raw.message(1)).body.toString()).toBe(String(i));
  }
});

test('thousands that are acked at once are settled before the next method of that peer', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await takeMany(broker, raw, 3000);
  clock.creeps = true;
  raw.send(1, 'basic.ack', { deliveryTag: 2900, multiple: true });
  raw.send(1, 'basic.ack', { deliveryTag: 2901 });
  await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(queueOf(broker, 'q').unackedCount).toBe(99);
  clock.creeps = false;
});

/** Subscribes so many consumers to `q` on channel 1. */
async function subscribeMany(broker: TestServer, raw: RawConnection, count: number): Promise<void> {
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const frames = Array.from({ length: count }, (_, i) =>
    encodeMethod(1, 'basic.consume', { queue: 'q', consumerTag: `c${i}` }),
  );
  raw.write(Buffer.concat(frames));
  for (let i = 0; i < count; i++) expect((await raw.next(1)).name).toBe('basic.consume-ok');
  expect(queueOf(broker, 'q').consumers).toHaveLength(count);
}

test('thousands of consumers end with their channel, and are given nothing meanwhile', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const other = await broker.open();
  await subscribeMany(broker, raw, 3000);
  clock.creeps = true;
  const goOn = holdActs(broker);
  raw.send(1, 'channel.close', { replyCode: 200 });
  await eventually(() => broker.server.broker.core.slices.any, 'the act');
  other.write(publication(1, { routingKey: 'q' }, {}, Buffer.from('later')));
  const seen = await other.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(seen['consumerCount'], 'some are there yet').toBeGreaterThan(0);
  goOn();
  expect((await raw.next(1)).name).toBe('channel.close-ok');
  clock.creeps = false;
  expect(queueOf(broker, 'q').consumers).toHaveLength(0);
  other.send(1, 'basic.get', { queue: 'q', noAck: true });
  const { method, body } = await other.message(1);
  expect([method['redelivered'], body.toString()]).toEqual([false, 'later']);
});

test('thousands of consumers hear in their order of a queue that is deleted step by step', async () => {
  const broker = await creep();
  const raw = await broker.open({ capabilities: { consumer_cancel_notify: true } });
  const other = await broker.open();
  await subscribeMany(broker, raw, 1000);
  clock.creeps = true;
  const goOn = holdActs(broker);
  raw.send(1, 'queue.delete', { queue: 'q' });
  await eventually(() => broker.server.broker.core.slices.any, 'the act');
  const seen = await other.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(seen['consumerCount']).toBeGreaterThan(0);
  goOn();
  expect((await raw.next(1)).name).toBe('queue.delete-ok');
  clock.creeps = false;
  for (let i = 0; i < 1000; i++) {
    expect(await raw.next(1)).toMatchObject({ name: 'basic.cancel', consumerTag: `c${i}` });
  }
});

test('what has many bindings is gone when its deletion is answered, and others are served before', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const other = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q', autoDelete: true });
  await raw.call(1, 'exchange.declare', { exchange: 'x', type: 'direct', durable: true });
  await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'c' });
  const vhost = broker.server.broker.vhost('/');
  const bindAll = (): void => {
    for (let i = 0; i < 1000; i++) {
      vhost.bindings.bind(vhost.exchange('x'), queueOf(broker, 'q'), `k${i}`, new Map());
    }
  };
  const deletions = [
    ['basic.cancel', { consumerTag: 'c' }],
    ['queue.delete', { queue: 'q' }],
    ['exchange.delete', { exchange: 'x' }],
  ] as const;
  for (const [name, fields] of deletions) {
    await raw.call(1, 'queue.declare', { queue: 'q', autoDelete: true });
    bindAll();
    clock.creeps = true;
    const goOn = holdActs(broker);
    const again = encodeMethod(1, 'exchange.declare', { exchange: 'x', type: 'direct' });
    const declared = encodeMethod(1, 'queue.declare', { queue: 'q', passive: true });
    const behind = name === 'exchange.delete' ? again : declared;
    raw.write(Buffer.concat([encodeMethod(1, name, fields), behind]));
    await eventually(() => broker.server.broker.core.slices.any, 'the act');
    await other.call(1, 'queue.declare', { queue: 'q', passive: true });
    goOn();
    expect((await raw.next(1)).name, name).toBe(`${name}-ok`);
    const answer = await raw.next(1);
    clock.creeps = false;
    if (name === 'exchange.delete') expect(answer.name).toBe('exchange.declare-ok');
    else {
      expect(answer).toMatchObject({ name: 'channel.close', replyCode: 404 });
      raw.send(1, 'channel.close-ok', {});
      await raw.call(1, 'channel.open', {});
    }
  }
});

test('a channel that closes has given everything back when it is answered', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await takeMany(broker, raw, 3000);
  clock.creeps = true;
  await raw.call(1, 'channel.close', { replyCode: 200 });
  expect(queueOf(broker, 'q').readyCount).toBe(3000);
  expect(queueOf(broker, 'q').unackedCount).toBe(0);
  clock.creeps = false;
});

test('a connection that closes with many exclusive queues is answered when all are gone', async () => {
  const broker = await creep();
  const raw = await broker.open();
  for (let i = 0; i < 200; i++) {
    await raw.call(1, 'queue.declare', { queue: `mine-${i}`, exclusive: true });
  }
  clock.creeps = true;
  expect(await raw.call(0, 'connection.close', { replyCode: 200 })).toMatchObject({
    name: 'connection.close-ok',
  });
  expect(broker.server.broker.vhost('/').queues.size).toBe(0);
  clock.creeps = false;
});

test('a connection that breaks amid a long act gives everything back', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await takeMany(broker, raw, 3000);
  clock.creeps = true;
  const goOn = holdActs(broker);
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  await eventually(() => broker.server.broker.core.slices.any, 'the act');
  raw.drop();
  const [connection] = broker.server.openConnections;
  await eventually(() => connection?.state === CLOSED, 'the end of the socket');
  expect(queueOf(broker, 'q').unackedCount).toBeGreaterThan(0);
  goOn();
  await eventually(() => broker.connectionCount === 0, 'the end of the connection');
  expect(queueOf(broker, 'q').unackedCount).toBe(0);
  await eventually(() => !broker.server.broker.core.slices.any, 'the end of all acts');
  clock.creeps = false;
});

test('a message to hundreds of queues goes into one batch with all of them', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await raw.call(1, 'exchange.declare', { exchange: 'wide', type: 'fanout' });
  const count = 600;
  for (let i = 0; i < count; i++) {
    await raw.call(1, 'queue.declare', { queue: `w${i}`, durable: true });
    await raw.call(1, 'queue.bind', { queue: `w${i}`, exchange: 'wide' });
  }
  await raw.call(1, 'confirm.select');
  const { core: heart } = broker.server.broker;
  const seal = heart.seal.bind(heart);
  const filled = new Set<number>();
  heart.seal = () => {
    let full = 0;
    for (let i = 0; i < count; i++) full += queueOf(broker, `w${i}`).readyCount;
    filled.add(full);
    seal();
  };
  clock.creeps = true;
  raw.publish(1, { exchange: 'wide' }, { deliveryMode: 2 }, Buffer.from('all'));
  raw.publish(1, { routingKey: 'w0' }, { deliveryMode: 2 }, Buffer.from('behind'));
  const tags = new Set<number>();
  while (!tags.has(2)) tags.add((await raw.next(1))['deliveryTag'] as number);
  clock.creeps = false;
  heart.seal = seal;
  expect([...filled].filter((full) => full > 0 && full < count)).toEqual([]);
  for (let i = 0; i < count; i++) expect(queueOf(broker, `w${i}`).readyCount).toBe(i === 0 ? 2 : 1);
  raw.send(1, 'basic.get', { queue: 'w0', noAck: true });
  expect((await raw.message(1)).body.toString()).toBe('all');
});

test('a long commit goes into one batch', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.call(1, 'tx.select');
  const count = 1000;
  const one = publication(1, { routingKey: 'q' }, { deliveryMode: 2 }, Buffer.from('m'));
  raw.write(Buffer.concat(Array.from({ length: count }, () => one)));
  const { core: heart } = broker.server.broker;
  const seal = heart.seal.bind(heart);
  const filled = new Set<number>();
  heart.seal = () => {
    filled.add(queueOf(broker, 'q').readyCount);
    seal();
  };
  clock.creeps = true;
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
  clock.creeps = false;
  heart.seal = seal;
  expect([...filled].filter((full) => full > 0 && full < count)).toEqual([]);
  expect(queueOf(broker, 'q').readyCount).toBe(count);
});

/** Has a topic exchange whose walk for one key is long; returns that key. */
async function windingTopics(raw: RawConnection): Promise<string> {
  await raw.call(1, 'exchange.declare', { exchange: 'winding', type: 'topic' });
  await raw.call(1, 'queue.declare', { queue: 'q' });
  for (let ones = 1; ones <= 60; ones++) {
    const pattern = `${'*.'.repeat(ones)}${'#.a.'.repeat(Math.floor((250 - ones * 2) / 4))}#`;
    await raw.call(1, 'queue.bind', { queue: 'q', exchange: 'winding', routingKey: pattern });
  }
  return Array.from({ length: 127 }, () => 'a').join('.');
}

test('a publish whose route takes long to find waits for it, and what comes behind it too', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const other = await broker.open();
  const routingKey = await windingTopics(raw);
  await raw.call(1, 'queue.declare', { queue: 'late' });
  await raw.call(1, 'confirm.select');
  clock.creeps = true;
  const goOn = holdActs(broker);
  raw.write(
    Buffer.concat([
      publication(1, { exchange: 'winding', routingKey }, {}, Buffer.from('first')),
      publication(1, { routingKey: 'q' }, {}, Buffer.from('behind')),
    ]),
  );
  await eventually(() => broker.server.broker.core.slices.any, 'the walk');
  const seen = await other.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(seen['messageCount'], 'a bystander is answered in the midst of it').toBe(0);
  // Bindings that change meanwhile count: the walk begins anew.
  const vhost = broker.server.broker.vhost('/');
  vhost.bindings.bind(vhost.exchange('winding'), queueOf(broker, 'late'), '#', new Map());
  goOn();
  const tags = new Set<number>();
  while (!tags.has(2)) tags.add((await raw.next(1))['deliveryTag'] as number);
  clock.creeps = false;
  expect(queueOf(broker, 'late').readyCount).toBe(1);
  for (const body of ['first', 'behind']) {
    raw.send(1, 'basic.get', { queue: 'q', noAck: true });
    expect((await raw.message(1)).body.toString()).toBe(body);
  }
});

test('a large message with copies waits for the routes of all its keys', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const routingKey = await windingTopics(raw);
  await raw.call(1, 'confirm.select');
  clock.creeps = true;
  const headers = { CC: [routingKey.replace('a', 'b'), routingKey] };
  const body = Buffer.alloc(300_000, 7);
  raw.publish(1, { exchange: 'winding', routingKey: 'none' }, { headers }, body);
  expect((await raw.next(1)).name).toBe('basic.ack');
  clock.creeps = false;
  raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  expect((await raw.message(1)).body.equals(body)).toBe(true);
});

test('a publisher who may not write to the topic is refused after the walk, with the method named', async () => {
  const broker = await creep();
  const raw = await broker.open();
  const routingKey = await windingTopics(raw);
  await raw.call(1, 'exchange.declare', { exchange: 'inside', type: 'topic', internal: true });
  await raw.call(1, 'exchange.bind', {
    source: 'inside',
    destination: 'winding',
    routingKey: '#',
  });
  clock.creeps = true;
  raw.publish(1, { exchange: 'inside', routingKey }, {}, Buffer.from('m'));
  expect(await raw.next(1)).toMatchObject({ name: 'channel.close', classId: 60, methodId: 40 });
  clock.creeps = false;
});

test('a get behind more that expired than one turn has time for is answered with what lives', async () => {
  const broker = await creep();
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'dead' });
  const letters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
  await raw.call(1, 'queue.declare', { queue: 'q', arguments: letters });
  clock.creeps = true;
  const expired = publication(1, { routingKey: 'q' }, { expiration: '0' }, Buffer.from('late'));
  raw.write(
    Buffer.concat([
      ...Array.from({ length: 100 }, () => expired),
      publication(1, { routingKey: 'q' }, {}, Buffer.from('lives')),
      encodeMethod(1, 'basic.get', { queue: 'q', noAck: true }),
      encodeMethod(1, 'basic.get', { queue: 'dead', noAck: true }),
    ]),
  );
  expect((await raw.message(1)).body.toString()).toBe('lives');
  expect((await raw.message(1)).body.toString()).toBe('late');
  clock.creeps = false;
  expect(queueOf(broker, 'dead').readyCount).toBe(99);
});
