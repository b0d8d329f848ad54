// Owns the tests of deliveries whose time runs out, as several workers of one queue see them. The clock is moved
// by hand.

import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type GetMessage,
} from 'amqplib';
import { afterEach, expect, test } from 'vitest';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { TICK_MS } from '../../../src/util/timers.ts';
import { eventually } from '../../support/amqp.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();
const connections: ChannelModel[] = [];
afterEach(async () => {
  for (const each of connections.splice(0)) await each.close();
});
const LEASE_MS = 5_000;
const LEASED = { 'x-consumer-timeout': LEASE_MS, 'x-consumer-timeout-action': 'requeue' };

/** A broker whose clock stands, and clients of it. */
class Bench {
  readonly server: TestServer;
  readonly connection: ChannelModel;
  private readonly clock: FakeClock;

  constructor(server: TestServer, clock: FakeClock, connection: ChannelModel) {
    this.server = server;
    this.clock = clock;
    this.connection = connection;
  }

  connect(login: string): Promise<ChannelModel> {
    return connectTo(this.server, login);
  }

  queue(name: string): Queue {
    return this.server.server.broker.vhost('/').queues.get(name) as Queue;
  }

  /** Lets time go by, tick by tick. */
  pass(ms: number): void {
    for (let gone = 0; gone < ms; gone += TICK_MS) {
      this.clock.nowMs += TICK_MS;
      this.server.server.wheel.advance();
    }
  }

  /** Lets the leases of all that is out by now run out. */
  expire(): void {
    this.pass(LEASE_MS + 2 * TICK_MS);
  }

  async channel(prefetch: number): Promise<Channel> {
    const channel = await this.connection.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(prefetch);
    return channel;
  }

  /** A channel in confirm mode, and what it says of the publishes that prolong a lease. */
  async leasing(prefetch: number): Promise<Leasing> {
    const channel = await this.connection.createConfirmChannel();
    channel.on('error', () => {});
    await channel.prefetch(prefetch);
    const prolong = (tag: unknown, timeoutMs: unknown, mandatory = false): Promise<boolean> =>
      new Promise((resolve) => {
        const headers = { 'x-consumer-timeout': timeoutMs };
        const key = String(tag);
        const told = (lost: unknown): void => resolve(lost === null || lost === undefined);
        channel.publish('amq.leases', key, Buffer.from(''), { headers, mandatory }, told);
      });
    return { channel, prolong };
  }

  /** A worker that acks nothing by itself. */
  async worker(queue: string, prefetch: number, args = {}): Promise<Worker> {
    const worker = new Worker(await this.channel(prefetch));
    const take = (message: ConsumeMessage | null): void => worker.take(message);
    const { consumerTag } = await worker.channel.consume(queue, take, { arguments: args });
    worker.tag = consumerTag;
    return worker;
  }
}

interface Leasing {
  readonly channel: ConfirmChannel;
  /** Resolves to whether the delivery is still out. */
  prolong(tag: unknown, timeoutMs: unknown, mandatory?: boolean): Promise<boolean>;
}

class Worker {
  readonly channel: Channel;
  readonly messages: ConsumeMessage[] = [];
  cancelled = false;
  closed = false;
  tag = '';
  /** Whether it does its work: what it holds and what comes is acked. */
  private works = false;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.on('close', () => {
      this.closed = true;
    });
  }

  take(message: ConsumeMessage | null): void {
    if (message === null) {
      this.cancelled = true;
      return;
    }
    this.messages.push(message);
    if (this.works) this.channel.ack(message);
  }

  work(): void {
    this.works = true;
    for (const message of this.messages) this.channel.ack(message);
  }

  get bodies(): string[] {
    return this.messages.map(({ content }) => content.toString());
  }
}

async function connectTo({ endpoint }: TestServer, login: string): Promise<ChannelModel> {
  const connection = await connect(`amqp://${login}@${endpoint.host}:${endpoint.port}`);
  connection.on('error', () => {});
  connections.push(connection);
  return connection;
}

