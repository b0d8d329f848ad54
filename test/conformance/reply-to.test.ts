// Direct reply-to: answers that go straight to the consumer of a pseudo-queue.
import { expect } from 'vitest';
import { channelClose, collect, eventually, later, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const PSEUDO = 'amq.rabbitmq.reply-to';

later('direct reply-to')('carries a reply straight to the channel of the request', async () => {
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

later('direct reply-to')('wants a consumer without acks, and but one', async () => {
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

later('direct reply-to')('refuses a request that comes before its consumer', async () => {
  const raw = await broker.raw();
  raw.publish(1, { routingKey: broker.name() }, { replyTo: PSEUDO }, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - fast reply consumer does not exist', 'basic.publish'),
  );
});

later('direct reply-to')('drops a reply to a requester that is gone', async () => {
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

later('direct reply-to')(
  'tells by a declaration whether the requester is still there',
  async () => {
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
  },
);
