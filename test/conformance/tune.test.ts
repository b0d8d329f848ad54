// connection.tune: what the broker offers, what it accepts, and heartbeats in both directions.
import { expect, it } from 'vitest';
import { connectionClose, eventually, expectedFor, useBroker } from '../support/amqp.ts';

const broker = useBroker();

async function tuned(tuneOk: { channelMax?: number; frameMax?: number; heartbeat?: number }) {
  const raw = await broker.dial();
  return { raw, reply: await raw.open(tuneOk) };
}

it('offers 2047 channels, frames of 128 KiB and a heartbeat of 60 s', async () => {
  const { raw } = await tuned({});
  expect(raw.tune).toMatchObject({ channelMax: 2047, frameMax: 131072, heartbeat: 60 });
});

it('accepts lower limits', async () => {
  const { reply } = await tuned({ channelMax: 10, frameMax: 4096, heartbeat: 7 });
  expect(reply.name).toBe('connection.open-ok');
});

it('refuses limits beyond those it offered', async () => {
  const channelsText = 'is higher than the maximum allowed value (2047)';
  const framesText = 'is higher than the maximum allowed value (131072)';
  const cases: [{ channelMax?: number; frameMax?: number }, string][] = [
    [{ channelMax: 2048 }, `channel_max = 2048 ${channelsText}`],
    [{ channelMax: 0 }, `channel_max = 0 (no limit) ${channelsText}`],
    [{ frameMax: 131073 }, `frame_max = 131073 ${framesText}`],
    [{ frameMax: 0 }, `frame_max = 0 (no limit) ${framesText}`],
    [{ frameMax: 4095 }, 'frame_max = 4095 is lower than the minimum allowed value (4096)'],
  ];
  const replies = await Promise.all(cases.map(([tuneOk]) => tuned(tuneOk)));
  replies.forEach(({ reply }, index) => {
    const text = `NOT_ALLOWED - negotiated ${cases[index]?.[1]}`;
    // RabbitMQ 3.10 logs the reason and closes the socket three seconds later; newer ones say it.
    expect(reply).toMatchObject(
      expectedFor<object>({
        rabbitmq: { name: 'socket closed' },
        leveret: connectionClose(530, text, 'connection.tune-ok'),
      }),
    );
  });
});

it('cuts what it sends to the negotiated frame size', async () => {
  const raw = await broker.dial();
  await raw.open({ frameMax: 4096 });
  await raw.openChannel(1);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.publish(1, { routingKey: queue }, {}, Buffer.alloc(10_000, 'x'));
  const got = await eventually(async () => {
    const reply = await raw.call(1, 'basic.get', { queue, noAck: true });
    return reply.name === 'basic.get-ok';
  });
  expect(got).toBe(true);
  expect((await raw.next(1))['bodySize']).toBe(10_000);
  const sizes: number[] = [];
  for (let left = 10_000; left > 0; ) {
    const size = ((await raw.next(1))['payload'] as Buffer).length;
    sizes.push(size);
    left -= size;
  }
  expect(sizes).toEqual([4088, 4088, 1824]);
});

it('sends a content header in one frame, though it is larger than frame_max', async () => {
  const publisher = await broker.raw();
  const consumer = await broker.raw({ frameMax: 4096 });
  const queue = broker.name();
  await publisher.call(1, 'queue.declare', { queue });
  const headers = { long: 'x'.repeat(20_000) };
  publisher.publish(1, { routingKey: queue }, { headers }, Buffer.alloc(5000, 'y'));
  await consumer.call(1, 'basic.consume', { queue, noAck: true });
  const { properties, body } = await consumer.message(1);
  expect(properties['headers']).toEqual(headers);
  expect(body.length).toBe(5000);
});

it('sends heartbeats at the interval that the client chose', async () => {
  const { raw } = await tuned({ heartbeat: 1 });
  const beat = setInterval(() => raw.heartbeat(), 400);
  await eventually(() => raw.heartbeats >= 2, 'two heartbeats');
  clearInterval(beat);
  expect(raw.closed).toBe(false);
});

it('drops a client that is silent for longer than the heartbeat allows', async () => {
  const { raw } = await tuned({ heartbeat: 1 });
  await raw.untilClosed();
  expect(raw.unread()).toEqual([]);
});

it('takes any frame for a sign of life', async () => {
  const { raw } = await tuned({ heartbeat: 2 });
  await raw.openChannel(1);
  // Longer than the two intervals after which silence is noticed.
  const until = Date.now() + 5_500;
  while (Date.now() < until) {
    expect((await raw.call(1, 'basic.qos', { prefetchCount: 1 })).name).toBe('basic.qos-ok');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(raw.closed).toBe(false);
});

it('neither sends nor expects heartbeats where the client chose 0', async () => {
  const { raw } = await tuned({ heartbeat: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(raw.heartbeats).toBe(0);
  expect(raw.closed).toBe(false);
});
