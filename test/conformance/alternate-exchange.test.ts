// Where messages go that an exchange cannot route: its alternate exchange, or back.
import { expect, it } from 'vitest';
import { drain, useBroker } from '../support/amqp.ts';

const broker = useBroker();

it('sends what it cannot route to the alternate exchange', async () => {
  const channel = await broker.confirmChannel();
  const alternate = await broker.exchange(channel, 'fanout');
  const exchange = await broker.exchange(channel, 'direct', { alternateExchange: alternate });
  const [routed, caught] = [await broker.queue(channel), await broker.queue(channel)];
  await channel.bindQueue(routed, exchange, 'known');
  await channel.bindQueue(caught, alternate, '');
  channel.publish(exchange, 'known', Buffer.from('known'));
  channel.publish(exchange, 'unknown', Buffer.from('unknown'));
  await channel.waitForConfirms();
  expect(await drain(channel, routed)).toEqual(['known']);
  expect(await channel.get(caught, { noAck: true })).toMatchObject({
    fields: { exchange, routingKey: 'unknown' },
  });
});

it('goes on from alternate to alternate', async () => {
  const channel = await broker.confirmChannel();
  const last = await broker.exchange(channel, 'fanout');
  const middle = await broker.exchange(channel, 'direct', { alternateExchange: last });
  const first = await broker.exchange(channel, 'direct', { alternateExchange: middle });
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, last, '');
  channel.publish(first, 'k', Buffer.from('x'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['x']);
});

it('comes to an end where alternates form a cycle', async () => {
  const raw = await broker.raw();
  const [left, right] = [broker.name('x'), broker.name('x')];
  for (const [exchange, alternate] of [
    [left, right],
    [right, left],
  ]) {
    await raw.call(1, 'exchange.declare', {
      exchange,
      type: 'direct',
      arguments: { 'alternate-exchange': alternate },
    });
  }
  raw.publish(1, { exchange: left, routingKey: 'k', mandatory: true }, {}, Buffer.from('x'));
  expect((await raw.message(1)).method).toMatchObject({ name: 'basic.return', replyCode: 312 });
});

it('returns a mandatory message only where the alternate cannot route it either', async () => {
  const raw = await broker.raw();
  const [exchange, alternate, queue] = [broker.name('x'), broker.name('x'), broker.name()];
  await raw.call(1, 'exchange.declare', {
    exchange,
    type: 'direct',
    arguments: { 'alternate-exchange': alternate },
  });
  const publish = () =>
    raw.publish(1, { exchange, routingKey: 'k', mandatory: true }, {}, Buffer.from('x'));
  publish();
  expect((await raw.message(1)).method).toMatchObject({ name: 'basic.return', exchange });
  await raw.call(1, 'exchange.declare', { exchange: alternate, type: 'fanout' });
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'queue.bind', { queue, exchange: alternate });
  publish();
  expect((await raw.call(1, 'queue.purge', { queue })).name).toBe('queue.purge-ok');
});

it('hands on what an exchange in the midst cannot route, whatever others can', async () => {
  const channel = await broker.confirmChannel();
  const alternate = await broker.exchange(channel, 'fanout');
  const outer = await broker.exchange(channel, 'fanout');
  const inner = await broker.exchange(channel, 'direct', { alternateExchange: alternate });
  const [queue, caught] = [await broker.queue(channel), await broker.queue(channel)];
  await channel.bindQueue(queue, outer, '');
  await channel.bindExchange(inner, outer, '');
  await channel.bindQueue(queue, inner, 'known');
  await channel.bindQueue(caught, alternate, '');
  channel.publish(outer, 'known', Buffer.from('known'));
  channel.publish(outer, 'unknown', Buffer.from('unknown'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['known', 'unknown']);
  expect(await drain(channel, caught)).toEqual(['unknown']);
});

it('keeps to the alternate exchange where a binding leads to an exchange that finds nothing', async () => {
  const channel = await broker.confirmChannel();
  const alternate = await broker.exchange(channel, 'fanout');
  const exchange = await broker.exchange(channel, 'direct', { alternateExchange: alternate });
  const deadEnd = await broker.exchange(channel, 'direct');
  const caught = await broker.queue(channel);
  await channel.bindQueue(caught, alternate, '');
  await channel.bindExchange(deadEnd, exchange, 'k');
  // An exchange is a destination: that it leads nowhere is its own affair.
  channel.publish(exchange, 'k', Buffer.from('lost'));
  channel.publish(exchange, 'other', Buffer.from('caught'));
  await channel.waitForConfirms();
  expect(await drain(channel, caught)).toEqual(['caught']);
});

it('finds no queue by name where the default exchange is the alternate one', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct', { alternateExchange: '' });
  const queue = await broker.queue(channel);
  channel.publish(exchange, queue, Buffer.from('x'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual([]);
});

it('may lead to an internal exchange, and back to where the message came from', async () => {
  const channel = await broker.confirmChannel();
  const [inside, queue] = [broker.name('x'), await broker.queue(channel)];
  const exchange = await broker.exchange(channel, 'topic', { alternateExchange: inside });
  await channel.assertExchange(inside, 'fanout', {
    durable: false,
    internal: true,
    alternateExchange: exchange,
  });
  channel.publish(exchange, 'k', Buffer.from('lost'));
  await channel.bindQueue(queue, inside, '');
  channel.publish(exchange, 'k', Buffer.from('found'));
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['found']);
});
