// Owns the tests of a time of day that is set forward and back by hours while the broker runs: no peer is
// cut off for it, and times to live go on as if it had not been.

import { expect, test } from 'vitest';
import { systemClock } from '../../src/util/clock.ts';
import { useServers } from './support.ts';

const start = useServers();
const HOUR_MS = 3_600_000;

/** A clock whose time of day somebody sets. */
class SetClock {
  offsetMs = 0;
  private passedMs = 0;
  wallMs(): number {
    return systemClock.wallMs() + this.passedMs + this.offsetMs;
  }
  monotonicMs(): number {
    return systemClock.monotonicMs() + this.passedMs;
  }
  /** Lets time go by on both clocks. */
  passMs(ms: number): void {
    this.passedMs += ms;
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

test.each([
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
  ['forward by a year', HOUR_MS * 24 * 365],
])(
  'a clock that is set %s lets nothing expire, and nothing stay that is due',
  async (_way, jumpMs) => {
    const clock = new SetClock();
    const broker = await start({}, clock);
    const raw = await broker.open();
    await raw.call(1, 'queue.declare', { queue: 'dead' });
    const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
    await raw.call(1, 'queue.declare', { queue: 'q', arguments: dead });
    raw.publish(1, { routingKey: 'q' }, { expiration: '60000' }, Buffer.from('a minute'));
    const unused = { 'x-expires': 1_800_000 };
    await raw.call(1, 'queue.declare', { queue: 'unused', arguments: unused });
    clock.offsetMs = jumpMs;
    raw.publish(1, { routingKey: 'q' }, { expiration: '60000' }, Buffer.from('after'));
    const there = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
    expect(there).toMatchObject({ name: 'queue.declare-ok', messageCount: 2 });
    expect(await raw.call(1, 'queue.declare', { queue: 'unused', passive: true })).toMatchObject({
      name: 'queue.declare-ok',
    });
    clock.passMs(61_000);
    broker.server.wheel.advance();
    broker.server.turn.expiry.passed();
    const left = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
    expect(left).toMatchObject({ name: 'queue.declare-ok', messageCount: 0 });
    const moved = await raw.call(1, 'queue.declare', { queue: 'dead', passive: true });
    expect(moved).toMatchObject({ messageCount: 2 });
    await raw.close();
  },
);

test.each([
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
])('the log says once that the clock was set %s, and by how much', async (_way, jumpMs) => {
  const clock = new SetClock();
  const broker = await start({}, clock);
  clock.offsetMs = jumpMs;
  for (let n = 0; n < 3; n++) {
    clock.passMs(2000);
    broker.server.wheel.advance();
  }
  const said = broker.lines.filter(({ msg }) => msg.startsWith('the time of day was set'));
  expect(said).toHaveLength(1);
  // The clocks are read one after the other.
  const off = Math.abs(((said[0] as { jumpMs?: number }).jumpMs ?? 0) - jumpMs);
  expect(off).toBeLessThan(HOUR_MS / 2);
});
