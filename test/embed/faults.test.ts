import { type ConfirmChannel, connect } from 'amqplib';
import { describe, expect, test } from 'vitest';
import type { BrokerFaults } from '../../src/embed/options.ts';
import { PAUSED_BY_FAULT } from '../../src/server/backpressure/read-gate.ts';
import type { Server } from '../../src/server/server.ts';
import { privately } from '../server/support.ts';
import { eventually } from '../support/amqp.ts';
import { client, consume, get, Inbox, setUp, take } from './support.ts';

const TEXT = Buffer.from('text');

/** Publishes one message and resolves with what its confirm says. */
function publish(channel: ConfirmChannel, queue: string): Promise<'ack' | 'nack'> {
  return new Promise((resolve) => {
    channel.sendToQueue(queue, TEXT, {}, (error: unknown) => resolve(error ? 'nack' : 'ack'));
  });
}

describe('a lost ack', () => {
  test('leaves its message unacked, and it comes again on a new connection', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const inbox = await consume(channel, 'jobs');
    const fault = broker.faults.dropNextAck();
    await publish(channel, 'jobs');
    channel.ack(await inbox.next());
    await fault.done;
    expect(broker.faults.cutConnections()).toBe(1);
    const other = await (await client(broker.url)).createChannel();
    const again = await (await consume(other, 'jobs')).next();
    expect(again.fields.redelivered).toBe(true);
    other.ack(again);
    await broker.idle();
  });

  test('is the next one for the queue that was named', async () => {
    const { broker, channel } = await setUp();
    for (const queue of ['others', 'jobs']) await channel.assertQueue(queue);
    const fault = broker.faults.dropNextAck({ queue: 'jobs' });
    for (const queue of ['others', 'jobs']) {
      const inbox = await consume(channel, queue);
      await publish(channel, queue);
      expect(fault.happened).toBe(false);
      channel.ack(await inbox.next());
    }
    await fault.done;
    await broker.idle({ queues: ['others'] });
    await expect(broker.idle({ timeoutMs: 20 })).rejects.toThrow('1 unacked');
  });

  test('is one, and those after it are heard', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const inbox = await consume(channel, 'jobs');
    broker.faults.dropNextAck();
    await publish(channel, 'jobs');
    channel.ack(await inbox.next());
    await publish(channel, 'jobs');
    channel.ack(await inbox.next());
    await expect(broker.idle({ timeoutMs: 50 })).rejects.toThrow('0 ready and 1 unacked');
  });
});

describe('publishing', () => {
  test('is nacked once, and the message is nowhere', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const fault = broker.faults.nackNextPublish({ exchange: '', routingKey: 'jobs' });
    await channel.assertQueue('others');
    expect(await publish(channel, 'others')).toBe('ack');
    expect(await publish(channel, 'jobs')).toBe('nack');
    expect(fault.happened).toBe(true);
    expect(await take(channel, 'jobs')).toBe(null);
    expect(await publish(channel, 'jobs')).toBe('ack');
    expect(await take(channel, 'jobs')).toBe('text');
  });

  test('is never confirmed, though the message is there', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const fault = broker.faults.dropNextConfirm();
    let confirmed = false;
    void publish(channel, 'jobs').then(() => {
      confirmed = true;
    });
    await fault.done;
    expect(await take(channel, 'jobs')).toBe('text');
    expect(confirmed).toBe(false);
    expect(await publish(channel, 'jobs')).toBe('ack');
  });

  test('is confirmed when the clock has come that far', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const fault = broker.faults.delayNextConfirm(60_000);
    let confirmed = false;
    const confirm = publish(channel, 'jobs').then(() => {
      confirmed = true;
    });
    await fault.done;
    await broker.clock.advance(59_000);
    expect(await take(channel, 'jobs')).toBe('text');
    expect(confirmed).toBe(false);
    await broker.clock.advance(2_000);
    await confirm;
  });

  test('goes on after a fault that was taken back', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const fault = broker.faults.nackNextPublish();
    fault.cancel();
    broker.faults.nackNextPublish();
    broker.faults.dropNextConfirm();
    broker.faults.reset();
    expect(await publish(channel, 'jobs')).toBe('ack');
    expect(fault.happened).toBe(false);
  });
});

