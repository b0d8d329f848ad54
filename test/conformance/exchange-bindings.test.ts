// Bindings between exchanges: chains, cycles, one copy per queue, unbinding, auto-delete.
import { expect, it } from 'vitest';
import { channelClose, drain, useBroker } from '../support/amqp.ts';

const broker = useBroker();

it('routes along a chain of exchanges', async () => {
  const channel = await broker.confirmChannel();
  const first = await broker.exchange(channel, 'direct');
  const second = await broker.exchange(channel, 'topic');
  const third = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindExchange(second, first, 'a.b');
  await channel.bindExchange(third, second, 'a.*');
  await channel.bindQueue(queue, third, '');
  channel.publish(first, 'a.b', Buffer.from('through'));
  channel.publish(first, 'a.c', Buffer.from('stopped'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['through']);
});

it('gives a queue one copy although several paths lead to it', async () => {
  const channel = await broker.confirmChannel();
  const top = await broker.exchange(channel, 'fanout');
  const left = await broker.exchange(channel, 'fanout');
  const right = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  for (const middle of [left, right]) {
    await channel.bindExchange(middle, top, '');
    await channel.bindQueue(queue, middle, '');
  }
  await channel.bindQueue(queue, top, '');
  channel.publish(top, '', Buffer.from('once'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['once']);
});

it('comes to an end in a cycle of exchanges', async () => {
  const channel = await broker.confirmChannel();
  const names = [
    await broker.exchange(channel, 'fanout'),
    await broker.exchange(channel, 'fanout'),
    await broker.exchange(channel, 'fanout'),
  ];
  const queues: string[] = [];
  for (const [index, name] of names.entries()) {
    await channel.bindExchange(names[(index + 1) % 3] as string, name, '');
    const queue = await broker.queue(channel);
    await channel.bindQueue(queue, name, '');
    queues.push(queue);
  }
  await channel.bindExchange(names[0] as string, names[0] as string, '');
  channel.publish(names[1] as string, '', Buffer.from('round'));
  await channel.waitForConfirms();
  for (const queue of queues) expect(await drain(channel, queue)).toEqual(['round']);
});

it('stops routing once the exchanges are unbound', async () => {
  const channel = await broker.confirmChannel();
  const source = await broker.exchange(channel, 'direct');
  const destination = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindExchange(destination, source, 'k');
  await channel.bindExchange(destination, source, 'k');
  await channel.bindQueue(queue, destination, '');
  channel.publish(source, 'k', Buffer.from('bound'));
  await channel.waitForConfirms();
  await channel.unbindExchange(destination, source, 'k');
  channel.publish(source, 'k', Buffer.from('unbound'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['bound']);
});

it('forgets bindings of a deleted exchange in both directions', async () => {
  const channel = await broker.confirmChannel();
  const source = await broker.exchange(channel, 'fanout');
  const middle = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindExchange(middle, source, '');
  await channel.bindQueue(queue, middle, '');
  await channel.deleteExchange(middle);
  await channel.assertExchange(middle, 'fanout', { durable: false });
  channel.publish(source, '', Buffer.from('lost'));
  channel.publish(middle, '', Buffer.from('lost too'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual([]);
});

it('deletes an auto-delete source when its last destination goes', async () => {
  const raw = await broker.raw();
  const source = broker.name('x');
  const destination = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange: source, type: 'fanout', autoDelete: true });
  await raw.call(1, 'exchange.declare', { exchange: destination, type: 'fanout' });
  await raw.call(1, 'exchange.bind', { source, destination });
  const reply = await raw.call(1, 'exchange.delete', { exchange: destination });
  expect(reply.name).toBe('exchange.delete-ok');
  expect(await raw.attempt('exchange.declare', { exchange: source, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

it('keeps an auto-delete exchange that loses a source', async () => {
  const raw = await broker.raw();
  const source = broker.name('x');
  const destination = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange: source, type: 'fanout' });
  await raw.call(1, 'exchange.declare', {
    exchange: destination,
    type: 'fanout',
    autoDelete: true,
  });
  await raw.call(1, 'exchange.bind', { source, destination });
  await raw.call(1, 'exchange.unbind', { source, destination });
  const reply = await raw.attempt('exchange.declare', { exchange: destination, passive: true });
  expect(reply.name).toBe('exchange.declare-ok');
});

it('deletes a chain of auto-delete exchanges from its end', async () => {
  const raw = await broker.raw();
  const names = [broker.name('x'), broker.name('x')];
  for (const exchange of names) {
    await raw.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true });
  }
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'exchange.bind', { source: names[0], destination: names[1] });
  await raw.call(1, 'queue.bind', { queue, exchange: names[1] });
  await raw.call(1, 'queue.delete', { queue });
  for (const exchange of names) {
    expect(await raw.attempt('exchange.declare', { exchange, passive: true })).toMatchObject({
      replyCode: 404,
    });
  }
});

it('refuses to bind a missing exchange and names it', async () => {
  const raw = await broker.raw();
  const missing = broker.name('x');
  const text = `NOT_FOUND - no exchange '${missing}' in vhost '/'`;
  for (const fields of [
    { source: missing, destination: 'amq.fanout' },
    { source: 'amq.fanout', destination: missing },
    // The source comes first where both are missing.
    { source: missing, destination: broker.name('x') },
  ]) {
    expect(await raw.attempt('exchange.bind', fields)).toMatchObject(
      channelClose(404, text, 'exchange.bind'),
    );
  }
});

it('unbinds what is not bound without complaint', async () => {
  const raw = await broker.raw();
  const missing = broker.name('x');
  for (const fields of [
    { source: 'amq.direct', destination: 'amq.fanout', routingKey: 'none' },
    { source: missing, destination: 'amq.fanout' },
    { source: 'amq.fanout', destination: missing },
  ]) {
    expect((await raw.attempt('exchange.unbind', fields)).name).toBe('exchange.unbind-ok');
  }
});

it('answers nothing to bind and unbind with nowait', async () => {
  const raw = await broker.raw();
  const fields = { source: 'amq.direct', destination: 'amq.fanout', routingKey: broker.name() };
  raw.send(1, 'exchange.bind', { ...fields, nowait: true });
  raw.send(1, 'exchange.unbind', { ...fields, nowait: true });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});
