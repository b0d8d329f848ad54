// Queues of the type stream, as their consumers see them: what they have to ask for, and where they begin to read.
import { expect, it } from 'vitest';
import {
  channelClose,
  connectionClose,
  eventually,
  expectedFor,
  useBroker,
} from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { typed } from '../support/amqp-wire.ts';
import { consume, inPlace, offsets, offsetsOf, read, useStreams } from './streams.ts';

const broker = useBroker();
const { stream, fill, reader } = useStreams(broker);
const CONSUME = 'basic.consume';

it('asks for a prefetch of each consumer, before it asks for acks', async () => {
  const queue = await stream();
  const text = `PRECONDITION_FAILED - consumer prefetch count is not set for '${inPlace(queue)}'`;
  for (const [qos, more] of [
    [null, {}],
    [{ prefetchCount: 0 }, {}],
    [{ prefetchCount: 10, global: true }, {}],
    [null, { noAck: true }],
  ] as const) {
    const raw = await broker.raw();
    if (qos !== null) await raw.call(1, 'basic.qos', qos);
    expect(await raw.call(1, CONSUME, { queue, ...more })).toMatchObject(
      channelClose(406, text, CONSUME),
    );
  }
});

it('asks for acks, before it asks for no limit of the whole channel', async () => {
  const queue = await stream();
  for (const limited of [false, true]) {
    const raw = await reader();
    if (limited) await raw.call(1, 'basic.qos', { prefetchCount: 50, global: true });
    const text = `NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues ${inPlace(queue)}`;
    expect(await raw.call(1, CONSUME, { queue, noAck: true })).toMatchObject(
      connectionClose(540, text, CONSUME),
    );
  }
});

it('refuses a limit of the whole channel, but not none', async () => {
  const queue = await stream();
  const raw = await reader();
  await raw.call(1, 'basic.qos', { prefetchCount: 0, global: true });
  expect((await raw.call(1, CONSUME, { queue })).name).toBe('basic.consume-ok');
  await raw.call(1, 'basic.qos', { prefetchCount: 50, global: true });
  const text = `NOT_IMPLEMENTED - ${inPlace(queue)} does not support global qos`;
  expect(await raw.call(1, CONSUME, { queue })).toMatchObject(connectionClose(540, text, CONSUME));
});

it('knows no priority of consumers', async () => {
  const queue = await stream();
  for (const [key, value] of [
    ['x-priority', 5],
    ['x-priority', 'odd'],
    ['x-cancel-on-ha-failover', true],
  ] as const) {
    const raw = await broker.raw();
    const text = `PRECONDITION_FAILED - invalid arg '${key}' for ${inPlace(queue)} of queue type rabbit_stream_queue`;
    expect(await raw.call(1, CONSUME, { queue, arguments: { [key]: value } })).toMatchObject(
      channelClose(406, text, CONSUME),
    );
  }
});

it('takes exclusive consumers beside others, and arguments that it does not know', async () => {
  const queue = await stream(2);
  const raw = await reader();
  for (const [consumerTag, exclusive] of [
    ['a', true],
    ['b', true],
    ['c', false],
  ] as const) {
    const args = { 'x-stream-offset': 'first', 'x-of-mine': 1 };
    const reply = await raw.call(1, CONSUME, { queue, consumerTag, exclusive, arguments: args });
    expect(reply.name).toBe('basic.consume-ok');
    expect(offsetsOf(await read(raw, 2))).toEqual(offsets(0, 2));
  }
});

it('refuses an offset that says nothing, before all else', async () => {
  const queue = await stream();
  const raw = await broker.raw();
  for (const value of ['5X', '0s', '1.5h', '1', '1 h']) {
    const text = `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for ${inPlace(queue)}: {invalid_stream_offset_arg,{longstr,<<"${value}">>}}`;
    const args = { 'x-stream-offset': value };
    expect(await raw.attempt(CONSUME, { queue, arguments: args })).toMatchObject(
      channelClose(406, text, CONSUME),
    );
  }
});