describe('a late publish', () => {
  test('arrives when the clock has come that far, before those behind it', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const inbox = await consume(channel, 'jobs');
    const other = await (await client(broker.url)).createConfirmChannel();
    const fault = broker.faults.delayNextPublish(60_000, { routingKey: 'jobs' });
    for (const text of ['one', 'two']) other.sendToQueue('jobs', Buffer.from(text));
    await fault.done;
    await publish(channel, 'jobs');
    await inbox.next();
    await broker.clock.advance(59_000);
    expect(inbox.bodies).toEqual(['text']);
    await broker.clock.advance(2_000);
    await other.waitForConfirms();
    for (const text of ['one', 'two']) {
      expect((await inbox.next()).content.toString()).toBe(text);
    }
  });

  test('arrives whole, however large it is', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const body = Buffer.alloc(3 * 2 ** 20, 'abc');
    const fault = broker.faults.delayNextPublish(1000);
    channel.sendToQueue('jobs', body);
    await fault.done;
    await broker.clock.advance(1100);
    await channel.waitForConfirms();
    expect((await get(channel, 'jobs')).content.equals(body)).toBe(true);
  });

  test('is given up with its connection', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const fault = broker.faults.delayNextPublish(1000);
    channel.sendToQueue('jobs', TEXT);
    await fault.done;
    broker.faults.cutConnections();
    await broker.clock.advance(2000);
    const other = await (await client(broker.url)).createChannel();
    expect(await take(other, 'jobs')).toBe(null);
  });
});

describe('publishers that are blocked', () => {
  test('are told so at their next publish, and go on afterwards', async () => {
    const { broker, connection, channel } = await setUp();
    await channel.assertQueue('jobs');
    const told = (event: 'blocked' | 'unblocked') =>
      new Promise((resolve) => connection.once(event, resolve));
    const blocked = told('blocked');
    const block = broker.faults.blockPublishers();
    let confirmed = false;
    const confirm = publish(channel, 'jobs').then(() => {
      confirmed = true;
    });
    expect(await blocked).toBe('low on memory');
    const unblocked = told('unblocked');
    await broker.clock.advance(10_000);
    expect(confirmed).toBe(false);
    block.unblock();
    await Promise.all([unblocked, confirm]);
    broker.faults.blockPublishers();
    broker.faults.reset();
    expect(await publish(channel, 'jobs')).toBe('ack');
  });
});

describe('connections', () => {
  test('are refused once', async () => {
    const { broker } = await setUp();
    const fault = broker.faults.refuseNextConnection();
    await expect(connect(broker.url)).rejects.toThrow();
    expect(fault.happened).toBe(true);
    await expect(connect(broker.url)).resolves.toBeDefined();
  });

  test('are closed with a reason, those that match', async () => {
    const { broker, channel } = await setUp({
      vhosts: ['other'],
      users: [
        { name: 'one', password: '1' },
        { name: 'two', password: '2' },
      ],
    });
    const two = await client(`amqp://two:2@127.0.0.1:${broker.port}/other`);
    const closed = new Promise<Error>((resolve) => two.once('close', resolve));
    expect(broker.faults.cutConnections({ name: 'billing' })).toBe(0);
    expect(broker.faults.closeConnections({ user: 'two', vhost: '/' })).toBe(0);
    expect(broker.faults.closeConnections({ user: 'two', vhost: 'other' })).toBe(1);
    expect((await closed).message).toContain('CONNECTION_FORCED');
    expect(await channel.assertQueue('jobs')).toMatchObject({ queue: 'jobs' });
  });

  test('are known by the names that their clients gave', async () => {
    const { broker } = await setUp();
    const named = { clientProperties: { connection_name: 'billing' } };
    const billing = await connect(broker.url, named);
    const closed = new Promise((resolve) => billing.once('close', resolve));
    expect(broker.faults.closeConnections({ name: 'billing' })).toBe(1);
    await closed;
  });

  test('that are cut hear nothing, and give back what they had', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    await publish(channel, 'jobs');
    await channel.get('jobs');
    const other = await (await client(broker.url)).createChannel();
    const inbox = new Inbox();
    await other.consume('jobs', (message) => message !== null && inbox.add(message), {
      noAck: true,
    });
    const ended = new Promise((resolve) => channel.once('close', resolve));
    expect(broker.faults.cutConnections()).toBe(2);
    await ended;
    const third = await (await client(broker.url)).createChannel();
    const again = await get(third, 'jobs');
    expect(again.fields.redelivered).toBe(true);
  });
});

