// Whom an exclusive queue obeys, and when exclusive, auto-delete and transient queues go.
import { expect, it } from 'vitest';
import { channelClose, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const DECLARE = 'queue.declare';
const LOCKED =
  "'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.";

function locked(queue: string): string {
  return `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/${LOCKED}`;
}

it('keeps an exclusive queue from other connections', async () => {
  const owner = await broker.raw();
  const other = await broker.raw();
  const queue = broker.name();
  await owner.call(1, DECLARE, { queue, exclusive: true });
  const cases: [string, object][] = [
    [DECLARE, { queue, exclusive: true }],
    [DECLARE, { queue }],
    [DECLARE, { queue, passive: true }],
    ['queue.bind', { queue, exchange: 'amq.direct', routingKey: 'k' }],
    ['queue.purge', { queue }],
    ['queue.delete', { queue }],
    ['basic.get', { queue }],
    ['basic.consume', { queue }],
  ];
  for (const [name, fields] of cases) {
    expect(await other.attempt(name, { ...fields })).toMatchObject(
      channelClose(405, locked(queue), name),
    );
  }
});

it('lets everyone publish to an exclusive queue', async () => {
  const owner = await broker.raw();
  const other = await broker.raw();
  const queue = broker.name();
  await owner.call(1, DECLARE, { queue, exclusive: true });
  await owner.call(1, 'basic.consume', { queue, noAck: true });
  other.publish(1, { routingKey: queue }, {}, Buffer.from('hello'));
  expect((await owner.message(1)).body.toString()).toBe('hello');
});

it('refuses to make an existing queue exclusive or an exclusive one shared', async () => {
  const raw = await broker.raw();
  const shared = broker.name();
  const exclusive = broker.name();
  await raw.call(1, DECLARE, { queue: shared });
  await raw.call(1, DECLARE, { queue: exclusive, exclusive: true });
  expect(await raw.attempt(DECLARE, { queue: shared, exclusive: true })).toMatchObject(
    channelClose(405, locked(shared), DECLARE),
  );
  expect(await raw.attempt(DECLARE, { queue: exclusive })).toMatchObject(
    channelClose(405, locked(exclusive), DECLARE),
  );
});

it('takes durable for false on an exclusive queue', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, exclusive: true, durable: true });
  for (const durable of [true, false]) {
    const reply = await raw.attempt(DECLARE, { queue, exclusive: true, durable });
    expect(reply.name).toBe('queue.declare-ok');
  }
});

it('deletes an auto-delete queue when its last consumer is cancelled', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, autoDelete: true });
  for (const consumerTag of ['a', 'b']) {
    await raw.call(1, 'basic.consume', { queue, consumerTag });
  }
  await raw.call(1, 'basic.cancel', { consumerTag: 'a' });
  expect((await raw.attempt(DECLARE, { queue, passive: true })).name).toBe('queue.declare-ok');
  await raw.call(1, 'basic.cancel', { consumerTag: 'b' });
  expect(await raw.attempt(DECLARE, { queue, passive: true })).toMatchObject({ replyCode: 404 });
});

it('deletes an auto-delete queue when the channel or connection of its last consumer goes', async () => {
  const raw = await broker.raw();
  const other = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, autoDelete: true });
  await raw.call(1, 'basic.consume', { queue });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  expect(await raw.attempt(DECLARE, { queue, passive: true })).toMatchObject({ replyCode: 404 });
  await raw.openChannel(1);
  await raw.call(1, DECLARE, { queue, autoDelete: true });
  await raw.call(1, 'basic.consume', { queue });
  await raw.close();
  expect(await other.attempt(DECLARE, { queue, passive: true })).toMatchObject({ replyCode: 404 });
});

it('keeps an auto-delete queue that never had a consumer', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, autoDelete: true });
  raw.publish(1, { routingKey: queue });
  raw.send(1, 'basic.get', { queue, noAck: true });
  await raw.message(1);
  await raw.close();
  const again = await broker.raw();
  expect((await again.call(1, DECLARE, { queue, passive: true })).name).toBe('queue.declare-ok');
});

it('keeps a transient queue when its connection closes', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue });
  await raw.close();
  const again = await broker.raw();
  expect((await again.call(1, DECLARE, { queue, passive: true })).name).toBe('queue.declare-ok');
});
