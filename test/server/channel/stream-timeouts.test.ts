// Owns the tests of deliveries of streams whose time runs out: none is lost to its group. The clock is moved by hand.

import { expect, test } from 'vitest';
import { TICK_MS } from '../../../src/util/timers.ts';
import { eventually } from '../../support/amqp.ts';
import type { Fields } from '../../support/amqp-wire.ts';
import { FakeClock, useServers } from '../support.ts';

const start = useServers();

type Frame = { readonly [field: string]: unknown };

const GROUP = { 'x-stream-group': 'g', 'x-stream-offset': 'first' };
const CLIENT = { capabilities: { consumer_cancel_notify: true } };

/** A stream with these arguments and some messages, and a way to read it. */
async function setUp(args: Fields, bodies: readonly string[]) {
  const clock = new FakeClock();
  const server = await start({ heartbeatSeconds: 0 }, clock);
  const raw = await server.open({ heartbeat: 0, ...CLIENT });
  /** The next frame of a channel, as time goes by in such steps, ms. */
  const moving = async (channel: number, stepMs: number): Promise<Frame> => {
    const came: Frame[] = [];
    raw.next(channel).then((frame) => came.push(frame));
    await eventually(() => {
      clock.nowMs += stepMs;
      return came.length > 0;
    });
    return came[0] as Frame;
  };
  const all = { 'x-queue-type': 'stream', ...args };
  await raw.call(1, 'queue.declare', { queue: 's', durable: true, arguments: all });
  await raw.call(1, 'confirm.select', {});
  for (const body of bodies) {
    raw.publish(1, { routingKey: 's' }, {}, Buffer.from(body));
    await moving(1, 1);
  }
  let channels = 1;
  const consume = async (more: Fields = {}): Promise<number> => {
    channels += 1;
    await raw.openChannel(channels);
    await raw.call(channels, 'basic.qos', { prefetchCount: 10 });
    const fields = { queue: 's', consumerTag: `c${channels}`, arguments: { ...GROUP, ...more } };
    await raw.call(channels, 'basic.consume', fields);
    return channels;
  };
  const body = async (channel: number): Promise<string> =>
    (await raw.message(channel)).body.toString();
  const late = (channel: number): Promise<Frame> => moving(channel, TICK_MS);
  const stream = server.server.broker.vhost('/').queues.get('s');
  return { raw, stream, consume, body, late };
}

test('a channel that is late is closed, and the next consumer of the group gets what it left', async () => {
  const { consume, body, late } = await setUp({ 'x-consumer-timeout': 2_000 }, ['a', 'b']);
  const hung = await consume();
  expect([await body(hung), await body(hung)]).toEqual(['a', 'b']);
  const next = await consume({ 'x-consumer-timeout': 1e9 });
  const closed = await late(hung);
  expect(closed).toMatchObject({ name: 'channel.close', replyCode: 406 });
  expect(String(closed['replyText'])).toContain('Timeout value used: 2000 ms.');
  expect([await body(next), await body(next)]).toEqual(['a', 'b']);
});

test('a timeout that a policy sets holds for consumers that are there', async () => {
  const { stream, consume, body, late } = await setUp({}, ['a']);
  const hung = await consume();
  expect(await body(hung)).toBe('a');
  stream?.applyPolicy(new Map([['consumer-timeout', 3_000]]), null);
  const closed = await late(hung);
  expect(String(closed['replyText'])).toContain('Timeout value used: 3000 ms.');
});

test.each(['requeue', 'cancel'])(
  'the action `%s` ends the late consumer, and the next one of its group goes on from what is late',
  async (action) => {
    const args = { 'x-consumer-timeout': 2_000, 'x-consumer-timeout-action': action };
    const { raw, consume, body, late } = await setUp(args, ['a', 'b', 'c']);
    const hung = await consume();
    for (const expected of ['a', 'b', 'c']) expect(await body(hung)).toBe(expected);
    raw.send(hung, 'basic.ack', { deliveryTag: 1, multiple: false });
    const next = await consume({ 'x-consumer-timeout': 1e9 });
    expect(await late(hung)).toMatchObject({ name: 'basic.cancel', consumerTag: `c${hung}` });
    expect([await body(next), await body(next)]).toEqual(['b', 'c']);
  },
);