async function setUp(queues: Record<string, object>): Promise<Bench> {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0 }, clock);
  const connection = await connectTo(server, 'guest:guest');
  const channel = await connection.createChannel();
  for (const [name, args] of Object.entries(queues)) {
    await channel.assertQueue(name, { arguments: args });
  }
  return new Bench(server, clock, connection);
}

async function publish(bench: Bench, queue: string, bodies: readonly string[]): Promise<void> {
  const channel = await bench.connection.createConfirmChannel();
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);

test('two good workers do everything beside one that hangs, which holds only what it had', async () => {
  const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
  const bench = await setUp({ jobs: { ...LEASED, ...dead, 'x-delivery-limit': 2 }, dead: {} });
  const hung = await bench.worker('jobs', 3);
  const good = [await bench.worker('jobs', 2), await bench.worker('jobs', 2)];
  await publish(bench, 'jobs', numbered(20));
  const queue = bench.queue('jobs');
  await eventually(() => hung.messages.length === 3 && queue.unackedCount === 7);
  const held = hung.bodies;
  for (const each of good) each.work();
  await eventually(() => queue.unackedCount === 3);
  expect(queue.counts.leasesExpired).toBe(0);
  bench.expire();
  await eventually(() => queue.messages.readyCount === 0 && queue.unackedCount === 0);
  // Long after that nothing has come to it again.
  await publish(bench, 'jobs', ['one more']);
  await eventually(() => queue.messages.readyCount === 0 && queue.unackedCount === 0);
  bench.pass(10 * LEASE_MS);
  expect(hung.bodies).toEqual(held);
  const done = good.flatMap(({ bodies }) => bodies);
  expect(done.toSorted()).toEqual([...numbered(20), 'one more'].toSorted());
  expect(bench.queue('dead').readyCount).toBe(0);
  expect(queue.counts).toMatchObject({ leasesExpired: 3, lateAcks: 0 });
});

test('what was taken back waits for a worker that is busy, and does not go to the late one', async () => {
  const bench = await setUp({ jobs: LEASED });
  const hung = await bench.worker('jobs', 10);
  await publish(bench, 'jobs', ['a', 'b']);
  await eventually(() => hung.messages.length === 2);
  const busy = await bench.worker('jobs', 1, { 'x-consumer-timeout': 20 * LEASE_MS });
  const queue = bench.queue('jobs');
  const [late] = queue.consumers;
  await publish(bench, 'jobs', ['c']);
  await eventually(() => busy.messages.length + hung.messages.length === 3);
  // One of the two has it, and the other one gets the next.
  await publish(bench, 'jobs', ['d']);
  await eventually(() => busy.messages.length === 1 && hung.messages.length === 3);
  bench.expire();
  expect(queue.readyCount).toBe(3);
  expect(late).toMatchObject({ unacked: 3, late: 3, prefetch: 10 });
  expect(hung.messages).toHaveLength(3);
  busy.work();
  await eventually(() => queue.readyCount === 0 && queue.unackedCount === 0);
  expect(busy.messages).toHaveLength(4);
  expect(hung.messages).toHaveLength(3);
});

test('an ack that comes late frees the place, and ends nothing', async () => {
  const bench = await setUp({ jobs: LEASED });
  const slow = await bench.worker('jobs', 2);
  const queue = bench.queue('jobs');
  await publish(bench, 'jobs', ['a', 'b', 'c']);
  await eventually(() => slow.messages.length === 2);
  bench.expire();
  expect(queue.readyCount).toBe(3);
  const [a, b] = slow.messages as [ConsumeMessage, ConsumeMessage];
  slow.channel.ack(b);
  await eventually(() => slow.messages.length === 3);
  expect(slow.bodies).toEqual(['a', 'b', 'a']);
  slow.channel.nack(a, false, true);
  await eventually(() => slow.messages.length === 4);
  slow.channel.ackAll();
  await eventually(() => slow.messages.length === 5);
  await eventually(() => queue.readyCount === 0 && queue.unackedCount === 1);
  expect(slow.bodies).toEqual(['a', 'b', 'a', 'b', 'c']);
  expect(queue.counts).toMatchObject({ leasesExpired: 2, lateAcks: 2, acked: 2 });
  expect(slow.closed).toBe(false);
  // A wrong one is told apart: this tag was settled in time.
  slow.channel.ack(slow.messages[3] as ConsumeMessage);
  await eventually(() => slow.closed);
});

