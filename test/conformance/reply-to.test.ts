// Direct reply-to: answers that go straight to the consumer of a pseudo-queue.
import { expect, it } from 'vitest';
import { channelClose, collect, eventually, expectedFor, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';

const broker = useBroker();
const PSEUDO = 'amq.rabbitmq.reply-to';

it('carries a reply straight to the channel of the request', async () => {
  const requester = await broker.channel();
  const responder = await (await broker.connect()).createChannel();
  const queue = await broker.queue(requester);
  const replies = await collect(requester, PSEUDO, { noAck: true });
  const requests = await collect(responder, queue, { noAck: true });
  requester.sendToQueue(queue, Buffer.from('question'), { replyTo: PSEUDO, correlationId: '7' });
  const request = await eventually(() => requests.messages[0] ?? false);
  const replyTo = String(request.properties.replyTo);
  expect(replyTo.startsWith(`${PSEUDO}.`)).toBe(true);
  responder.sendToQueue(replyTo, Buffer.from('answer'), { correlationId: '7' });
  const reply = await eventually(() => replies.messages[0] ?? false);
  expect(reply.content.toString()).toBe('answer');
  expect(reply.fields).toMatchObject({ exchange: '', routingKey: replyTo, redelivered: false });
  expect(reply.properties.correlationId).toBe('7');
});

it('wants a consumer without acks, and but one', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'basic.consume', { queue: PSEUDO })).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - reply consumer cannot acknowledge', 'basic.consume'),
  );
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  await raw.call(1, 'basic.consume', { queue: PSEUDO, noAck: true });
  const second = await raw.call(1, 'basic.consume', { queue: PSEUDO, noAck: true });
  expect(second).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - reply consumer already set', 'basic.consume'),
  );
});

it('refuses a request that comes before its consumer', async () => {
  const raw = await broker.raw();
  raw.publish(1, { routingKey: broker.name() }, { replyTo: PSEUDO }, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - fast reply consumer does not exist', 'basic.publish'),
  );
});

