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
