// Owns the tests of deliveries that stay unacked for too long, first by the clock alone, then with
// clients.

import { expect, test } from 'vitest';
import type { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import {
  DeliveryTimeouts,
  LATE_DONE,
  LATE_KEPT,
  type TimeoutRules,
} from '../../../src/server/channel/delivery-timeouts.ts';
import { Unacked } from '../../../src/server/channel/unacked.ts';
import { TICK_MS, TimerWheel } from '../../../src/util/timers.ts';
import { withSeed } from '../../amqp/random.ts';
import { eventually } from '../../support/amqp.ts';
import { FakeClock, useServers } from '../support.ts';

const start = useServers();
const queueOf = (consumerTimeoutMs: number | null): Queue =>
  ({ rules: { consumerTimeoutMs } }) as Queue;
const consumerOf = (queue: Queue, timeoutMs: number | null): Consumer =>
  ({ tag: 'tag', queue, timeoutMs, noAck: false }) as unknown as Consumer;

/** A channel that only counts what is late. */
class Bench {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly unacked = new Unacked();
  readonly consumers = new Map<string, Consumer>();
  readonly late: { tag: number; timeoutMs: number; atMs: number }[] = [];
  readonly timeouts: DeliveryTimeouts;
  outcome = LATE_DONE;
  private readonly rules: TimeoutRules;
  private readonly startMs = this.clock.nowMs;

  constructor(defaultMs: number) {
    const { clock, wheel } = this;
    this.rules = { wheel, clock, defaultMs, action: 'requeue' };
    this.timeouts = new DeliveryTimeouts(this, this.unacked, this.rules);
  }

  get defaultMs(): number {
    return this.rules.defaultMs;
  }

  change(defaultMs: number): void {
    this.rules.defaultMs = defaultMs;
    this.timeouts.defaultChanged();
  }

  get passedMs(): number {
    return this.clock.nowMs - this.startMs;
  }

  consume(queue: Queue, timeoutMs: number | null = null): Consumer {
    const consumer = consumerOf(queue, timeoutMs);
    this.consumers.set(`${this.consumers.size}`, consumer);
    this.timeouts.expect(consumer, queue);
    return consumer;
  }

  deliveryTimedOut(tag: number, timeoutMs: number): number {
    this.late.push({ tag, timeoutMs, atMs: this.passedMs });
    if (this.outcome === LATE_DONE) this.unacked.take(tag);
    return this.outcome;
  }

  pass(ms: number): void {
    for (let gone = 0; gone < ms; gone += TICK_MS) {
      this.clock.nowMs += TICK_MS;
      this.wheel.advance();
    }
  }
}

test.each([1_000, 7_300, 60_000, 1_800_000])(
  'a delivery is late after the %s ms that its queue or consumer says, and at most 200 ms later',
  (timeoutMs) => {
    for (const consumed of [true, false]) {
      const bench = new Bench(Infinity);
      const queue = queueOf(timeoutMs);
      const consumer = consumed ? bench.consume(queue) : null;
      bench.pass(2_500);
      const tag = bench.unacked.add(queue, consumer, 7);
      bench.timeouts.expect(consumer, queue);
      bench.pass(timeoutMs);
      expect(bench.late).toEqual([]);
      bench.pass(200);
      expect(bench.late).toMatchObject([{ tag, timeoutMs }]);
    }
  },
);

test('the timeout of the settings is kept to within a hundredth', () => {
  const bench = new Bench(1_800_000);
  const queue = queueOf(null);
  const consumer = bench.consume(queue);
  bench.pass(2_500);
  const tag = bench.unacked.add(queue, consumer, 7);
  bench.pass(1_800_000);
  expect(bench.late).toEqual([]);
  bench.pass(18_000);
  expect(bench.late).toMatchObject([{ tag, timeoutMs: 1_800_000 }]);
});

test('a delivery that may not be taken yet is late again after its timeout', () => {
  const bench = new Bench(Infinity);
  const consumer = bench.consume(queueOf(2_000));
  bench.unacked.add(consumer.queue, consumer, 0);
  bench.outcome = LATE_KEPT;
  bench.pass(2_200);
  bench.outcome = LATE_DONE;
  expect(bench.late).toHaveLength(1);
  bench.pass(2_200);
  expect(bench.late).toHaveLength(2);
});

test('a time of its own holds for one delivery, longer or shorter, again and again', () => {
  const bench = new Bench(Infinity);
  const consumer = bench.consume(queueOf(5_000));
  const [longer, shorter, plain, settled] = [0, 1, 2, 3].map((seq) =>
    bench.unacked.add(consumer.queue, consumer, seq),
  ) as [number, number, number, number];
  bench.timeouts.prolong(shorter, 1_000);
  for (let n = 0; n < 3; n++) {
    bench.pass(4_000);
    bench.timeouts.prolong(longer, 5_000);
    bench.timeouts.prolong(settled, 5_000);
  }
  bench.unacked.take(settled);
  bench.pass(6_000);
  expect(bench.late.map(({ tag }) => tag)).toEqual([shorter, plain, longer]);
  expect(bench.late.map(({ timeoutMs }) => timeoutMs)).toEqual([1_000, 5_000, 5_000]);
  const [first, second, third] = bench.late.map(({ atMs }) => atMs) as [number, number, number];
  for (const [atMs, dueMs] of [
    [first, 1_000],
    [second, 5_000],
    [third, 17_000],
  ] as const) {
    expect(atMs).toBeGreaterThanOrEqual(dueMs);
    expect(atMs).toBeLessThanOrEqual(dueMs + 200);
  }
});

test('deliveries that are late together are handed over some at a time', () => {
  const bench = new Bench(Infinity);
  const consumer = bench.consume(queueOf(1_000));
  for (let n = 0; n < 10_000; n++) bench.unacked.add(consumer.queue, consumer, n);
  bench.pass(1_100);
  expect(bench.late).toHaveLength(4096);
  bench.pass(200);
  expect(bench.late).toHaveLength(10_000);
});

test('one that is acked in time is not late, whatever is delivered beside it', () => {
  const bench = new Bench(10_000);
  const queue = queueOf(null);
  const consumer = bench.consume(queue);
  for (let n = 0; n < 50; n++) {
    const tag = bench.unacked.add(queue, consumer, n);
    bench.pass(5_000);
    bench.unacked.take(tag);
  }
  expect(bench.late).toEqual([]);
});

test('a consumer goes before its queue, and a queue before the settings', () => {
  const bench = new Bench(50_000);
  const quick = queueOf(5_000);
  const [own, inherited, plain] = [
    bench.consume(quick, 1_000),
    bench.consume(quick),
    bench.consume(queueOf(null)),
  ];
  for (const consumer of [plain, inherited, own]) {
    bench.unacked.add(consumer.queue, consumer, 0);
  }
  bench.pass(80_000);
  expect(bench.late.map(({ timeoutMs }) => timeoutMs)).toEqual([1_000, 5_000, 50_000]);
});

test('nothing is looked at while no timeout can pass', () => {
  const bench = new Bench(Infinity);
  const consumer = bench.consume(queueOf(null));
  bench.unacked.add(consumer.queue, consumer, 0);
  expect(bench.wheel.size).toBe(0);
  bench.timeouts.expect(null, queueOf(3_000));
  expect(bench.wheel.size).toBe(1);
  bench.timeouts.stop();
  expect(bench.wheel.size).toBe(0);
});

test.each([Infinity, 1_800_000])(
  'a default of %s ms that becomes shorter holds for what is out already, consumed or got',
  (before) => {
    const bench = new Bench(before);
    const consumer = bench.consume(queueOf(null));
    const consumed = bench.unacked.add(consumer.queue, consumer, 0);
    bench.change(10_000);
    bench.pass(13_000);
    expect(bench.late.map(({ tag }) => tag)).toEqual([consumed]);
    const gets = new Bench(before);
    const queue = queueOf(null);
    const got = gets.unacked.add(queue, null, 0);
    gets.timeouts.expect(null, queue);
    gets.change(10_000);
    gets.pass(13_000);
    expect(gets.late.map(({ tag }) => tag)).toEqual([got]);
    // Where nothing is out, nothing is waited for.
    const idle = new Bench(before);
    idle.change(10_000);
    expect(idle.wheel.size).toBe(0);
  },
);

test('a message that was got stays watched when no consumer is there', () => {
  const bench = new Bench(4_000);
  const queue = queueOf(null);
  const tag = bench.unacked.add(queue, null, 3);
  bench.timeouts.expect(null, queue);
  bench.pass(6_000);
  expect(bench.late).toMatchObject([{ tag }]);
});

test('a long timeout is kept to beside a short one, for which samples are taken often', () => {
  const bench = new Bench(1_800_000);
  const [plain, quick] = [bench.consume(queueOf(null)), bench.consume(queueOf(1_000))];
  const tag = bench.unacked.add(plain.queue, plain, 0);
  const passing = (): number => bench.unacked.add(quick.queue, quick, 0);
  for (let gone = 0; gone < 1_800_000; gone += 500) {
    const each = passing();
    bench.pass(500);
    bench.unacked.take(each);
  }
  expect(bench.late).toEqual([]);
  bench.pass(100_000);
  expect(bench.late).toMatchObject([{ tag, timeoutMs: 1_800_000 }]);
});

test('whatever comes and goes, nothing is late early, and nothing stays', () => {
  withSeed((random) => {
    const bench = new Bench(random.pick([Infinity, 40_000, 3_000_000]));
    const queues = [queueOf(null), queueOf(2_000), queueOf(25_000)];
    /** For each delivery: when it was made, and how long it may stay. */
    const model = new Map<number, { atMs: number; timeoutMs: number }>();
    let seen = 0;
    for (let step = 0; step < 400; step++) {
      const consumers = [...bench.consumers.values()];
      const dice = random.below(10);
      if (dice === 0) bench.consume(random.pick(queues), random.pick([null, null, 7_000]));
      if (dice === 1) bench.consumers.delete(random.pick([...bench.consumers.keys()]));
      if (dice > 1 && dice < 6) deliver(bench, random.pick([null, ...consumers]), queues, model);
      if (dice === 6) bench.unacked.skip();
      if (dice === 7 && model.size > 0) {
        const tag = random.pick([...model.keys()]);
        bench.unacked.take(tag);
        model.delete(tag);
      }
      bench.pass(random.pick([0, 100, 1_000, 1_000, 30_000, 200_000]));
      for (; seen < bench.late.length; seen++) {
        const { tag, timeoutMs, atMs } = bench.late[seen] as (typeof bench.late)[0];
        const made = model.get(tag);
        expect(made?.timeoutMs).toBe(timeoutMs);
        expect(atMs - (made?.atMs ?? 0)).toBeGreaterThanOrEqual(timeoutMs);
        model.delete(tag);
      }
      for (const { atMs, timeoutMs } of model.values()) {
        const { defaultMs } = bench;
        const slackMs = timeoutMs === defaultMs ? 2 * Math.max(TICK_MS, defaultMs / 300) : 0;
        expect(bench.passedMs - atMs).toBeLessThanOrEqual(timeoutMs + slackMs + 2 * TICK_MS);
      }
    }
  });
});

function deliver(
  bench: Bench,
  consumer: Consumer | null,
  queues: readonly Queue[],
  model: Map<number, { atMs: number; timeoutMs: number }>,
): void {
  const queue = consumer?.queue ?? (queues[bench.unacked.next % queues.length] as Queue);
  const tag = bench.unacked.add(queue, consumer, 0);
  if (consumer === null) bench.timeouts.expect(null, queue);
  const timeoutMs = consumer?.timeoutMs ?? queue.rules.consumerTimeoutMs ?? bench.defaultMs;
  model.set(tag, { atMs: bench.passedMs, timeoutMs });
}

/** Moves the clock of a broker until something has come about. */
async function passUntil(clock: FakeClock, done: () => boolean): Promise<void> {
  await eventually(() => {
    clock.nowMs += TICK_MS;
    return done();
  });
}

test('a channel that is late is closed with a text that names the timeout', async () => {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0 }, clock);
  const raw = await server.open({ heartbeat: 0 });
  const queue = 'slow';
  const args = { 'x-consumer-timeout': 2_000 };
  await raw.call(1, 'queue.declare', { queue, exclusive: true, arguments: args });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'slow' });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('work'));
  await raw.message(1);
  const stop = setInterval(() => {
    clock.nowMs += TICK_MS;
  }, 5);
  const closed = await raw.next(1);
  clearInterval(stop);
  expect(closed).toMatchObject({
    replyCode: 406,
    replyText:
      'PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: ' +
      '2000 ms. This timeout value can be configured, see consumers doc guide to learn more',
    classId: 0,
    methodId: 0,
  });
  raw.send(1, 'channel.close-ok', {});
  await raw.openChannel(2);
  raw.send(2, 'basic.get', { queue, noAck: true });
  expect((await raw.message(2)).method).toMatchObject({ redelivered: true });
});

