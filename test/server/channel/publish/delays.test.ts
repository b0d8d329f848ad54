// Owns the tests of publishes that are to wait: each goes by its own time, whichever way it takes into its queues.

import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/util/clock.ts';
import { FakeClock, type TestServer, useServers } from '../../support.ts';

const start = useServers();
const HOUR = 3_600_000;
const MINUTE = 60_000;
/** As many as a route needs to be pushed in steps. */
const WIDE = 300;

const delayed = (ms: number) => ({ deliveryMode: 2, headers: { 'x-delay': ms } });

/** The times that the messages of a queue wait for, ms from now on, in order. */
function waits(server: TestServer, name: string): number[] {
  const { broker } = server.server;
  const { delays } = broker.vhost('/').queues.get(name) as unknown as {
    delays: { soonest(count: number, after: null): { entries: { dueMs: number }[] } };
  };
  return delays.soonest(10, null).entries.map(({ dueMs }) => dueMs - broker.core.nowMs);
}

test('messages to one queue and to some', async () => {
  const server = await start({}, new FakeClock());
  const raw = await server.open();
  await raw.call(1, 'confirm.select');
  await raw.call(1, 'exchange.declare', { exchange: 'both', type: 'fanout' });
  for (const queue of ['a', 'b']) {
    await raw.call(1, 'queue.declare', { queue, durable: true });
    await raw.call(1, 'queue.bind', { queue, exchange: 'both' });
  }
  raw.publish(1, { routingKey: 'a' }, delayed(HOUR));
  raw.publish(1, { exchange: 'both' }, delayed(MINUTE));
  raw.publish(1, { routingKey: 'b' }, { headers: { 'x-delay': { in: 'a minute' } } });
  raw.publish(1, { routingKey: 'b' }, delayed(2 * MINUTE));
  await raw.call(1, 'basic.qos');
  expect(waits(server, 'a')).toEqual([MINUTE, HOUR]);
  expect(waits(server, 'b')).toEqual([MINUTE, 2 * MINUTE]);
});

test('messages of a transaction, from its commit on', async () => {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0 }, clock);
  const raw = await server.open();
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.call(1, 'tx.select');
  raw.publish(1, { routingKey: 'q' }, delayed(HOUR));
  raw.publish(1, { routingKey: 'q' }, delayed(MINUTE));
  await raw.call(1, 'basic.qos');
  clock.nowMs += 1_000;
  await raw.call(1, 'tx.commit');
  expect(waits(server, 'q')).toEqual([MINUTE, HOUR]);
});

class LeapingClock extends FakeClock {
  override monotonicMs(): number {
    this.nowMs += 5;
    return this.nowMs + systemClock.monotonicMs();
  }
}

test('messages to very many queues, whatever is published between the steps of that', async () => {
  const server = await start(
    { heartbeatSeconds: 0, unfinishedTimeoutMs: Infinity },
    new LeapingClock(),
  );
  const raw = await server.open();
  await raw.call(1, 'exchange.declare', { exchange: 'wide', type: 'fanout' });
  for (let n = 0; n < WIDE; n++) {
    await raw.call(1, 'queue.declare', { queue: `w${n}`, durable: true });
    await raw.call(1, 'queue.bind', { queue: `w${n}`, exchange: 'wide' });
  }
  await raw.call(1, 'confirm.select');
  const { core } = server.server.broker;
  const run = core.slices.run.bind(core.slices);
  let goneOn = 0;
  core.slices.run = () => {
    if (core.slices.any) goneOn += 1;
    core.askedDelayMs = 1;
    return run();
  };
  raw.publish(1, { exchange: 'wide' }, delayed(HOUR));
  expect((await raw.next(1)).name).toBe('basic.ack');
  expect(goneOn).toBeGreaterThan(0);
  for (let n = 0; n < WIDE; n++) {
    const [wait = 0] = waits(server, `w${n}`);
    expect(wait).toBeGreaterThan(HOUR / 2);
  }
});
