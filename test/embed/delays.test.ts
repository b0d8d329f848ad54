// Owns the tests of messages that wait for their time, as clients see them.

import { describe, expect, test } from 'vitest';
import { get, setUp, take } from './support.ts';

describe('a message with a delay', () => {
  test('waits in the queue that it was sent to', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('later'), { headers: { 'x-delay': 60_000 } });
    channel.sendToQueue('jobs', Buffer.from('now'), {});
    await channel.waitForConfirms();
    expect(await take(channel, 'jobs')).toBe('now');
    await broker.clock.advance(50_000);
    expect(await take(channel, 'jobs')).toBe(null);
    expect(broker.queue('jobs')).toMatchObject({ ready: 0, delayed: 1, depth: 0 });
    await broker.clock.advance(10_000);
    const message = await get(channel, 'jobs');
    expect(message.content.toString()).toBe('later');
    expect(message.properties.headers).toEqual({ 'x-delay': 60_000 });
    expect(message.fields.redelivered).toBe(false);
  });

  test('is delivered to a consumer as soon as it is due, also at an absolute time', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const bodies: string[] = [];
    await channel.consume('jobs', (message) => bodies.push(String(message?.content)), {
      noAck: true,
    });
    const at = Date.now() + 3_600_000;
    channel.sendToQueue('jobs', Buffer.from('an hour'), { headers: { 'x-deliver-at': at } });
    channel.sendToQueue('jobs', Buffer.from('a minute'), { headers: { 'x-delay': '60000' } });
    await channel.waitForConfirms();
    await broker.clock.advance(61_000);
    await expect.poll(() => bodies).toEqual(['a minute']);
    await broker.clock.advance(3_600_000);
    await expect.poll(() => bodies).toEqual(['a minute', 'an hour']);
  });

  test('goes by the delay of the queue, where it names none', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { arguments: { 'x-message-delay': 30_000 } });
    channel.sendToQueue('jobs', Buffer.from('as the queue says'), {});
    channel.sendToQueue('jobs', Buffer.from('at once'), { headers: { 'x-delay': 0 } });
    await channel.waitForConfirms();
    expect(await take(channel, 'jobs')).toBe('at once');
    expect(await take(channel, 'jobs')).toBe(null);
    await broker.clock.advance(30_000);
    expect(await take(channel, 'jobs')).toBe('as the queue says');
  });

  test('may not wait longer than ten years, and what is no time is no delay', async () => {
    const { connection, channel } = await setUp();
    await channel.assertQueue('jobs');
    for (const delay of ['soon', true, -5, { in: 'a minute' }]) {
      channel.sendToQueue('jobs', Buffer.from('at once'), { headers: { 'x-delay': delay } });
    }
    await channel.waitForConfirms();
    for (let n = 0; n < 4; n++) expect(await take(channel, 'jobs')).toBe('at once');
    const other = await connection.createConfirmChannel();
    const closed = new Promise<Error>((resolve) => other.once('error', resolve));
    other.sendToQueue('jobs', Buffer.from('x'), { headers: { 'x-delay': 315_360_000_001 } });
    expect(String(await closed)).toContain('may wait for 315360000000 ms at most');
  });

  test('passes an exchange of the plugin’s type, and carries its delay negated then', async () => {
    const { broker, channel } = await setUp();
    const options = { arguments: { 'x-delayed-type': 'topic' } };
    await channel.assertExchange('late', 'x-delayed-message', options);
    await channel.assertQueue('jobs');
    await channel.bindQueue('jobs', 'late', 'a.*');
    channel.publish('late', 'a.b', Buffer.from('x'), { headers: { 'x-delay': 5_000, own: 1 } });
    channel.publish('late', 'b', Buffer.from('no route'), { headers: { 'x-delay': 5_000 } });
    channel.publish('late', 'a.c', Buffer.from('at once'), {});
    await channel.waitForConfirms();
    expect(await take(channel, 'jobs')).toBe('at once');
    await broker.clock.advance(5_000);
    const message = await get(channel, 'jobs');
    expect(message.properties.headers).toEqual({ 'x-delay': -5_000, own: 1 });
    // Published again as it came, it is on its way at once.
    channel.publish('late', 'a.b', message.content, { headers: message.properties.headers ?? {} });
    await channel.waitForConfirms();
    expect(await take(channel, 'jobs')).toBe('x');
  });

  test('such an exchange needs a type to route by, that is there', async () => {
    const { connection } = await setUp();
    for (const args of [
      {},
      { 'x-delayed-type': 'none' },
      { 'x-delayed-type': 'x-delayed-message' },
    ]) {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      await expect(
        channel.assertExchange('late', 'x-delayed-message', { arguments: args }),
      ).rejects.toThrow("'x-delayed-type' must be an existing exchange type");
    }
  });
});

