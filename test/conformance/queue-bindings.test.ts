// Binding and unbinding queues, purging and deleting them.
import { expect, it } from 'vitest';
import { channelClose, drain, untilReady, useBroker } from '../support/amqp.ts';

const broker = useBroker();

it('refuses to bind what is missing, and names the exchange first', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const exchange = broker.name('x');
  const noQueue = `NOT_FOUND - no queue '${queue}' in vhost '/'`;
  const noExchange = `NOT_FOUND - no exchange '${exchange}' in vhost '/'`;
  expect(await raw.attempt('queue.bind', { queue, exchange: 'amq.direct' })).toMatchObject(
    channelClose(404, noQueue, 'queue.bind'),
  );
  expect(await raw.attempt('queue.bind', { queue, exchange })).toMatchObject(
    channelClose(404, noExchange, 'queue.bind'),
  );
  await raw.call(1, 'queue.declare', { queue });
  expect(await raw.attempt('queue.bind', { queue, exchange })).toMatchObject(
    channelClose(404, noExchange, 'queue.bind'),
  );
});

it('unbinds what is missing without complaint', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const absent = broker.name();
  const exchange = broker.name('x');
  await raw.call(1, 'queue.declare', { queue });
  for (const fields of [
    { queue, exchange: 'amq.direct', routingKey: 'never-bound' },
    { queue, exchange },
    { queue: absent, exchange: 'amq.direct' },
    { queue: absent, exchange },
  ]) {
    expect((await raw.attempt('queue.unbind', fields)).name).toBe('queue.unbind-ok');
  }
});

it('holds a repeated binding for one', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'k');
  await channel.bindQueue(queue, exchange, 'k');
  channel.publish(exchange, 'k', Buffer.from('one'));
  await channel.waitForConfirms();
  await channel.unbindQueue(queue, exchange, 'k');
  channel.publish(exchange, 'k', Buffer.from('none'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['one']);
});

it('tells bindings apart by their arguments', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'k', { tag: 'one' });
  await channel.bindQueue(queue, exchange, 'k', { tag: 'two' });
  await channel.unbindQueue(queue, exchange, 'k', { tag: 'one' });
  channel.publish(exchange, 'k', Buffer.from('still bound'));
  await channel.waitForConfirms();
  await channel.unbindQueue(queue, exchange, 'k');
  channel.publish(exchange, 'k', Buffer.from('bound yet'));
  await channel.waitForConfirms();
  await channel.unbindQueue(queue, exchange, 'k', { tag: 'two' });
  channel.publish(exchange, 'k', Buffer.from('no more'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['still bound', 'bound yet']);
});

it('answers nothing to a bind with nowait', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.send(1, 'queue.bind', { queue, exchange: 'amq.fanout', nowait: true });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
  raw.publish(1, { exchange: 'amq.fanout' }, {}, Buffer.from('x'));
  expect(await raw.call(1, 'queue.purge', { queue })).toMatchObject({ messageCount: 1 });
});

it('refuses a headers binding with an unknown x-match', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const bind = (match: unknown) =>
    raw.attempt('queue.bind', {
      queue,
      exchange: 'amq.headers',
      arguments: { 'x-match': match },
    });
  expect(await bind('odd')).toMatchObject(
    channelClose(
      406,
      'PRECONDITION_FAILED - Invalid x-match field value <<"odd">>; expected all, any, all-with-x, or any-with-x',
      'queue.bind',
    ),
  );
  expect(await bind(5)).toMatchObject(
    channelClose(
      406,
      'PRECONDITION_FAILED - Invalid x-match field type signedint (value 5); expected longstr',
      'queue.bind',
    ),
  );
});

it('purges ready messages and leaves unacked ones', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  const message = await channel.get(queue);
  expect(await channel.purgeQueue(queue)).toMatchObject({ messageCount: 2 });
  expect(await channel.purgeQueue(queue)).toMatchObject({ messageCount: 0 });
  if (message !== false) channel.nack(message);
  await untilReady(channel, queue, 1);
  expect(await drain(channel, queue)).toEqual(['a']);
});

it('refuses to purge a missing queue', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  expect(await raw.call(1, 'queue.purge', { queue })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, 'queue.purge'),
  );
});

it('answers a delete with the count of ready messages', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  await channel.get(queue);
  expect(await channel.deleteQueue(queue)).toMatchObject({ messageCount: 2 });
  expect(await channel.deleteQueue(queue)).toMatchObject({ messageCount: 0 });
});

it('deletes an unused or empty queue only, where asked', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const tag = await raw.call(1, 'basic.consume', { queue });
  const refused = (text: string) =>
    channelClose(
      406,
      `PRECONDITION_FAILED - queue '${queue}' in vhost '/' ${text}`,
      'queue.delete',
    );
  expect(await raw.attempt('queue.delete', { queue, ifUnused: true })).toMatchObject(
    refused('in use'),
  );
  await raw.call(1, 'basic.cancel', { consumerTag: tag['consumerTag'] });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  await raw.call(1, 'basic.qos');
  expect(await raw.attempt('queue.delete', { queue, ifEmpty: true })).toMatchObject(
    refused('not empty'),
  );
  expect(await raw.attempt('queue.delete', { queue, ifUnused: true })).toMatchObject({
    name: 'queue.delete-ok',
    messageCount: 1,
  });
});

it('holds a queue with only unacked messages to be empty', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  raw.send(1, 'basic.get', { queue });
  await raw.message(1);
  const reply = await raw.call(1, 'queue.delete', { queue, ifEmpty: true });
  expect(reply).toMatchObject({ name: 'queue.delete-ok', messageCount: 0 });
});

it('forgets the bindings of a deleted queue', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, '');
  await channel.deleteQueue(queue);
  await channel.assertQueue(queue, { durable: false });
  channel.publish(exchange, '', Buffer.from('lost'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual([]);
});

it('settles messages of a deleted queue without complaint', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  raw.send(1, 'basic.get', { queue });
  const { method } = await raw.message(1);
  await raw.call(1, 'queue.delete', { queue });
  raw.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});
