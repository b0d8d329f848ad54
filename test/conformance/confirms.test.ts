// Publisher confirms: numbering, order, returns before acks, what counts as taken.
import { expect, it } from 'vitest';
import { channelClose, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';

const broker = useBroker();

async function confirming(): Promise<{ raw: RawConnection; queue: string }> {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  expect((await raw.call(1, 'confirm.select')).name).toBe('confirm.select-ok');
  return { raw, queue };
}

/** Reads acks until all publishes up to `last` are confirmed; each exactly once. */
async function untilConfirmed(raw: RawConnection, last: number): Promise<void> {
  const open = new Set(Array.from({ length: last }, (_, index) => index + 1));
  while (open.size > 0) {
    const frame = await raw.next(1);
    expect(frame.name).toBe('basic.ack');
    const tag = frame['deliveryTag'] as number;
    expect(open.has(tag)).toBe(true);
    if (frame['multiple'] === true) {
      for (const number of [...open]) if (number <= tag) open.delete(number);
    } else {
      open.delete(tag);
    }
  }
}

it('confirms a publish with its number, from 1 after confirm.select', async () => {
  const { raw, queue } = await confirming();
  for (let number = 1; number <= 3; number += 1) {
    raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: number });
  }
});

it('does not count what was published before confirm.select', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  await raw.call(1, 'confirm.select');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
});

it('selects twice without starting the numbers anew', async () => {
  const { raw, queue } = await confirming();
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ deliveryTag: 1 });
  expect((await raw.call(1, 'confirm.select')).name).toBe('confirm.select-ok');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ deliveryTag: 2 });
});

it('answers nothing to confirm.select with nowait, but confirms', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.send(1, 'confirm.select', { nowait: true });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
});

it('confirms every one of many publishes exactly once', async () => {
  const { raw, queue } = await confirming();
  for (let i = 0; i < 500; i += 1) raw.publish(1, { routingKey: queue }, {}, Buffer.from(`${i}`));
  await untilConfirmed(raw, 500);
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 500,
  });
});

it('confirms persistent messages in a durable queue', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, durable: true });
  await raw.call(1, 'confirm.select');
  for (let i = 0; i < 100; i += 1) {
    const deliveryMode = i % 2 === 0 ? 2 : 1;
    raw.publish(1, { routingKey: queue }, { deliveryMode }, Buffer.from(`${i}`));
  }
  await untilConfirmed(raw, 100);
});

it('confirms what no queue takes', async () => {
  const { raw } = await confirming();
  raw.publish(1, { exchange: 'amq.direct', routingKey: broker.name() }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
});

it('returns an unroutable message before it confirms it', async () => {
  const { raw } = await confirming();
  const fields = { exchange: 'amq.direct', routingKey: broker.name(), mandatory: true };
  for (let number = 1; number <= 3; number += 1) {
    raw.publish(1, fields, {}, Buffer.from('x'));
    expect((await raw.message(1)).method).toMatchObject({ name: 'basic.return', replyCode: 312 });
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: number });
  }
});

it('confirms once although many queues take the message', async () => {
  const { raw } = await confirming();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  for (let i = 0; i < 10; i += 1) {
    const queue = broker.name();
    await raw.call(1, 'queue.declare', { queue, durable: i % 2 === 0 });
    await raw.call(1, 'queue.bind', { queue, exchange });
  }
  raw.publish(1, { exchange }, { deliveryMode: 2 }, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('numbers publishes for each channel by itself', async () => {
  const { raw, queue } = await confirming();
  await raw.openChannel(2);
  await raw.call(2, 'confirm.select');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ channel: 1, deliveryTag: 1 });
  raw.publish(2, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(2)).toMatchObject({ channel: 2, deliveryTag: 1 });
});

it('numbers afresh on a channel that is opened anew', async () => {
  const { raw, queue } = await confirming();
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  await raw.next(1);
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect((await raw.call(1, 'confirm.select')).name).toBe('confirm.select-ok');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ deliveryTag: 1 });
});

it('refuses the publish that a full queue rejects', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const args = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
  await raw.call(1, 'queue.declare', { queue, arguments: args });
  await raw.call(1, 'confirm.select');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('first'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('second'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.nack', deliveryTag: 2 });
});

it('confirms nothing that it refuses with a channel error', async () => {
  const { raw } = await confirming();
  const exchange = broker.name('x');
  raw.publish(1, { exchange }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, 'basic.publish'),
  );
});

it('has taken a message by the time that it confirms it', async () => {
  const channel = await broker.confirmChannel();
  const other = await (await broker.connect()).createChannel();
  const queue = await broker.queue(channel);
  for (let i = 1; i <= 20; i += 1) {
    channel.sendToQueue(queue, Buffer.from('x'));
    await channel.waitForConfirms();
    expect((await other.checkQueue(queue)).messageCount).toBe(i);
  }
});

/** A queue that takes one message and no more. */
async function small(raw: RawConnection, more: object = {}): Promise<string> {
  const queue = broker.name();
  const args = { 'x-max-length': 1, 'x-overflow': 'reject-publish', ...more };
  await raw.call(1, 'queue.declare', { queue, arguments: args });
  return queue;
}

it('refuses a publish that one of its queues has no place for; the others keep it', async () => {
  const { raw, queue } = await confirming();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  for (const each of [queue, await small(raw), await small(raw)]) {
    await raw.call(1, 'queue.bind', { queue: each, exchange });
  }
  raw.publish(1, { exchange }, {}, Buffer.from('first'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  raw.publish(1, { exchange }, {}, Buffer.from('second'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.nack', deliveryTag: 2 });
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 2,
  });
  expect(raw.unread()).toEqual([]);
});

it('settles each of many publishes once, refused ones by a nack alone', async () => {
  const { raw, queue } = await confirming();
  const full = await small(raw);
  raw.publish(1, { routingKey: full }, {}, Buffer.from('fills it'));
  await untilConfirmed(raw, 1);
  const refused = new Set<number>();
  for (let number = 2; number <= 300; number += 1) {
    const isRefused = number % 3 === 0 || number > 250;
    if (isRefused) refused.add(number);
    raw.publish(1, { routingKey: isRefused ? full : queue }, {}, Buffer.from('x'));
  }
  const open = new Set(Array.from({ length: 299 }, (_, index) => index + 2));
  while (open.size > 0) {
    const { name, deliveryTag, multiple } = await raw.next(1);
    expect(open.has(deliveryTag as number)).toBe(true);
    for (const number of multiple === true ? [...open] : [deliveryTag as number]) {
      if (number > (deliveryTag as number)) continue;
      expect([number, name]).toEqual([number, refused.has(number) ? 'basic.nack' : 'basic.ack']);
      open.delete(number);
    }
  }
});

it('drops a refused publish without a word outside of confirm mode', async () => {
  const raw = await broker.raw();
  const queue = await small(raw);
  for (const body of ['kept', 'dropped']) {
    raw.publish(1, { routingKey: queue, mandatory: true }, {}, Buffer.from(body));
  }
  raw.send(1, 'basic.get', { queue, noAck: true });
  expect((await raw.message(1)).body.toString()).toBe('kept');
  expect((await raw.call(1, 'basic.get', { queue })).name).toBe('basic.get-empty');
});
