// Queues of the type stream that are to keep no more than so much: what goes, and what readers see of it.
import { expect, it } from 'vitest';
import { eventually, isLeveret, useBroker } from '../support/amqp.ts';
import { type Fields, typed } from '../support/amqp-wire.ts';
import { consume, type Read, read, useStreams } from './streams.ts';

const broker = useBroker();
const { reader } = useStreams(broker);
const COUNT = 2000;
/** RabbitMQ lets go of segments that are full, Leveret of pages of 256 messages. */
const SMALL = { 'x-max-length-bytes': 500_000, 'x-stream-max-segment-size-bytes': 50_000 };

async function stream(limits: Fields): Promise<string> {
  const raw = await broker.raw();
  const queue = broker.name();
  const args = { 'x-queue-type': 'stream', ...limits };
  await raw.call(1, 'queue.declare', { queue, durable: true, arguments: args });
  return queue;
}

/** Publishes so many messages of 1000 bytes. */
async function fill(queue: string, count: number): Promise<void> {
  const channel = await broker.confirmChannel();
  for (let n = 0; n < count; n += 1) channel.sendToQueue(queue, Buffer.alloc(1000));
  await channel.waitForConfirms();
}

/** The offsets from there to the newest message, as a reader gets them. */
async function offsetsFrom(queue: string, start: unknown): Promise<number[]> {
  const raw = await reader(COUNT);
  await consume(raw, queue, start);
  const seen: number[] = [];
  while (seen.at(-1) !== COUNT - 1) seen.push(numberOf(await read(raw, 1)));
  raw.drop();
  return seen;
}

const numberOf = ([message]: readonly Read[]): number => Number((message as Read).offset.value);

/** Where one offset is not followed by the next one. */
const gapsIn = (seen: readonly number[]): number[] =>
  seen.slice(1).filter((offset, n) => offset !== (seen[n] as number) + 1);

/** Resolves when most of the messages are gone. */
async function untilShort(queue: string): Promise<void> {
  await eventually(async () => ((await offsetsFrom(queue, 0))[0] as number) > COUNT / 2);
}

it('keeps the newest, under the offsets that they have', async () => {
  const queue = await stream(SMALL);
  await fill(queue, COUNT);
  await untilShort(queue);
  for (const start of ['first', 0, 5, typed('T', 1), '1h']) {
    const seen = await offsetsFrom(queue, start);
    expect(seen[0]).toBeGreaterThan(COUNT / 2);
    // RabbitMQ lets go of more while it is read.
    if (isLeveret) expect(gapsIn(seen)).toEqual([]);
  }
});

it('counts what is kept alone', async () => {
  const queue = await stream(SMALL);
  await fill(queue, COUNT);
  await untilShort(queue);
  const channel = await broker.channel();
  // RabbitMQ counts every five seconds, and then about.
  await eventually(async () => (await channel.checkQueue(queue)).messageCount > 0);
  const { messageCount } = await channel.checkQueue(queue);
  expect(messageCount).toBeLessThan(COUNT / 2);
  if (isLeveret) expect(messageCount).toBe((await offsetsFrom(queue, 'first')).length);
});

it('lets a reader that is left behind go on with what is kept', async () => {
  const queue = await stream(SMALL);
  await fill(queue, 1);
  const raw = await reader(1);
  await consume(raw, queue, 'first');
  const seen = [numberOf(await read(raw, 1))];
  await fill(queue, COUNT - 1);
  await untilShort(queue);
  while (seen.at(-1) !== COUNT - 1) {
    raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    seen.push(numberOf(await read(raw, 1)));
  }
  expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
  // RabbitMQ goes on in the segment that it has open, and lets go of more meanwhile.
  const gaps = gapsIn(seen).length;
  expect(gaps).toBeGreaterThan(0);
  if (isLeveret) expect(gaps).toBe(1);
});

it('keeps everything where no limit is', async () => {
  const queue = await stream({});
  await fill(queue, COUNT);
  const seen = await offsetsFrom(queue, 'first');
  expect([seen[0], gapsIn(seen)]).toEqual([0, []]);
});