test('an ack of all that came before takes the late ones with it, on every kind of channel', async () => {
  const bench = await setUp({ jobs: LEASED });
  const queue = bench.queue('jobs');
  const slow = await bench.worker('jobs', 3);
  await publish(bench, 'jobs', ['a', 'b', 'c']);
  await eventually(() => slow.messages.length === 3);
  bench.expire();
  const [consumer] = queue.consumers;
  expect(consumer).toMatchObject({ unacked: 3, late: 3 });
  slow.channel.ack(slow.messages[1] as ConsumeMessage, true);
  await eventually(() => slow.messages.length === 5);
  expect(consumer).toMatchObject({ unacked: 3, late: 1 });
  await slow.channel.recover();
  await eventually(() => slow.messages.length === 8);
  expect(consumer).toMatchObject({ unacked: 3, late: 0, heldLate: 0, room: 3 });
  expect(queue.counts).toMatchObject({ leasesExpired: 3, lateAcks: 2 });
});

test('a message that was got is taken back, and an ack of it that is late is harmless', async () => {
  const bench = await setUp({ jobs: LEASED });
  const channel = await bench.channel(0);
  await publish(bench, 'jobs', ['a']);
  const first = await channel.get('jobs');
  bench.pass(LEASE_MS - TICK_MS);
  expect(bench.queue('jobs').readyCount).toBe(0);
  bench.pass(3 * TICK_MS);
  expect(bench.queue('jobs').readyCount).toBe(1);
  channel.ack(first as GetMessage);
  const again = await channel.get('jobs');
  expect(again).toMatchObject({
    fields: { redelivered: true },
    properties: { headers: { 'x-delivery-count': 1, 'x-acquired-count': 1 } },
  });
  channel.ack(again as GetMessage);
  await channel.checkQueue('jobs');
  expect(bench.queue('jobs').counts).toMatchObject({ leasesExpired: 1, lateAcks: 1 });
});

test('what is taken back waits for its next attempt where the queue retries with backoff', async () => {
  const bench = await setUp({ jobs: { ...LEASED, 'x-delayed-retry-min': 60_000 } });
  const channel = await bench.channel(0);
  await publish(bench, 'jobs', ['a']);
  await channel.get('jobs');
  bench.expire();
  expect(bench.queue('jobs')).toMatchObject({ readyCount: 0, delayedCount: 1 });
});

test('the action `cancel` ends the late consumer alone, and its message goes to another one', async () => {
  const args = { 'x-consumer-timeout': LEASE_MS, 'x-consumer-timeout-action': 'cancel' };
  const bench = await setUp({ jobs: args, other: {} });
  const hung = await bench.worker('jobs', 2);
  const beside = new Worker(hung.channel);
  await hung.channel.consume('other', (message) => beside.take(message));
  await publish(bench, 'jobs', ['a']);
  await eventually(() => hung.messages.length === 1);
  const good = await bench.worker('jobs', 1);
  good.work();
  bench.expire();
  await eventually(() => hung.cancelled && good.messages.length === 1);
  expect(good.bodies).toEqual(['a']);
  expect(beside.cancelled).toBe(false);
  await publish(bench, 'other', ['b']);
  await eventually(() => beside.messages.length === 1);
  hung.channel.ack(hung.messages[0] as ConsumeMessage);
  hung.channel.ack(beside.messages[0] as ConsumeMessage);
  await eventually(() => bench.queue('other').unackedCount === 0);
  expect(hung.closed).toBe(false);
  expect(bench.queue('jobs').counts).toMatchObject({ leasesExpired: 1, lateAcks: 1 });
});