test('a timeout that a policy sets holds for consumers that are there', async () => {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0 }, clock);
  const raw = await server.open({ heartbeat: 0 });
  await raw.call(1, 'queue.declare', { queue: 'ruled', exclusive: true });
  await raw.call(1, 'basic.consume', { queue: 'ruled' });
  raw.publish(1, { routingKey: 'ruled' }, {}, Buffer.from('work'));
  await raw.message(1);
  const queue = server.server.broker.vhost('/').queues.get('ruled');
  queue?.applyPolicy(new Map([['consumer-timeout', 3_000]]), null);
  let closed: { [field: string]: unknown } | null = null;
  raw.next(1).then((frame) => {
    closed = frame;
  });
  await passUntil(clock, () => closed !== null);
  expect(closed).toMatchObject({ name: 'channel.close', replyCode: 406 });
  expect(String(closed?.['replyText'])).toContain('Timeout value used: 3000 ms.');
});

test('a timeout that a user sets while the broker runs holds for deliveries that are out', async () => {
  const clock = new FakeClock();
  const infinite = { heartbeatSeconds: 0, consumerTimeoutMs: Infinity };
  const server = await start(infinite, clock);
  const raw = await server.open({ heartbeat: 0 });
  await raw.call(1, 'queue.declare', { queue: 'later', exclusive: true });
  await raw.call(1, 'basic.consume', { queue: 'later' });
  raw.publish(1, { routingKey: 'later' }, {}, Buffer.from('work'));
  await raw.message(1);
  Object.assign(server.server.settings, { consumerTimeoutMs: 3_000 });
  server.server.settingsChanged();
  let closed: { [field: string]: unknown } | null = null;
  raw.next(1).then((frame) => {
    closed = frame;
  });
  await passUntil(clock, () => closed !== null);
  expect(String(closed?.['replyText'])).toContain('Timeout value used: 3000 ms.');
});