describe('a message that comes back', () => {
  test('waits longer each time, says how often it came, and dies after the limit', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('dead');
    await channel.assertQueue('jobs', {
      deadLetterExchange: '',
      deadLetterRoutingKey: 'dead',
      arguments: {
        'x-delayed-retry-min': 60_000,
        'x-delayed-retry-multiplier': 2,
        'x-delivery-limit': 4,
      },
    });
    channel.sendToQueue('jobs', Buffer.from('poison'), {});
    await channel.waitForConfirms();
    for (const [n, waitMs] of [60_000, 120_000, 240_000, 480_000].entries()) {
      const message = await get(channel, 'jobs');
      const { headers = {} } = message.properties;
      expect([headers['x-delivery-count'], headers['x-acquired-count']]).toEqual(
        n === 0 ? [undefined, undefined] : [n, n],
      );
      channel.nack(message);
      await broker.clock.advance(waitMs - 20_000);
      expect(await take(channel, 'jobs'), `${waitMs}`).toBe(null);
      await broker.clock.advance(20_000);
    }
    channel.reject(await get(channel, 'jobs'));
    const dead = await get(channel, 'dead');
    expect(dead.properties.headers).toMatchObject({
      'x-first-death-reason': 'delivery_limit',
      'x-delivery-count': 5,
      'x-acquired-count': 5,
    });
    expect(broker.queue('jobs')).toMatchObject({ ready: 0, delayed: 0, unacked: 0 });
  });

  test('says how often it came on every queue, without a limit', async () => {
    const { channel } = await setUp();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('x'), {});
    await channel.waitForConfirms();
    for (let count = 0; count < 3; count++) {
      const message = await get(channel, 'jobs');
      expect(message.properties.headers?.['x-delivery-count']).toBe(
        count === 0 ? undefined : count,
      );
      channel.nack(message);
    }
  });

  test('is tried again after the end of its consumer’s channel, as one that failed', async () => {
    const { broker, connection, channel } = await setUp();
    const args = { 'x-delayed-retry-min': 1_000, 'x-delayed-retry-type': 'failed' };
    await channel.assertQueue('jobs', { arguments: args });
    channel.sendToQueue('jobs', Buffer.from('x'), {});
    await channel.waitForConfirms();
    const worker = await connection.createChannel();
    await get(worker, 'jobs');
    await worker.close();
    await expect.poll(() => broker.queue('jobs').delayed).toBe(1);
    await broker.clock.advance(1_000);
    channel.nack(await get(channel, 'jobs'));
    expect(await take(channel, 'jobs'), 'a return does not wait').toBe('x');
  });
});

test('the clock of a broker in a test has schedules tick', async () => {
  const hourly = {
    name: 'report',
    vhost: '/',
    every: 3_600_000,
    routing_key: 'reports',
    payload: 'go',
  };
  const { broker, channel } = await setUp({ definitions: { schedules: [hourly] } });
  await channel.assertQueue('reports');
  await broker.clock.advance(3_590_000);
  expect(await take(channel, 'reports')).toBe(null);
  await broker.clock.advance(10_000);
  expect(await take(channel, 'reports')).toBe('go');
  expect(await take(channel, 'reports')).toBe(null);
  await broker.clock.advance(3_600_000);
  expect(await take(channel, 'reports')).toBe('go');
});

test('time goes by until all is idle, though a schedule ticks for ever', async () => {
  const often = { name: 'often', vhost: '/', every: 60_000, routing_key: 'ticks', payload: 'go' };
  const { broker, channel } = await setUp({ definitions: { schedules: [often] } });
  await channel.assertQueue('ticks');
  await channel.assertQueue('jobs');
  // Nothing consumes: the queues are never empty.
  channel.sendToQueue('jobs', Buffer.from('later'), { headers: { 'x-delay': 3_630_000 } });
  await channel.waitForConfirms();
  await broker.clock.advanceUntilIdle();
  expect(broker.queue('jobs')).toMatchObject({ ready: 1, delayed: 0 });
  expect(broker.queue('ticks').ready).toBe(60);
  await broker.clock.advanceUntilIdle();
  expect(broker.queue('ticks').ready, 'a tick is not waited for').toBe(60);
  await broker.clock.advanceUntilIdle(60_000);
  expect(broker.queue('ticks').ready).toBe(61);
});
