// Streams for the conformance tests: how they are filled, and read with their offsets. Asserts what holds for all.
import { expect } from 'vitest';
import type { Broker } from '../support/amqp.ts';
import { pause } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { type Fields, type Typed, typed } from '../support/amqp-wire.ts';

/** How texts name a queue. */
export const inPlace = (queue: string): string => `queue '${queue}' in vhost '/'`;

/** A message of a stream as it was delivered. */
export interface Read {
  /** The header `x-stream-offset`, with its type. */
  readonly offset: Typed;
  readonly deliveryTag: unknown;
  readonly body: string;
}

export const offsetsOf = (all: readonly Read[]): Typed[] => all.map(({ offset }) => offset);

/** So many offsets in a row, as headers have them. */
export const offsets = (first: number, count: number): Typed[] =>
  Array.from({ length: count }, (_, n) => typed('l', first + n));

export interface Streams {
  /** A stream with so many messages, each confirmed before the next: bodies 'm0', 'm1', ... */
  stream(count?: number): Promise<string>;
  /** Publishes more of them. */
  fill(queue: string, count: number, first?: number): Promise<void>;
  /** A connection with a prefetch of its consumers on channel 1. */
  reader(prefetchCount?: number): Promise<RawConnection>;
}

export function useStreams(broker: Broker): Streams {
  const streams: Streams = {
    async stream(count = 0) {
      const channel = await broker.confirmChannel();
      const args = { 'x-queue-type': 'stream' };
      const queue = await broker.queue(channel, { durable: true, arguments: args });
      await streams.fill(queue, count);
      return queue;
    },
    async fill(queue, count, first = 0) {
      const channel = await broker.confirmChannel();
      for (let n = first; n < first + count; n += 1) {
        channel.sendToQueue(queue, Buffer.from(`m${n}`), { persistent: true });
        await channel.waitForConfirms();
      }
    },
    async reader(prefetchCount = 100) {
      const raw = await broker.raw();
      await raw.call(1, 'basic.qos', { prefetchCount });
      return raw;
    },
  };
  return streams;
}

/** Consumes on channel 1 from there on; gives the answer. */
export function consume(raw: RawConnection, queue: string, offset: unknown, more: Fields = {}) {
  const args = { 'x-stream-offset': offset };
  return raw.call(1, 'basic.consume', { queue, arguments: args, ...more });
}

/** The next so many deliveries on channel 1. */
export async function read(raw: RawConnection, count: number): Promise<Read[]> {
  const all: Read[] = [];
  for (let n = 0; n < count; n += 1) {
    const { method, properties, body } = await raw.message(1);
    const headers = properties['headers'] as Fields;
    expect(method).toMatchObject({ name: 'basic.deliver', redelivered: false });
    const offset = headers['x-stream-offset'] as Typed;
    all.push({ offset, deliveryTag: method['deliveryTag'], body: body.toString() });
  }
  return all;
}

/** Sees that nothing more is on its way: neither before the answer to a method that is sent now, nor soon after. */
export async function nothingMore(raw: RawConnection): Promise<void> {
  await raw.openChannel(9);
  await raw.call(9, 'channel.close', { replyCode: 200 });
  await pause(20);
  expect(raw.unread()).toEqual([]);
}