it('drops a reply to a requester that is gone', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(2, 'basic.consume', { queue: PSEUDO, noAck: true });
  raw.publish(2, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('x'));
  await raw.call(2, 'channel.close', { replyCode: 200 });
  raw.send(1, 'basic.get', { queue, noAck: true });
  const request = await raw.message(1);
  raw.publish(1, { routingKey: request.properties['replyTo'] }, {}, Buffer.from('late'));
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('tells by a declaration whether the requester is still there', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(2, 'basic.consume', { queue: PSEUDO, noAck: true });
  raw.publish(2, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('x'));
  await raw.call(2, 'basic.qos');
  raw.send(1, 'basic.get', { queue, noAck: true });
  const replyTo = String((await raw.message(1)).properties['replyTo']);
  expect(await raw.call(1, 'queue.declare', { queue: replyTo, passive: true })).toMatchObject({
    name: 'queue.declare-ok',
    queue: replyTo,
    messageCount: 0,
    consumerCount: 1,
  });
  await raw.call(2, 'channel.close', { replyCode: 200 });
  expect(await raw.call(1, 'queue.declare', { queue: replyTo, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

/** Channel 1 consumes replies, channel 2 answers; `replyTo` is the name that a request carried. */
async function dialogue(): Promise<{ raw: RawConnection; replyTo: string; queue: string }> {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(2, 'queue.declare', { queue });
  await raw.call(1, 'basic.consume', { queue: PSEUDO, noAck: true, consumerTag: 'replies' });
  raw.publish(1, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('?'));
  await raw.call(1, 'basic.qos');
  raw.send(2, 'basic.get', { queue, noAck: true });
  return { raw, queue, replyTo: String((await raw.message(2)).properties['replyTo']) };
}

it('gives one name to all requests of a channel, and another to each channel', async () => {
  const { raw, queue, replyTo } = await dialogue();
  await raw.openChannel(3);
  await raw.call(3, 'basic.consume', { queue: PSEUDO, noAck: true });
  const names: unknown[] = [];
  for (const channel of [1, 3]) {
    raw.publish(channel, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('?'));
    await raw.call(channel, 'basic.qos');
    raw.send(2, 'basic.get', { queue, noAck: true });
    names.push((await raw.message(2)).properties['replyTo']);
  }
  expect(names[0]).toBe(replyTo);
  expect(names[1]).not.toBe(replyTo);
});

it('changes nothing in a request but reply-to', async () => {
  const { raw, queue, replyTo } = await dialogue();
  for (const size of [0, 100, 20_000, 40_000, 300_000]) {
    const body = Buffer.alloc(size, 'body');
    const properties = {
      contentType: 't',
      headers: { a: 'b' },
      deliveryMode: 2,
      correlationId: 'c',
      messageId: 'm',
      type: 'kind',
    };
    raw.publish(1, { routingKey: queue }, { ...properties, replyTo: PSEUDO }, body);
    await raw.call(1, 'basic.qos');
    raw.send(2, 'basic.get', { queue, noAck: true });
    const request = await raw.message(2);
    expect(request.properties).toEqual({ ...properties, replyTo });
    expect(request.body.equals(body)).toBe(true);
  }
});

it('leaves other names in reply-to alone', async () => {
  const { raw, queue } = await dialogue();
  for (const replyTo of [`${PSEUDO}.`, `${PSEUDO}x`, 'amq.rabbitmq.reply-tO', '']) {
    raw.publish(1, { routingKey: queue }, { replyTo }, Buffer.from('?'));
    await raw.call(1, 'basic.qos');
    raw.send(2, 'basic.get', { queue, noAck: true });
    expect((await raw.message(2)).properties['replyTo']).toBe(replyTo);
  }
});

it('delivers a reply that names the requester in CC', async () => {
  const { raw, replyTo } = await dialogue();
  const routingKey = broker.name();
  raw.publish(2, { routingKey }, { headers: { CC: [replyTo] } }, Buffer.from('!'));
  const { method, body } = await raw.message(1);
  expect(method).toMatchObject({ name: 'basic.deliver', consumerTag: 'replies', routingKey });
  expect(body.toString()).toBe('!');
});

it('confirms replies, and returns mandatory ones to those who are gone', async () => {
  const { raw, replyTo } = await dialogue();
  await raw.call(2, 'confirm.select');
  raw.publish(2, { routingKey: replyTo, mandatory: true }, {}, Buffer.from('!'));
  expect((await raw.message(1)).body.toString()).toBe('!');
  // RabbitMQ delivers the reply and returns it as well.
  if (expectedFor({ rabbitmq: true, leveret: false })) {
    expect((await raw.message(2)).method.name).toBe('basic.return');
  }
  expect(await raw.next(2)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  await raw.call(1, 'basic.cancel', { consumerTag: 'replies' });
  raw.publish(2, { routingKey: replyTo, mandatory: true }, {}, Buffer.from('late'));
  expect((await raw.message(2)).method).toMatchObject({ name: 'basic.return', replyCode: 312 });
  expect(await raw.next(2)).toMatchObject({ name: 'basic.ack', deliveryTag: 2 });
});

it('lets a channel consume replies again after a cancel, under another name', async () => {
  const { raw, queue, replyTo } = await dialogue();
  await raw.call(1, 'basic.cancel', { consumerTag: 'replies' });
  raw.publish(1, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('?'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - fast reply consumer does not exist', 'basic.publish'),
  );
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  for (let i = 0; i < 2; i += 1) {
    await raw.call(1, 'basic.consume', { queue: PSEUDO, noAck: true, consumerTag: 'again' });
    await raw.call(1, 'basic.cancel', { consumerTag: 'again' });
  }
  await raw.call(1, 'basic.consume', { queue: PSEUDO, noAck: true, consumerTag: 'again' });
  raw.publish(1, { routingKey: queue }, { replyTo: PSEUDO }, Buffer.from('?'));
  await raw.call(1, 'basic.qos');
  raw.send(2, 'basic.get', { queue, noAck: true });
  expect((await raw.message(2)).properties['replyTo']).not.toBe(replyTo);
});

it('takes any declaration of a name for replies as the question whether it is there', async () => {
  const { raw, replyTo } = await dialogue();
  for (const queue of [PSEUDO, replyTo]) {
    for (const passive of [true, false]) {
      const fields = { queue, passive, durable: true, exclusive: true };
      expect(await raw.attempt('queue.declare', fields)).toMatchObject({
        name: 'queue.declare-ok',
        queue,
        messageCount: 0,
        consumerCount: 1,
      });
    }
  }
  for (const queue of [`${PSEUDO}x`, `${PSEUDO}.x`, `${replyTo}x`]) {
    for (const passive of [true, false]) {
      expect(await raw.attempt('queue.declare', { queue, passive })).toMatchObject(
        channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, 'queue.declare'),
      );
    }
  }
});

it('lets nobody but its consumer do anything with a queue for replies', async () => {
  const { raw, replyTo } = await dialogue();
  for (const queue of [PSEUDO, replyTo]) {
    const missing = `NOT_FOUND - no queue '${queue}' in vhost '/'`;
    for (const method of ['queue.bind', 'queue.purge', 'basic.get']) {
      const fields = method === 'queue.bind' ? { queue, exchange: 'amq.direct' } : { queue };
      expect(await raw.attempt(method, fields)).toMatchObject(channelClose(404, missing, method));
    }
    expect(await raw.attempt('queue.delete', { queue })).toMatchObject({ messageCount: 0 });
  }
  expect(await raw.attempt('basic.consume', { queue: replyTo, noAck: true })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${replyTo}' in vhost '/'`, 'basic.consume'),
  );
});
