// Consumers that the broker ends because their queue goes: which frames come, in which order and together.
import { describe, expect, it } from 'vitest';
import { isLeveret, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import type { Frame } from '../support/amqp-wire.ts';

const broker = useBroker();
const NOTIFIED = { consumer_cancel_notify: true, authentication_failure_close: true };

const open = () => broker.raw({ capabilities: NOTIFIED });

async function consume(raw: RawConnection, channel: number, queue: string, ...tags: string[]) {
  for (const consumerTag of tags) {
    const reply = await raw.call(channel, 'basic.consume', { queue, consumerTag });
    expect(reply.name).toBe('basic.consume-ok');
  }
}

/** What comes on a channel: so many frames, each as its name and its tag. */
async function take(raw: RawConnection, channel: number, count: number): Promise<string[]> {
  const frames: string[] = [];
  for (let n = 0; n < count; n++) frames.push(named(await raw.next(channel)));
  return frames;
}

function named(frame: Frame): string {
  return frame.name === 'basic.cancel' ? `cancel ${frame['consumerTag']}` : frame.name;
}

describe.each([
  ['a transient queue', {}],
  ['a durable queue', { durable: true }],
  ['a quorum queue', { durable: true, arguments: { 'x-queue-type': 'quorum' } }],
])('a channel that deletes %s which it consumes from', (_kind, traits) => {
  it('is answered first, and then told that its consumers are gone', async () => {
    const raw = await open();
    const queue = broker.name();
    await raw.call(1, 'queue.declare', { queue, ...traits });
    await consume(raw, 1, queue, 'a');
    raw.send(1, 'queue.delete', { queue });
    expect(await take(raw, 1, 2)).toEqual(['queue.delete-ok', 'cancel a']);
  });

  it.runIf(isLeveret)('hears all of that in one write', async () => {
    const raw = await open();
    const queue = broker.name();
    await raw.call(1, 'queue.declare', { queue, ...traits });
    await consume(raw, 1, queue, 'a', 'b');
    raw.chunks.length = 0;
    raw.send(1, 'queue.delete', { queue });
    await take(raw, 1, 3);
    expect(raw.chunks).toEqual([['queue.delete-ok', 'basic.cancel', 'basic.cancel']]);
  });

  it('has the consumers of other channels and connections told as well', async () => {
    const raw = await open();
    const other = await open();
    await raw.openChannel(2);
    const queue = broker.name();
    await raw.call(1, 'queue.declare', { queue, ...traits });
    await consume(raw, 2, queue, 'b');
    await consume(other, 1, queue, 'c');
    expect((await raw.call(1, 'queue.delete', { queue })).name).toBe('queue.delete-ok');
    expect(await take(raw, 2, 1)).toEqual(['cancel b']);
    expect(await take(other, 1, 1)).toEqual(['cancel c']);
  });
});

it('an answer that is not wanted holds no notice back', async () => {
  const raw = await open();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await consume(raw, 1, queue, 'a');
  raw.send(1, 'queue.delete', { queue, nowait: true });
  expect(await take(raw, 1, 1)).toEqual(['cancel a']);
});

it('a deletion that is refused cancels no consumer', async () => {
  const raw = await open();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await consume(raw, 1, queue, 'a');
  expect((await raw.call(2, 'queue.delete', { queue, ifUnused: true })).name).toBe('channel.close');
  raw.publish(1, { routingKey: queue });
  expect((await raw.message(1)).method).toMatchObject({ consumerTag: 'a' });
});

it('a queue deleted by its last consumer leaving ends with cancel-ok alone', async () => {
  const raw = await open();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, autoDelete: true });
  await consume(raw, 1, queue, 'a');
  raw.send(1, 'basic.cancel', { consumerTag: 'a' });
  raw.send(1, 'basic.qos');
  expect(await take(raw, 1, 2)).toEqual(['basic.cancel-ok', 'basic.qos-ok']);
});

it('what was published before the deletion reaches the consumer before its end', async () => {
  const raw = await open();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await consume(raw, 1, queue, 'a');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('m'));
  raw.send(1, 'queue.delete', { queue });
  const frames: Frame[] = [];
  while (frames.at(-1)?.name !== 'basic.cancel') frames.push(await raw.next(1));
  const names = frames.map(({ name }) => name);
  expect(names).toContain('basic.deliver');
  expect(names.filter((name) => name.startsWith('queue.') || name === 'basic.cancel')).toEqual([
    'queue.delete-ok',
    'basic.cancel',
  ]);
  expect(frames.find(({ name }) => name === 'queue.delete-ok')).toMatchObject({ messageCount: 0 });
});