it('refuses an offset where RabbitMQ fails within', async () => {
  const queue = await stream();
  for (const value of ['nonsense', 'First', '', 'h', '-1h', typed('d', 2.5), true, { a: 1 }, [1]]) {
    const raw = await reader();
    expect(await consume(raw, queue, value), JSON.stringify(value)).toMatchObject(
      expectedFor<object>({
        rabbitmq: connectionClose(541, 'INTERNAL_ERROR'),
        leveret: { name: 'channel.close', replyCode: 406 },
      }),
    );
  }
});

it('begins where the consumer says', async () => {
  const queue = await stream(30);
  const now = Math.floor(Date.now() / 1000);
  for (const [value, first] of [
    ['first', 0],
    ['last', 29],
    [0, 0],
    [5, 5],
    [29, 29],
    [typed('l', 7), 7],
    [typed('b', 5), 5],
    [typed('B', 5), 5],
    [typed('s', 5), 5],
    [typed('u', 5), 5],
    [typed('i', 5), 5],
    ['1h', 0],
    ['1D', 0],
    ['1M', 0],
    ['1Y', 0],
    ['99999999999Y', 0],
    [typed('T', 0), 0],
    [typed('T', now - 3600), 0],
  ] as const) {
    const raw = await reader();
    expect((await consume(raw, queue, value)).name).toBe('basic.consume-ok');
    const all = await read(raw, 30 - first);
    expect(offsetsOf(all), JSON.stringify(value)).toEqual(offsets(first, 30 - first));
    expect(all[0]?.body).toBe(`m${first}`);
  }
});

it('begins with what comes next where nothing else is said, or nothing is there', async () => {
  const queue = await stream(3);
  const soon = Math.floor(Date.now() / 1000) + 3600;
  const raws: RawConnection[] = [];
  for (const args of [
    {},
    { 'x-stream-offset': 'next' },
    { 'x-stream-offset': 3 },
    { 'x-stream-offset': typed('T', soon) },
    { 'x-stream-offset': typed('T', 2 ** 52) },
  ]) {
    const raw = await reader();
    await raw.call(1, CONSUME, { queue, arguments: args });
    raws.push(raw);
  }
  await fill(queue, 2, 3);
  for (const raw of raws) expect(offsetsOf(await read(raw, 2))).toEqual(offsets(3, 2));
});

it('begins with the first message of an empty stream', async () => {
  const queue = await stream();
  const raws: RawConnection[] = [];
  for (const value of ['first', 'last', 'next', '1h', typed('T', 1), 0]) {
    const raw = await reader();
    await consume(raw, queue, value);
    raws.push(raw);
  }
  await fill(queue, 2);
  for (const raw of raws) expect(offsetsOf(await read(raw, 2))).toEqual(offsets(0, 2));
});

it('waits for an offset that is to come', async () => {
  const queue = await stream(1);
  const raw = await reader();
  await consume(raw, queue, 3);
  await fill(queue, 4, 1);
  expect(offsetsOf(await read(raw, 2))).toEqual(offsets(3, 2));
});

it('takes a negative offset for the first message, or for the last so many', async () => {
  const queue = await stream(10);
  for (const value of [-3, typed('l', -3), typed('b', -3)]) {
    const raw = await reader();
    await consume(raw, queue, value);
    const first = expectedFor({ rabbitmq: 0, leveret: 7 });
    expect(offsetsOf(await read(raw, 10 - first))).toEqual(offsets(first, 10 - first));
  }
});

it('begins at a time, by when messages came', async () => {
  const queue = await stream(3);
  // AMQP counts whole seconds: the next message is of another one.
  const before = Math.floor(Date.now() / 1000);
  await eventually(() => Math.floor(Date.now() / 1000) > before);
  const second = Math.floor(Date.now() / 1000);
  await fill(queue, 3, 3);
  for (const [value, first] of [
    [typed('T', second), 3],
    [typed('T', second - 60), 0],
  ] as const) {
    const raw = await reader();
    await consume(raw, queue, value);
    expect(offsetsOf(await read(raw, 6 - first))).toEqual(offsets(first, 6 - first));
  }
});
