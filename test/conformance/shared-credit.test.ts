// The limit that all consumers of a channel share: whose turn it is under it, and who waits for it.
import { expect, it } from 'vitest';
import { useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';

const broker = useBroker();

/** A channel with a shared limit, and so many queues that are consumed from on it, each under its number. */
async function consumed(count: number, prefetchCount: number, messages: number) {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queues = Array.from({ length: count }, () => broker.name());
  for (const queue of queues) {
    await raw.call(1, 'queue.declare', { queue });
    for (let n = 0; n < messages; n++) raw.publish(2, { routingKey: queue }, {}, Buffer.from('m'));
  }
  await raw.call(2, 'queue.declare', { queue: queues.at(-1), passive: true });
  await raw.call(1, 'basic.qos', { prefetchCount, global: true });
  for (const [number, queue] of queues.entries()) {
    raw.send(1, 'basic.consume', { queue, consumerTag: String(number), nowait: true });
  }
  return { raw, queues };
}

/** Takes and acks so many deliveries one by one; returns how many came from each queue. */
async function shares(raw: RawConnection, queues: number, count: number): Promise<number[]> {
  const found = new Array<number>(queues).fill(0);
  for (let n = 0; n < count; n++) {
    const { method } = await raw.message(1);
    const number = Number(method['consumerTag']);
    found[number] = (found[number] ?? 0) + 1;
    raw.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  }
  return found;
}

it.each([1, 2, 7])('a shared limit of %i is for all queues of the channel alike', async (limit) => {
  const { raw } = await consumed(3, limit, 200);
  const found = await shares(raw, 3, 240);
  expect(Math.min(...found), `shares ${found}`).toBeGreaterThan(30);
});

it('gives all queues everything in the end', async () => {
  const { raw } = await consumed(5, 3, 20);
  expect(await shares(raw, 5, 100)).toEqual([20, 20, 20, 20, 20]);
});

it('holds a consumer that does not ack as long as others have used the limit up', async () => {
  const raw = await broker.raw();
  const [acked, free] = [broker.name(), broker.name()];
  for (const queue of [acked, free]) await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'basic.qos', { prefetchCount: 1, global: true });
  await raw.call(1, 'basic.consume', { queue: acked, consumerTag: 'acks' });
  await raw.call(1, 'basic.consume', { queue: free, consumerTag: 'free', noAck: true });
  raw.publish(1, { routingKey: free }, {}, Buffer.from('1'));
  raw.publish(1, { routingKey: free }, {}, Buffer.from('2'));
  for (const body of ['1', '2']) {
    const { method, body: got } = await raw.message(1);
    expect([method['consumerTag'], got.toString()]).toEqual(['free', body]);
  }
  raw.publish(1, { routingKey: acked }, {}, Buffer.from('held'));
  const { method } = await raw.message(1);
  expect(method).toMatchObject({ consumerTag: 'acks' });
  raw.publish(1, { routingKey: free }, {}, Buffer.from('3'));
  // What is ready there stays ready: seen behind the publish, on the same channel.
  const counted = { name: 'queue.declare-ok', messageCount: 1 };
  expect(await raw.call(1, 'queue.declare', { queue: free, passive: true })).toMatchObject(counted);
  raw.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  expect((await raw.message(1)).body.toString()).toBe('3');
});

it('does not count what is got, and a limit taken away lets all go on', async () => {
  const { raw, queues } = await consumed(3, 1, 2);
  await raw.message(1);
  raw.send(1, 'basic.get', { queue: queues[2] });
  expect((await raw.message(1)).method.name).toBe('basic.get-ok');
  raw.send(1, 'basic.qos', { prefetchCount: 0, global: true });
  const tags: string[] = [];
  for (let n = 0; n < 5; n++) {
    const frame = await raw.next(1);
    if (frame.name === 'basic.qos-ok') n -= 1;
    else if (frame.name === 'basic.deliver') tags.push(String(frame['consumerTag']));
    else n -= 1;
    if (tags.length === 4) break;
  }
  expect(tags.sort()).toEqual(['0', '1', '1', '2']);
});

it('a consumer that leaves while its queue waits takes no turn from the others', async () => {
  const { raw } = await consumed(3, 1, 30);
  const first = await raw.message(1);
  await raw.call(1, 'basic.cancel', { consumerTag: '1' });
  raw.send(1, 'basic.ack', { deliveryTag: first.method['deliveryTag'] });
  const [a, gone, b] = await shares(raw, 3, 59);
  expect([a, gone, b]).toEqual([29, 0, 30]);
});
