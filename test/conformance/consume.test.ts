// Consumers: tags, fairness, exclusivity, acknowledgement modes, cancelling from both sides.
import { expect, it } from 'vitest';
import { channelClose, collect, connectionClose, eventually, useBroker } from '../support/amqp.ts';

const broker = useBroker();

async function rawQueue(options: object = {}) {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, ...options });
  const publish = (...bodies: string[]) => {
    for (const body of bodies) raw.publish(1, { routingKey: queue }, {}, Buffer.from(body));
  };
  return { raw, queue, publish };
}

it('answers consume-ok before it delivers', async () => {
  const { raw, queue, publish } = await rawQueue();
  publish('a', 'b');
  expect(await raw.call(1, 'basic.consume', { queue, consumerTag: 'mine' })).toEqual({
    name: 'basic.consume-ok',
    channel: 1,
    consumerTag: 'mine',
  });
  for (const [index, body] of ['a', 'b'].entries()) {
    const message = await raw.message(1);
    expect(message.method).toEqual({
      name: 'basic.deliver',
      channel: 1,
      consumerTag: 'mine',
      deliveryTag: index + 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
    });
    expect(message.body.toString()).toBe(body);
  }
});

it('makes up a consumer tag where none is given', async () => {
  const { raw, queue } = await rawQueue();
  const first = await raw.call(1, 'basic.consume', { queue });
  const second = await raw.call(1, 'basic.consume', { queue });
  expect(first['consumerTag']).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
  expect(second['consumerTag']).not.toBe(first['consumerTag']);
});

it('answers nothing to a consume with nowait, but delivers', async () => {
  const { raw, queue, publish } = await rawQueue();
  raw.send(1, 'basic.consume', { queue, consumerTag: 'quiet', nowait: true });
  publish('a');
  expect((await raw.message(1)).method).toMatchObject({
    name: 'basic.deliver',
    consumerTag: 'quiet',
  });
});

it('refuses a consumer tag that is in use on the channel', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'twin' });
  expect(await raw.call(1, 'basic.consume', { queue, consumerTag: 'twin' })).toMatchObject(
    connectionClose(530, "NOT_ALLOWED - attempt to reuse consumer tag 'twin'", 'basic.consume'),
  );
});

it('takes the same consumer tag on another channel, and again after a cancel', async () => {
  const { raw, queue } = await rawQueue();
  await raw.openChannel(2);
  for (const channel of [1, 2]) {
    const reply = await raw.call(channel, 'basic.consume', { queue, consumerTag: 'twin' });
    expect(reply.name).toBe('basic.consume-ok');
  }
  await raw.call(1, 'basic.cancel', { consumerTag: 'twin' });
  const reply = await raw.call(1, 'basic.consume', { queue, consumerTag: 'twin' });
  expect(reply.name).toBe('basic.consume-ok');
});

it('refuses to consume from a missing queue', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  expect(await raw.call(1, 'basic.consume', { queue })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, 'basic.consume'),
  );
});

it('refuses an exclusive consumer beside another, and any beside an exclusive one', async () => {
  const { raw, queue } = await rawQueue();
  const other = await broker.raw();
  const refused = channelClose(
    403,
    `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`,
    'basic.consume',
  );
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'plain' });
  expect(await other.attempt('basic.consume', { queue, exclusive: true })).toMatchObject(refused);
  await raw.call(1, 'basic.cancel', { consumerTag: 'plain' });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'sole', exclusive: true });
  expect(await other.attempt('basic.consume', { queue })).toMatchObject(refused);
  expect(await other.attempt('basic.consume', { queue, exclusive: true })).toMatchObject(refused);
  await raw.call(1, 'basic.cancel', { consumerTag: 'sole' });
  expect((await other.attempt('basic.consume', { queue })).name).toBe('basic.consume-ok');
});

it('lets others get from a queue that is consumed exclusively', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, exclusive: true });
  const other = await broker.raw();
  expect((await other.call(1, 'basic.get', { queue })).name).toBe('basic.get-empty');
});

it('deals messages out in turn among consumers with equal credit', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  const consumers = [
    await collect(channel, queue),
    await collect(channel, queue),
    await collect(channel, queue),
  ];
  for (let i = 0; i < 30; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await channel.waitForConfirms();
  await eventually(() => consumers.reduce((sum, one) => sum + one.bodies.length, 0) === 30);
  for (const consumer of consumers) expect(consumer.bodies).toHaveLength(10);
  const [first] = consumers;
  const numbers = (first?.bodies ?? []).map(Number);
  for (let i = 1; i < numbers.length; i += 1) {
    expect((numbers[i] as number) - (numbers[i - 1] as number)).toBe(3);
  }
});