test('where messages are taken back, a late ack means nothing and the channel goes on', async () => {
  const clock = new FakeClock();
  const server = await start({ consumerTimeoutAction: 'requeue', consumerTimeoutMs: 2_000 }, clock);
  const raw = await server.open({ heartbeat: 0 });
  const queue = 'quick';
  await raw.call(1, 'queue.declare', { queue, exclusive: true });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('work'));
  raw.send(1, 'basic.get', { queue });
  const first = await raw.message(1);
  const ready = () => [...server.server.broker.vhosts.values()][0]?.queues.get(queue)?.readyCount;
  await passUntil(clock, () => ready() === 1);
  raw.send(1, 'basic.ack', { deliveryTag: 1, multiple: false });
  raw.send(1, 'basic.get', { queue });
  const again = await raw.message(1);
  expect(first.method).toMatchObject({ deliveryTag: 1, redelivered: false });
  expect(again.method).toMatchObject({ deliveryTag: 2, redelivered: true });
  await raw.call(1, 'basic.qos', {});
  raw.send(1, 'basic.ack', { deliveryTag: 1, multiple: false });
  expect(String((await raw.next(1))['replyText'])).toContain('unknown delivery tag 1');
});

test('a delivery that is acked within a transaction is not late, however late the commit', async () => {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0, consumerTimeoutMs: 2_000 }, clock);
  const raw = await server.open({ heartbeat: 0 });
  const queue = 'deliberate';
  await raw.call(1, 'queue.declare', { queue, exclusive: true });
  await raw.call(1, 'tx.select');
  await raw.openChannel(2);
  for (const channel of [1, 2]) {
    raw.publish(2, { routingKey: queue }, {}, Buffer.from('work'));
    raw.send(channel, 'basic.get', { queue });
    await raw.message(channel);
  }
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  const stop = setInterval(() => {
    clock.nowMs += TICK_MS;
  }, 5);
  // The other channel acks nothing: when it is closed, the time of the first is over as well.
  expect(await raw.next(2)).toMatchObject({ name: 'channel.close', replyCode: 406 });
  clearInterval(stop);
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
});

test('no answer that waits for the disk comes after the close of a channel that is late', async () => {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0, consumerTimeoutMs: 2_000 }, clock);
  const raw = await server.open({ heartbeat: 0 });
  await raw.call(1, 'queue.declare', { queue: 'late', exclusive: true });
  raw.publish(1, { routingKey: 'late' }, {}, Buffer.from('work'));
  raw.send(1, 'basic.get', { queue: 'late' });
  await raw.message(1);
  server.stickDisk();
  raw.send(1, 'queue.declare', { queue: 'lasting', durable: true });
  const stop = setInterval(() => {
    clock.nowMs += TICK_MS;
  }, 5);
  expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 406 });
  clearInterval(stop);
  server.unstickDisk();
  raw.send(1, 'channel.close-ok');
  expect((await raw.call(1, 'channel.open')).name).toBe('channel.open-ok');
});
