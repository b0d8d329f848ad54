import { connect } from 'amqplib';
import { describe, expect, test } from 'vitest';
import { get, setUp, take } from './support.ts';

const HOUR_MS = 3_600_000;

describe('a clock that is moved on', () => {
  test('lets messages expire, and not before their time', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('late'), { expiration: HOUR_MS });
    await channel.waitForConfirms();
    await broker.clock.advance(HOUR_MS - 60_000);
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 1 });
    await broker.clock.advance(60_000);
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 0 });
  });

  test('lets a message take each step of a ladder of retries in its turn', async () => {
    const { broker, channel } = await setUp();
    const ladder = ['first', 'second', 'third'];
    for (const [n, name] of ladder.entries()) {
      const deadLetterRoutingKey = ladder[n + 1] ?? 'done';
      const rest = { deadLetterExchange: '', deadLetterRoutingKey };
      await channel.assertQueue(name, { messageTtl: 10_000, ...rest });
    }
    await channel.assertQueue('done');
    channel.sendToQueue('first', Buffer.from('retried'));
    await channel.waitForConfirms();
    await broker.clock.advance(25_000);
    expect(await channel.checkQueue('third')).toMatchObject({ messageCount: 1 });
    await broker.clock.advance(6_000);
    expect(await take(channel, 'done')).toBe('retried');
  });

  test('counts from where it is: what is published afterwards waits anew', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { messageTtl: HOUR_MS });
    channel.sendToQueue('jobs', Buffer.from('one'));
    await broker.clock.advance(HOUR_MS + 1000);
    channel.sendToQueue('jobs', Buffer.from('two'));
    await channel.waitForConfirms();
    await broker.clock.advance(HOUR_MS / 2);
    expect(await take(channel, 'jobs')).toBe('two');
  });

  test('still lets expire by itself what is short-lived', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('dead');
    const deadLetterExchange = '';
    await channel.assertQueue('jobs', { deadLetterExchange, deadLetterRoutingKey: 'dead' });
    channel.sendToQueue('jobs', Buffer.from('an hour'), { expiration: HOUR_MS });
    await channel.waitForConfirms();
    await broker.clock.advance(HOUR_MS + 1000);
    await channel.purgeQueue('dead');
    channel.sendToQueue('jobs', Buffer.from('a moment'), { expiration: 5 });
    const { content } = await new Promise<{ content: Buffer }>((resolve, reject) => {
      const take = (message: { content: Buffer } | null) =>
        message === null ? reject(new Error('cancelled')) : resolve(message);
      channel.consume('dead', take, { noAck: true }).catch(reject);
    });
    expect(content.toString()).toBe('a moment');
  });

  test('deletes queues that nobody uses', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('idle', { expires: HOUR_MS });
    await broker.clock.advance(HOUR_MS + 1000);
    channel.on('error', () => {});
    await expect(channel.checkQueue('idle')).rejects.toThrow('NOT_FOUND');
  });

  test('takes back deliveries that stay unacked for too long', async () => {
    const { broker, channel } = await setUp({
      settings: { consumer_timeout: 60_000, consumer_timeout_action: 'requeue' },
    });
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('slow'));
    await channel.waitForConfirms();
    await get(channel, 'jobs');
    await broker.clock.advance(120_000);
    const again = await get(channel, 'jobs');
    expect(again.fields.redelivered).toBe(true);
  });

  test('cuts who agreed to heartbeats and sends none, and leaves others alone', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const silent = await connect(`${broker.url}?heartbeat=10`);
    silent.on('error', () => {});
    const closed = new Promise<void>((resolve) => silent.once('close', resolve));
    await broker.clock.advance(60_000);
    await closed;
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 0 });
  });

  test('shows its time, and never goes back', async () => {
    const { broker } = await setUp();
    const before = broker.clock.now().getTime();
    await Promise.all([broker.clock.advance(HOUR_MS), broker.clock.advance(HOUR_MS)]);
    expect(broker.clock.now().getTime() - before).toBeGreaterThanOrEqual(2 * HOUR_MS);
    await expect(broker.clock.advance(-1)).rejects.toThrow('never goes back');
  });

  test.each([1e15, 1e20, Number.MAX_VALUE])('does not go beyond the year 9999: %d', async (ms) => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { messageTtl: 1000 });
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    await expect(broker.clock.advance(ms)).rejects.toThrow('beyond the year 9999');
    // One that is refused is in the way of none that comes behind it.
    await broker.clock.advance(1000);
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 0 });
  });

  test('goes to the year 9998 in one go', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { messageTtl: HOUR_MS });
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    await broker.clock.advance(Date.UTC(9998, 0) - broker.clock.now().getTime());
    expect(broker.clock.now().getUTCFullYear()).toBe(9998);
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 0 });
    channel.sendToQueue('jobs', Buffer.from('y'));
    await broker.clock.advance(HOUR_MS);
    expect(await channel.checkQueue('jobs')).toMatchObject({ messageCount: 0 });
  });

  test('goes on until consumers have settled all that fell due, through every retry', async () => {
    const { broker, channel } = await setUp();
    const back = { deadLetterExchange: '', deadLetterRoutingKey: 'jobs' };
    await channel.assertQueue('jobs', { deadLetterExchange: '', deadLetterRoutingKey: 'wait' });
    await channel.assertQueue('wait', { messageTtl: 10_000, ...back });
    let tries = 0;
    await channel.consume('jobs', (message) => {
      tries += 1;
      if (message === null) return;
      // A worker that takes its time: the clock waits for it at each step.
      setImmediate(() =>
        setImmediate(() =>
          tries < 4 ? channel.nack(message, false, false) : channel.ack(message),
        ),
      );
    });
    const before = broker.clock.now().getTime();
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    await broker.clock.advanceUntilIdle(10_000);
    expect(tries).toBe(2);
    expect(broker.queue('wait').ready).toBe(1);
    await broker.clock.advanceUntilIdle();
    expect(tries).toBe(4);
    // Three waits, each from its own return on. The clock also goes by itself, so no wait is looked at alone.
    expect(broker.clock.now().getTime() - before).toBeGreaterThanOrEqual(30_000);
    await broker.idle();
  });

  test('leaves messages that nothing waits for, and refuses what cannot be meant', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('kept');
    channel.sendToQueue('kept', Buffer.from('x'));
    await channel.waitForConfirms();
    await broker.clock.advanceUntilIdle(1000);
    await broker.clock.advanceUntilIdle();
    expect(broker.queue('kept').ready).toBe(1);
    const { clock } = broker;
    await expect(clock.advanceUntilIdle(-1)).rejects.toThrow('never goes back');
    await expect(clock.advanceUntilIdle(1, { queues: ['no'] })).rejects.toThrow(
      'there is no queue',
    );
    await channel.consume('kept', () => {});
    await expect(clock.advanceUntilIdle(1, { timeoutMs: 20 })).rejects.toThrow('1 unacked');
  });

  test('stands still once the broker is closed', async () => {
    const { broker } = await setUp();
    const moving = expect(broker.clock.advance(1000 * HOUR_MS)).rejects.toThrow('is closed');
    await broker.close();
    await moving;
    await expect(broker.clock.advance(1)).rejects.toThrow('is closed');
  });
});