describe('what a fault is to look for', () => {
  test.each<[string, (faults: BrokerFaults, odd: never) => unknown]>([
    ['dropNextAck', (faults, odd) => faults.dropNextAck(odd)],
    ['nackNextPublish', (faults, odd) => faults.nackNextPublish(odd)],
    ['delayNextPublish', (faults, odd) => faults.delayNextPublish(1, odd)],
    ['closeConnections', (faults, odd) => faults.closeConnections(odd)],
    ['cutConnections', (faults, odd) => faults.cutConnections(odd)],
  ])('is judged by %s: a typo would mean all there are', async (call, act) => {
    const { broker, channel } = await setUp();
    for (const odd of [
      null,
      5,
      { exchnage: 'jobs' },
      { queue: 5 },
      { vhost: null },
      { exchange: [] },
    ]) {
      expect(() => act(broker.faults, odd as never)).toThrow(call);
    }
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
  });
});

test.each<[string, (faults: BrokerFaults) => unknown]>([
  [
    "dropNextAck: there is no queue named 'job'; did you mean 'jobs'?",
    (faults) => faults.dropNextAck({ queue: 'job' }),
  ],
  ["there is no exchange named 'jop'", (faults) => faults.nackNextPublish({ exchange: 'jop' })],
  ["did you mean 'amq.topic'?", (faults) => faults.delayNextPublish(1, { exchange: 'amq.topik' })],
  ["there is no user named 'gast'", (faults) => faults.cutConnections({ user: 'gast' })],
  [
    "there is no vhost named 'x'; did you mean '/'?",
    (faults) => faults.closeConnections({ vhost: 'x' }),
  ],
])('a fault for a name that is not there is refused: %s', async (text, act) => {
  const { broker, channel } = await setUp();
  await channel.assertQueue('jobs');
  expect(() => act(broker.faults)).toThrow(text);
});

test('an old handle does not end a block that began anew', async () => {
  const { broker, connection } = await setUp();
  const old = broker.faults.blockPublishers();
  old.unblock();
  const block = broker.faults.blockPublishers();
  let blocked = false;
  connection.on('blocked', () => {
    blocked = true;
  });
  connection.on('unblocked', () => {
    blocked = false;
  });
  old.unblock();
  const channel = await connection.createChannel();
  channel.publish('', 'nowhere', Buffer.from('x'));
  await eventually(() => blocked);
  block.unblock();
  await eventually(() => !blocked);
});

test('a publish that is late does not hold up the close of the broker', async () => {
  const { broker, channel } = await setUp();
  await channel.assertQueue('jobs');
  const late = broker.faults.delayNextPublish(1e12);
  channel.sendToQueue('jobs', TEXT, {}, () => {});
  await late.done;
  const { server } = privately<{ server: Server }>(broker);
  const [connection] = server.openConnections;
  expect(connection?.gate.isPausedBy(PAUSED_BY_FAULT)).toBe(true);
  const closed = broker.close();
  // It is read on, so that it can answer, and is not cut at the deadline.
  expect(connection?.gate.isPausedBy(PAUSED_BY_FAULT)).toBe(false);
  await closed;
});