it('serves consumers of higher priority first', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  await channel.prefetch(5);
  const low = await collect(channel, queue, { priority: 1 });
  const high = await collect(channel, queue, { priority: 10 });
  for (let i = 0; i < 8; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await eventually(() => low.bodies.length + high.bodies.length === 8);
  expect(high.bodies).toEqual(['0', '1', '2', '3', '4']);
  expect(low.bodies).toEqual(['5', '6', '7']);
});

it('keeps nothing unacked for a consumer without acks', async () => {
  const { raw, queue, publish } = await rawQueue();
  publish('a');
  await raw.call(1, 'basic.consume', { queue, noAck: true });
  await raw.message(1);
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 0,
  });
});

it('gives no_local no meaning', async () => {
  const { raw, queue, publish } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, noLocal: true });
  publish('mine');
  expect((await raw.message(1)).body.toString()).toBe('mine');
});

it('cancels an unknown consumer without complaint', async () => {
  const { raw } = await rawQueue();
  expect(await raw.call(1, 'basic.cancel', { consumerTag: 'nobody' })).toEqual({
    name: 'basic.cancel-ok',
    channel: 1,
    consumerTag: 'nobody',
  });
});

it('delivers nothing after cancel-ok', async () => {
  const { raw, queue, publish } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c', noAck: true });
  await raw.call(1, 'basic.cancel', { consumerTag: 'c' });
  publish('late');
  expect(await raw.call(1, 'basic.get', { queue, noAck: true })).toMatchObject({
    name: 'basic.get-ok',
  });
});

it('answers nothing to a cancel with nowait', async () => {
  const { raw, queue, publish } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c', noAck: true });
  raw.send(1, 'basic.cancel', { consumerTag: 'c', nowait: true });
  publish('late');
  expect((await raw.call(1, 'basic.get', { queue, noAck: true })).name).toBe('basic.get-ok');
});

it('keeps the unacked messages of a cancelled consumer with the channel', async () => {
  const { raw, queue, publish } = await rawQueue();
  publish('a', 'b');
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  await raw.message(1);
  await raw.message(1);
  await raw.call(1, 'basic.cancel', { consumerTag: 'c' });
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 0,
    consumerCount: 0,
  });
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  raw.send(1, 'basic.get', { queue });
  const message = await raw.message(1);
  expect(message.body.toString()).toBe('b');
  expect(message.method).toMatchObject({ redelivered: true, messageCount: 0 });
});

it('cancels the consumers of a deleted queue where the client announced that it can take it', async () => {
  const raw = await broker.raw({ capabilities: { consumer_cancel_notify: true } });
  const other = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  await other.call(1, 'queue.delete', { queue });
  expect(await raw.next(1)).toEqual({
    name: 'basic.cancel',
    channel: 1,
    consumerTag: 'c',
    nowait: true,
  });
  await raw.call(1, 'queue.declare', { queue });
  const reply = await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  expect(reply.name).toBe('basic.consume-ok');
});

it('says nothing of it to a client that did not', async () => {
  const raw = await broker.raw({ capabilities: {} });
  const other = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  await other.call(1, 'queue.delete', { queue });
  await raw.call(1, 'basic.qos');
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

it('hands the messages of a full queue over in order', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  for (let i = 0; i < 1000; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await channel.waitForConfirms();
  const consumer = await collect(channel, queue);
  await eventually(() => consumer.bodies.length === 1000);
  expect(consumer.bodies).toEqual(Array.from({ length: 1000 }, (_, index) => `${index}`));
});

it('puts no other frame of the channel inside a content', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'confirm.select');
  await raw.call(1, 'basic.consume', { queue, noAck: true });
  const count = 20;
  const body = Buffer.alloc(200_000, 'x');
  for (let i = 0; i < count; i += 1) raw.publish(1, { routingKey: queue }, {}, body);
  let delivered = 0;
  let confirmed = 0;
  let left = 0;
  while (delivered < count || confirmed < count) {
    const frame = await raw.next(1);
    if (frame.name === 'basic.ack') {
      expect(left).toBe(0);
      confirmed = Math.max(confirmed, frame['deliveryTag'] as number);
    } else if (frame.name === 'basic.deliver') {
      expect(left).toBe(0);
      const header = await raw.next(1);
      expect(header.name).toBe('header');
      left = header['bodySize'] as number;
    } else {
      expect(frame.name).toBe('body');
      left -= (frame['payload'] as Buffer).length;
      if (left === 0) delivered += 1;
    }
  }
});

