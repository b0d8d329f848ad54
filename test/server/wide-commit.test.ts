// Owns the tests of commits whose publishes go to hundreds of queues each.

import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { FakeClock, useServers } from './support.ts';

const start = useServers();

/** Every look takes a millisecond, once it creeps. */
class CreepingClock extends FakeClock {
  creeps = false;

  override monotonicMs(): number {
    if (this.creeps) this.nowMs += 1;
    return this.nowMs;
  }
}

test('a few publishes to hundreds of queues are committed queue by queue, in one batch', async () => {
  const clock = new CreepingClock();
  const broker = await start({ heartbeatSeconds: 0, unfinishedTimeoutMs: Infinity }, clock);
  const heart = broker.server.broker.core;
  const [raw, other] = [await broker.open(), await broker.open()];
  const count = 600;
  await raw.call(1, 'exchange.declare', { exchange: 'wide', type: 'fanout' });
  for (let i = 0; i < count; i++) {
    await raw.call(1, 'queue.declare', { queue: `w${i}`, durable: true });
    await raw.call(1, 'queue.bind', { queue: `w${i}`, exchange: 'wide' });
  }
  const ready = (): number => {
    let all = 0;
    for (const queue of broker.server.broker.vhost('/').queues.values()) all += queue.readyCount;
    return all;
  };
  await raw.call(1, 'tx.select');
  for (let n = 0; n < 3; n++) {
    raw.publish(1, { exchange: 'wide' }, { deliveryMode: 2 }, Buffer.from(String(n)));
  }
  await raw.call(2, 'channel.open', {});
  const sealedWith = new Set<number>();
  const { slices } = heart;
  const [seal, run] = [heart.seal.bind(heart), slices.run.bind(slices)];
  heart.seal = () => {
    sealedWith.add(ready());
    seal();
  };
  slices.run = () => slices.any;
  clock.creeps = true;
  raw.send(1, 'tx.commit', {});
  await eventually(() => slices.any, 'the act');
  await other.call(1, 'queue.declare', { queue: 'w0', passive: true });
  expect(ready(), 'others are served within one publish').toBeLessThan(3 * count);
  slices.run = run;
  expect((await raw.next(1)).name).toBe('tx.commit-ok');
  clock.creeps = false;
  heart.seal = seal;
  expect([...sealedWith].filter((all) => all > 0 && all < 3 * count)).toEqual([]);
  for (const queue of ['w0', `w${count - 1}`]) {
    for (let n = 0; n < 3; n++) {
      other.send(1, 'basic.get', { queue, noAck: true });
      expect((await other.message(1)).body.toString()).toBe(String(n));
    }
  }
});
