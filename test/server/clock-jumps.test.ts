// Owns the tests of a clock of the day that is set forward and back by hours: nobody is cut off for it, and
// what has a time to live goes by it, as in RabbitMQ.

import { expect, test } from 'vitest';
import { systemClock } from '../../src/util/clock.ts';
import { useServers } from './support.ts';

const start = useServers();
const HOUR_MS = 3_600_000;

/** A clock whose time of day somebody sets. */
class SetClock {
  offsetMs = 0;
  wallMs(): number {
    return systemClock.wallMs() + this.offsetMs;
  }
  monotonicMs(): number {
    return systemClock.monotonicMs();
  }
}

test.each([
  ['forward', HOUR_MS * 5],
  ['back', -HOUR_MS * 5],
])('a clock that is set %s cuts off nobody and times out no consumer', async (_way, jumpMs) => {
  const clock = new SetClock();
  const broker = await start({ consumerTimeoutMs: 60_000, heartbeatSeconds: 30 }, clock);
  const raw = await broker.open();
  await raw.call(1, 'confirm.select');
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('before'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack' });
  await raw.call(1, 'basic.consume', { queue: 'q' });
  expect((await raw.message(1)).body.toString()).toBe('before');
  clock.offsetMs = jumpMs;
  // Long enough for every timer of the broker to be looked at.
  await new Promise((resolve) => setTimeout(resolve, 300));
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('after'));
  // The confirm comes first or the delivery does.
  const first = await raw.next(1);
  expect(['basic.ack', 'basic.deliver']).toContain(first['name']);
  for (let frame = first; frame['name'] !== 'body'; ) frame = await raw.next(1);
  if (first['name'] === 'basic.deliver') await raw.next(1);
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  const declared = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(declared).toMatchObject({ name: 'queue.declare-ok', messageCount: 0 });
});

test('a clock that is set forward lets expire what is due by then, and nothing else', async () => {
  const clock = new SetClock();
  const broker = await start({}, clock);
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, { expiration: '60000' }, Buffer.from('an hour is too long'));
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('stays'));
  const there = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(there).toMatchObject({ messageCount: 2 });
  clock.offsetMs = HOUR_MS;
  expect(await raw.call(1, 'basic.get', { queue: 'q', noAck: true })).toMatchObject({
    name: 'basic.get-ok',
    messageCount: 0,
  });
  await raw.next(1);
  expect((await raw.next(1))['payload']).toEqual(Buffer.from('stays'));
});