it('takes whole numbers as priorities, and nothing else', async () => {
  const { raw, queue } = await rawQueue();
  expect(
    (await raw.call(1, 'basic.consume', { queue, arguments: { 'x-priority': -5 } })).name,
  ).toBe('basic.consume-ok');
  for (const [value, type] of [
    ['5', 'longstr'],
    [true, 'bool'],
    [null, 'void'],
  ]) {
    const text =
      `PRECONDITION_FAILED - invalid arg 'x-priority' for queue '${queue}' in vhost '/': ` +
      `"expected integer, got ${type}"`;
    expect(
      await raw.attempt('basic.consume', { queue, arguments: { 'x-priority': value } }),
    ).toMatchObject(channelClose(406, text, 'basic.consume'));
  }
});

it('refuses arguments of consumers that are wrong for the queue, whatever else is wrong', async () => {
  const { raw, queue } = await rawQueue();
  const where = `queue '${queue}' in vhost '/'`;
  const refusal = (text: string) =>
    channelClose(406, `PRECONDITION_FAILED - invalid arg ${text}`, 'basic.consume');
  await raw.call(1, 'basic.consume', { queue, exclusive: true });
  expect(
    await raw.attempt('basic.consume', { queue, arguments: { 'x-cancel-on-ha-failover': 1 } }),
  ).toMatchObject(refusal(`'x-cancel-on-ha-failover' for ${where}: {unacceptable_type,signedint}`));
  expect(
    await raw.attempt('basic.consume', { queue, arguments: { 'x-stream-offset': 'first' } }),
  ).toMatchObject(refusal(`'x-stream-offset' for ${where} of queue type rabbit_classic_queue`));
});

it('looks at the consumer tag before the queue', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'twin' });
  const fields = { queue: broker.name(), consumerTag: 'twin' };
  expect(await raw.call(1, 'basic.consume', fields)).toMatchObject(
    connectionClose(530, "NOT_ALLOWED - attempt to reuse consumer tag 'twin'", 'basic.consume'),
  );
});

it('serves equals in turn below a consumer of higher priority that is full', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  const [left, right] = [await collect(channel, queue), await collect(channel, queue)];
  await channel.prefetch(1);
  const high = await collect(channel, queue, { priority: 7 });
  for (let i = 0; i < 5; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await eventually(() => left.bodies.length + right.bodies.length + high.bodies.length === 5);
  expect(high.bodies).toEqual(['0']);
  expect([left.bodies.length, right.bodies.length]).toEqual([2, 2]);
});

it('lets deliveries from a deleted queue be settled, once, and keeps their credit until then', async () => {
  const { raw, queue, publish } = await rawQueue();
  const other = await broker.raw();
  const second = broker.name();
  await raw.call(1, 'queue.declare', { queue: second });
  await raw.call(1, 'basic.qos', { prefetchCount: 2, global: true });
  await raw.call(1, 'basic.consume', { queue });
  await raw.call(1, 'basic.consume', { queue: second });
  publish('a', 'b');
  await raw.message(1);
  await raw.message(1);
  await other.call(1, 'queue.delete', { queue });
  other.publish(1, { routingKey: second }, {}, Buffer.from('c'));
  await eventually(async () => {
    const { messageCount } = await other.call(1, 'queue.declare', { queue: second, passive: true });
    return messageCount === 1;
  });
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  expect((await raw.message(1)).body.toString()).toBe('c');
  raw.send(1, 'basic.nack', { deliveryTag: 2, requeue: true });
  raw.send(1, 'basic.nack', { deliveryTag: 2, requeue: true });
  expect(await raw.next(1)).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - unknown delivery tag 2', 'basic.nack'),
  );
});

it('deletes a queue that is to be deleted only if unused once its consumer is gone', async () => {
  const { raw, queue } = await rawQueue();
  const other = await broker.raw();
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  expect(await other.attempt('queue.delete', { queue, ifUnused: true })).toMatchObject(
    channelClose(406, `PRECONDITION_FAILED - queue '${queue}' in vhost '/' in use`, 'queue.delete'),
  );
  await raw.call(1, 'basic.cancel', { consumerTag: 'c' });
  const reply = await other.call(1, 'queue.delete', { queue, ifUnused: true });
  expect(reply.name).toBe('queue.delete-ok');
});

it('cancels every consumer of a deleted queue, on all channels, the deleting one too', async () => {
  const raw = await broker.raw({ capabilities: { consumer_cancel_notify: true } });
  const queue = broker.name();
  await raw.openChannel(2);
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'a' });
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'b' });
  await raw.call(2, 'basic.consume', { queue, consumerTag: 'c' });
  raw.send(1, 'queue.delete', { queue });
  const frames = [await raw.next(1), await raw.next(1), await raw.next(1), await raw.next(2)];
  const tags = frames.filter(({ name }) => name === 'basic.cancel').map((f) => f['consumerTag']);
  expect(tags.sort()).toEqual(['a', 'b', 'c']);
  expect(frames.filter(({ name }) => name === 'queue.delete-ok')).toHaveLength(1);
});
