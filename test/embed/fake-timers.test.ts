import { connect } from 'amqplib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { setUp, take } from './support.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(() => {
  vi.useRealTimers();
});

test('a program may fake its timers and dates: the broker keeps its own', async () => {
  const { broker, connection, channel } = await setUp();
  expect(Date.now()).toBe(0);
  expect(broker.clock.now().getTime()).toBeGreaterThan(1_600_000_000_000);
  await channel.assertQueue('jobs', { messageTtl: 60_000 });
  channel.sendToQueue('jobs', Buffer.from('one'));
  await channel.waitForConfirms();
  vi.advanceTimersByTime(3_600_000);
  expect(await take(channel, 'jobs')).toBe('one');
  channel.sendToQueue('jobs', Buffer.from('two'));
  await channel.waitForConfirms();
  await broker.clock.advance(61_000);
  expect(await take(channel, 'jobs')).toBe(null);
  await broker.idle();
  await connection.close();
  await (await connect(broker.url)).close();
});