test('where clients take no notice of a cancel, and with the action `close`, the channel is closed', async () => {
  const bench = await setUp({ jobs: LEASED });
  const raw = await bench.server.open({ heartbeat: 0 });
  for (const [action, channel] of [
    ['cancel', 1],
    ['close', 2],
  ] as const) {
    if (channel > 1) await raw.openChannel(channel);
    const args = { 'x-consumer-timeout-action': action };
    await publish(bench, 'jobs', [action]);
    await raw.call(channel, 'basic.consume', { queue: 'jobs', arguments: args });
    await raw.message(channel);
    bench.expire();
    expect(await raw.next(channel)).toMatchObject({ name: 'channel.close', replyCode: 406 });
    raw.send(channel, 'channel.close-ok');
    await eventually(() => bench.queue('jobs').readyCount === 1);
    await bench.connection.createChannel().then((each) => each.purgeQueue('jobs'));
  }
});

test('a policy says what happens to what is out already', async () => {
  const bench = await setUp({ jobs: {} });
  const worker = await bench.worker('jobs', 1);
  await publish(bench, 'jobs', ['a']);
  await eventually(() => worker.messages.length === 1);
  const policy = new Map<string, string | number>([
    ['consumer-timeout', LEASE_MS],
    ['consumer-timeout-action', 'requeue'],
  ]);
  bench.queue('jobs').applyPolicy(policy, null);
  bench.expire();
  expect(bench.queue('jobs').readyCount).toBe(1);
  expect(worker.closed).toBe(false);
});

test('a worker prolongs its lease as often as it needs to, and no other delivery gets longer', async () => {
  const bench = await setUp({ jobs: LEASED });
  const { channel, prolong } = await bench.leasing(0);
  await publish(bench, 'jobs', ['long', 'short']);
  const [long, short] = [await channel.get('jobs'), await channel.get('jobs')] as [
    GetMessage,
    GetMessage,
  ];
  for (let n = 0; n < 5; n++) {
    bench.pass(LEASE_MS - TICK_MS);
    expect(await prolong(long.fields.deliveryTag, LEASE_MS)).toBe(true);
  }
  expect(bench.queue('jobs')).toMatchObject({ readyCount: 1, unackedCount: 1 });
  expect(await prolong(short.fields.deliveryTag, LEASE_MS)).toBe(false);
  bench.pass(LEASE_MS - TICK_MS);
  expect(bench.queue('jobs').unackedCount).toBe(1);
  bench.pass(2 * TICK_MS);
  expect(bench.queue('jobs')).toMatchObject({ readyCount: 2, unackedCount: 0 });
  expect(await prolong(long.fields.deliveryTag, LEASE_MS)).toBe(false);
  expect(bench.queue('jobs').counts).toMatchObject({ published: 0, leasesExpired: 2 });
});

test('a lease of nothing gives the message back at once, as one that did not fail', async () => {
  const retry = { 'x-delayed-retry-min': 60_000, 'x-delayed-retry-type': 'failed' };
  const bench = await setUp({ jobs: { ...LEASED, ...retry } });
  const { channel, prolong } = await bench.leasing(0);
  await publish(bench, 'jobs', ['a']);
  const first = (await channel.get('jobs')) as GetMessage;
  expect(await prolong(first.fields.deliveryTag, 0)).toBe(true);
  expect(bench.queue('jobs')).toMatchObject({ readyCount: 1, unackedCount: 0, delayedCount: 0 });
  expect(bench.queue('jobs').counts.leasesExpired).toBe(0);
});

test('without confirms, a mandatory publish that comes back says that a lease is lost', async () => {
  const bench = await setUp({ jobs: LEASED });
  const channel = await bench.channel(0);
  const returned: string[] = [];
  channel.on('return', ({ fields }) => returned.push(fields.exchange));
  await publish(bench, 'jobs', ['a']);
  const { fields } = (await channel.get('jobs')) as GetMessage;
  const headers = { 'x-consumer-timeout': '60000' };
  const prolong = (): boolean =>
    channel.publish('amq.leases', `${fields.deliveryTag}`, Buffer.from(''), {
      headers,
      mandatory: true,
    });
  prolong();
  await channel.checkQueue('jobs');
  bench.pass(59_000);
  expect(bench.queue('jobs').unackedCount).toBe(1);
  bench.pass(1_200);
  expect(returned).toEqual([]);
  prolong();
  await eventually(() => returned.length === 1);
  expect(returned).toEqual(['amq.leases']);
});

