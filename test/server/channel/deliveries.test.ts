// Owns the tests of settling on a channel while that makes a queue deliver to the same channel.

import { expect, test } from 'vitest';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { encodeMethod } from '../../support/amqp-wire.ts';
import { publication } from '../scripted.ts';
import { useServers } from '../support.ts';

const start = useServers();
/** So many that the ring of a channel, of 2048 places, is almost full. */
const MANY = 2_040;
/** As many as come in one read, and no more than a queue takes without delivering at once. */
const FEW = 600;

/** A queue whose messages die as they come back, and a full one for them on the same channel. */
async function declareTrap(raw: RawConnection, lengthMax: number): Promise<void> {
  const returned = {
    'x-delivery-limit': 0,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'full',
  };
  await raw.call(1, 'queue.declare', { queue: 'returning', arguments: returned });
  await raw.call(1, 'queue.declare', { queue: 'full', arguments: { 'x-max-length': lengthMax } });
  await raw.call(1, 'basic.consume', { queue: 'full', consumerTag: 'full' });
}

async function take(raw: RawConnection, count: number): Promise<void> {
  for (let n = 0; n < count; n++) raw.publish(1, { routingKey: 'returning' }, {}, Buffer.from('m'));
  await raw.call(1, 'basic.consume', { queue: 'returning', consumerTag: 'returning' });
  for (let n = 0; n < count; n++) await raw.message(1);
}

test('a channel that closes leaves nothing unacked, also where its dead letters go to itself', async () => {
  const server = await start();
  const raw = await server.open();
  await declareTrap(raw, 1);
  await take(raw, 5);
  await raw.call(1, 'channel.close', { replyCode: 200 });
  const queues = server.server.broker.vhost('/').queues;
  expect(queues.get('returning')).toMatchObject({ readyCount: 0, unackedCount: 0 });
  expect(queues.get('full')).toMatchObject({ readyCount: 1, unackedCount: 0 });
  await raw.openChannel(2);
  for (const queue of queues.keys()) await raw.call(2, 'queue.delete', { queue });
});

test('a nack of many settles all of them, also where it makes the channel get others', async () => {
  const server = await start();
  const raw = await server.open();
  await declareTrap(raw, FEW);
  await take(raw, MANY);
  // Most of the ring is empty now, so that its rest moves to make room for what comes.
  for (let tag = 1; tag <= MANY; tag++) {
    if (tag % 20 !== 0) raw.send(1, 'basic.ack', { deliveryTag: tag });
  }
  await raw.call(1, 'basic.qos');
  const publish = publication(1, { routingKey: 'full' }, {}, Buffer.from('m'));
  const nack = encodeMethod(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
  raw.write(Buffer.concat([...new Array<Buffer>(FEW).fill(publish), nack]));
  for (let n = 0; n < FEW + MANY / 20; n++) {
    expect((await raw.message(1)).method).toMatchObject({ consumerTag: 'full' });
  }
  const queues = server.server.broker.vhost('/').queues;
  expect(queues.get('returning')).toMatchObject({ readyCount: 0, unackedCount: 0 });
  expect(queues.get('full')).toMatchObject({ readyCount: 0, unackedCount: FEW + MANY / 20 });
  for (const queue of queues.keys()) await raw.call(1, 'queue.delete', { queue });
});
