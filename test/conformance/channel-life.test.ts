// Opening, closing and reusing channels, and what a closing connection cleans up.
import { expect, it } from 'vitest';
import { channelClose, connectionClose, useBroker } from '../support/amqp.ts';

const broker = useBroker();

const missing = () => ({ queue: broker.name(), passive: true });

it('answers channel.close with close-ok', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(1, 'channel.close', { replyCode: 200, replyText: 'bye' });
  expect(reply).toEqual({ name: 'channel.close-ok', channel: 1 });
});

it('lets a channel number be used again after a close from the client', async () => {
  const raw = await broker.raw();
  for (let i = 0; i < 20; i += 1) {
    await raw.call(1, 'channel.close', { replyCode: 200 });
    await raw.openChannel(1);
  }
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('lets a channel number be used again after a close from the broker', async () => {
  const raw = await broker.raw();
  for (let i = 0; i < 5; i += 1) {
    const reply = await raw.call(1, 'queue.declare', missing());
    expect(reply.name).toBe('channel.close');
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
  }
});

it('ignores everything on a channel that it has closed until close-ok comes', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(2, 'queue.declare', { queue });
  await raw.call(1, 'queue.declare', missing());
  raw.send(1, 'basic.qos');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('ignored'));
  raw.send(1, 'queue.declare', { queue: 'amq.refused' });
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    name: 'queue.declare-ok',
    messageCount: 0,
  });
  expect(raw.unread()).toEqual([]);
});

it('answers a channel.close that crosses its own', async () => {
  const raw = await broker.raw();
  raw.send(1, 'queue.declare', missing());
  raw.send(1, 'channel.close', { replyCode: 200 });
  expect((await raw.next()).name).toBe('channel.close');
  expect((await raw.next()).name).toBe('channel.close-ok');
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  expect(raw.unread()).toEqual([]);
});

it('processes what came before channel.close', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(2, 'queue.declare', { queue });
  for (let i = 0; i < 50; i += 1) raw.publish(1, { routingKey: queue }, {}, Buffer.from(`${i}`));
  expect((await raw.call(1, 'channel.close', { replyCode: 200 })).name).toBe('channel.close-ok');
  expect(await raw.call(2, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 50,
  });
});

it('answers channel.flow that asks for what is already so', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'channel.flow', { active: true })).toEqual({
    name: 'channel.flow-ok',
    channel: 1,
    active: true,
  });
});

it('does not implement channel.flow that stops the broker', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'channel.flow', { active: false })).toMatchObject(
    connectionClose(540, 'NOT_IMPLEMENTED - active=false', 'channel.flow'),
  );
});

it('drops exclusive queues before it answers connection.close', async () => {
  const first = await broker.raw();
  const second = await broker.raw();
  const queue = broker.name();
  await first.call(1, 'queue.declare', { queue, exclusive: true });
  expect((await first.call(0, 'connection.close', { replyCode: 200 })).name).toBe(
    'connection.close-ok',
  );
  expect(await second.call(1, 'queue.declare', { queue, passive: true })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, 'queue.declare'),
  );
});

it('keeps exclusive queues when only their channel closes', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, exclusive: true });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect((await raw.call(1, 'queue.declare', { queue, passive: true })).name).toBe(
    'queue.declare-ok',
  );
});

it('drops exclusive queues when the socket breaks', async () => {
  const first = await broker.raw();
  const second = await broker.raw();
  const queue = broker.name();
  await first.call(1, 'queue.declare', { queue, exclusive: true });
  first.drop();
  let reply = await second.attempt('queue.declare', { queue });
  for (let i = 0; i < 200 && reply.name !== 'queue.declare-ok'; i += 1) {
    reply = await second.attempt('queue.declare', { queue });
  }
  expect(reply.name).toBe('queue.declare-ok');
});