test.each([
  ['a tag that no delivery had', '2', 1000, 'unknown delivery tag 2'],
  ['a routing key that is no tag', 'a', 1000, "the routing key is a delivery tag, not 'a'"],
  ['no routing key', '', 1000, "the routing key is a delivery tag, not ''"],
  ['the tag for all', '0', 1000, "the routing key is a delivery tag, not '0'"],
  ['a time in the past', '1', -1, 'the header x-consumer-timeout is milliseconds from now'],
  ['no time', '1', undefined, 'the header x-consumer-timeout is milliseconds from now'],
  ['a word for a time', '1', 'soon', 'the header x-consumer-timeout is milliseconds from now'],
  ['a time without an end', '1', 1e15, 'the header x-consumer-timeout is milliseconds from now'],
])('%s is refused when a lease is prolonged, and says how to', async (_what, key, ms, text) => {
  const bench = await setUp({ jobs: LEASED });
  const { channel } = await bench.leasing(0);
  await publish(bench, 'jobs', ['a']);
  await channel.get('jobs');
  const failed = new Promise<Error>((resolve) => channel.on('error', resolve));
  const headers = ms === undefined ? {} : { 'x-consumer-timeout': ms };
  channel.publish('amq.leases', key, Buffer.from(''), { headers });
  expect((await failed).message).toContain('406 (PRECONDITION-FAILED)');
  expect((await failed).message).toContain(text);
});

test('the exchange for leases is there for a declaration, and in no list; it cannot be deleted or bound', async () => {
  const bench = await setUp({ jobs: LEASED });
  const attempt = async (act: (channel: Channel) => Promise<unknown>): Promise<string> => {
    const channel = await bench.channel(0);
    return act(channel).then(
      () => 'ok',
      (error: Error) => error.message,
    );
  };
  const name = 'amq.leases';
  expect(await attempt((channel) => channel.checkExchange(name))).toBe('ok');
  expect(await attempt((channel) => channel.assertExchange(name, 'direct'))).toBe('ok');
  expect(await attempt((channel) => channel.assertExchange(name, 'fanout'))).toContain('406');
  expect(await attempt((channel) => channel.deleteExchange(name))).toContain('403');
  expect(await attempt((channel) => channel.bindQueue('jobs', name, 'k'))).toContain('403');
  expect(await attempt((channel) => channel.bindExchange(name, 'amq.fanout', 'k'))).toContain(
    '403',
  );
  expect([...bench.server.server.broker.vhost('/').exchanges.keys()]).not.toContain(name);
});

test('a user that may write nowhere prolongs what it may consume', async () => {
  const bench = await setUp({ jobs: LEASED });
  const { access } = bench.server.server.broker;
  access.putUserNow({ name: 'reader', tags: [] }, 'secret', 1);
  access.setPermission({ user: 'reader', vhost: '/', configure: '', write: '', read: '.*' });
  await publish(bench, 'jobs', ['a']);
  const reader = await bench.connect('reader:secret');
  const channel = await reader.createConfirmChannel();
  await channel.get('jobs');
  const headers = { 'x-consumer-timeout': 10 * LEASE_MS };
  channel.publish('amq.leases', '1', Buffer.from(''), { headers });
  await channel.waitForConfirms();
  bench.pass(9 * LEASE_MS);
  expect(bench.queue('jobs').unackedCount).toBe(1);
});

test('of a queue with a single active consumer, another one takes over from one that is late', async () => {
  const bench = await setUp({ jobs: { ...LEASED, 'x-single-active-consumer': true } });
  const hung = await bench.worker('jobs', 1);
  const next = await bench.worker('jobs', 1);
  next.work();
  await publish(bench, 'jobs', ['a', 'b']);
  await eventually(() => hung.messages.length === 1);
  expect(next.messages).toEqual([]);
  bench.expire();
  await eventually(() => next.messages.length === 2);
  expect(next.bodies).toEqual(['a', 'b']);
  hung.work();
  await publish(bench, 'jobs', ['c']);
  await eventually(() => next.messages.length === 3);
  expect(hung.bodies).toEqual(['a']);
});
