// connection.tune: what the broker offers, what it accepts, and heartbeats in both directions.
import { expect, it } from 'vitest';
import { connectionClose, eventually, useBroker } from '../support/amqp.ts';

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

it('refuses more channels than it offered', async () => {
  const { reply } = await tuned({ channelMax: 65535 });
  expect(reply).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - negotiated channel_max = 65535 is higher than the maximum allowed value (2047)',
      'connection.tune-ok',
    ),
  );
});

it('refuses no limit of channels where it has one', async () => {
  const { reply } = await tuned({ channelMax: 0 });
  expect(reply).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
      'connection.tune-ok',
    ),
  );
});

it('refuses larger frames than it offered', async () => {
  const { reply } = await tuned({ frameMax: 131073 });
  expect(reply).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - negotiated frame_max = 131073 is higher than the maximum allowed value (131072)',
      'connection.tune-ok',
    ),
  );
});

it('refuses no limit of frames where it has one', async () => {
  const { reply } = await tuned({ frameMax: 0 });
  expect(reply).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)',
      'connection.tune-ok',
    ),
  );
});

it('refuses frames smaller than 4096', async () => {
  const { reply } = await tuned({ frameMax: 4095 });
  expect(reply).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed value (4096)',
      'connection.tune-ok',
    ),
  );
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

it('sends heartbeats at the interval that the client chose', async () => {
  const { raw } = await tuned({ heartbeat: 1 });
  const beat = setInterval(() => raw.heartbeat(), 400);
  await eventually(() => raw.heartbeats >= 2, 'two heartbeats');
  clearInterval(beat);
  expect(raw.closed).toBe(false);
});

it('drops a client that is silent for longer than the heartbeat allows', async () => {
  const { raw } = await tuned({ heartbeat: 1 });
  const since = Date.now();
  await raw.untilClosed();
  expect(Date.now() - since).toBeGreaterThan(900);
  expect(Date.now() - since).toBeLessThan(5_000);
  expect(raw.unread()).toEqual([]);
});

it('takes any frame for a sign of life', async () => {
  const { raw } = await tuned({ heartbeat: 1 });
  await raw.openChannel(1);
  const until = Date.now() + 3_500;
  while (Date.now() < until) {
    expect((await raw.call(1, 'basic.qos', { prefetchCount: 1 })).name).toBe('basic.qos-ok');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  expect(raw.closed).toBe(false);
});

it('neither sends nor expects heartbeats where the client chose 0', async () => {
  const { raw } = await tuned({ heartbeat: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(raw.heartbeats).toBe(0);
  expect(raw.closed).toBe(false);
});
