// Transactions: what waits for the commit, what a rollback undoes, and what fails at once.
import { expect, it } from 'vitest';
import { channelClose, eventually, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';

const broker = useBroker();

/** Channel 1 is transactional, channel 2 is not; one queue. */
async function transactional(): Promise<{ raw: RawConnection; queue: string }> {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(2, 'queue.declare', { queue });
  expect(await raw.call(1, 'tx.select')).toEqual({ name: 'tx.select-ok', channel: 1 });
  return { raw, queue };
}

async function countOf(raw: RawConnection, queue: string): Promise<unknown> {
  return (await raw.call(2, 'queue.declare', { queue, passive: true }))['messageCount'];
}

async function bodies(raw: RawConnection, queue: string): Promise<string[]> {
  const list: string[] = [];
  while ((await countOf(raw, queue)) !== 0) {
    raw.send(2, 'basic.get', { queue, noAck: true });
    list.push((await raw.message(2)).body.toString());
  }
  return list;
}

function publish(raw: RawConnection, queue: string, body: string, properties = {}): void {
  raw.publish(1, { routingKey: queue }, properties, Buffer.from(body));
}

/** Puts messages into the queue and takes them out again on channel 1; gives their tags. */
async function unacked(raw: RawConnection, queue: string, count: number): Promise<number[]> {
  const tags: number[] = [];
  for (let i = 0; i < count; i += 1) {
    raw.publish(2, { routingKey: queue }, {}, Buffer.from(`m${i}`));
  }
  await eventually(async () => (await countOf(raw, queue)) === count);
  for (let i = 0; i < count; i += 1) {
    raw.send(1, 'basic.get', { queue });
    tags.push((await raw.message(1)).method['deliveryTag'] as number);
  }
  return tags;
}

it('publishes at the commit, in order', async () => {
  const { raw, queue } = await transactional();
  for (const body of ['a', 'b', 'c']) publish(raw, queue, body);
  await raw.call(1, 'basic.qos');
  expect(await countOf(raw, queue)).toBe(0);
  expect(await raw.call(1, 'tx.commit')).toEqual({ name: 'tx.commit-ok', channel: 1 });
  expect(await bodies(raw, queue)).toEqual(['a', 'b', 'c']);
});

it('begins the next transaction with the commit', async () => {
  const { raw, queue } = await transactional();
  publish(raw, queue, 'first');
  await raw.call(1, 'tx.commit');
  publish(raw, queue, 'second');
  await raw.call(1, 'basic.qos');
  expect(await countOf(raw, queue)).toBe(1);
  await raw.call(1, 'tx.commit');
  expect(await bodies(raw, queue)).toEqual(['first', 'second']);
});

it('forgets publishes with a rollback', async () => {
  const { raw, queue } = await transactional();
  publish(raw, queue, 'never');
  expect(await raw.call(1, 'tx.rollback')).toEqual({ name: 'tx.rollback-ok', channel: 1 });
  publish(raw, queue, 'kept');
  await raw.call(1, 'tx.commit');
  expect(await bodies(raw, queue)).toEqual(['kept']);
});

it('commits and rolls back nothing', async () => {
  const { raw } = await transactional();
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
  expect((await raw.call(1, 'tx.rollback')).name).toBe('tx.rollback-ok');
  expect((await raw.call(1, 'tx.select')).name).toBe('tx.select-ok');
});

it('keeps what is held when transactions are selected again', async () => {
  const { raw, queue } = await transactional();
  publish(raw, queue, 'x');
  await raw.call(1, 'tx.select');
  await raw.call(1, 'tx.commit');
  expect(await bodies(raw, queue)).toEqual(['x']);
});

it('keeps persistent and large messages whole until the commit', async () => {
  const { raw, queue } = await transactional();
  const durable = broker.name();
  await raw.call(2, 'queue.declare', { queue: durable, durable: true });
  const sizes = [0, 1, 4_000, 20_000, 40_000, 300_000];
  for (const size of sizes) {
    for (const to of [queue, durable]) {
      publish(raw, to, String.fromCharCode(97 + (size % 26)).repeat(size), { deliveryMode: 2 });
    }
  }
  await raw.call(1, 'tx.commit');
  for (const from of [queue, durable]) {
    const expected = sizes.map((size) => String.fromCharCode(97 + (size % 26)).repeat(size));
    expect(await bodies(raw, from)).toEqual(expected);
  }
});

it('publishes to every queue of an exchange at the commit', async () => {
  const { raw, queue } = await transactional();
  const exchange = broker.name('x');
  await raw.call(2, 'exchange.declare', { exchange, type: 'fanout' });
  const other = broker.name();
  await raw.call(2, 'queue.declare', { queue: other });
  for (const each of [queue, other]) await raw.call(2, 'queue.bind', { queue: each, exchange });
  raw.publish(1, { exchange }, {}, Buffer.from('both'));
  await raw.call(1, 'tx.commit');
  for (const each of [queue, other]) expect(await bodies(raw, each)).toEqual(['both']);
});

it('routes by the bindings there are at the publish', async () => {
  const { raw, queue } = await transactional();
  const exchange = broker.name('x');
  await raw.call(2, 'exchange.declare', { exchange, type: 'fanout' });
  raw.publish(1, { exchange }, {}, Buffer.from('too early'));
  await raw.call(1, 'basic.qos');
  await raw.call(2, 'queue.bind', { queue, exchange });
  raw.publish(1, { exchange }, {}, Buffer.from('bound'));
  await raw.call(1, 'basic.qos');
  await raw.call(2, 'queue.unbind', { queue, exchange });
  await raw.call(2, 'exchange.delete', { exchange });
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
  expect(await bodies(raw, queue)).toEqual(['bound']);
});

it('returns what cannot be routed at the commit, before commit-ok', async () => {
  const { raw, queue } = await transactional();
  const gone = broker.name();
  await raw.call(2, 'queue.declare', { queue: gone });
  const nowhere = broker.name();
  for (const routingKey of [nowhere, gone, queue]) {
    raw.publish(1, { routingKey, mandatory: true }, {}, Buffer.from(routingKey));
  }
  await raw.call(1, 'basic.qos');
  await raw.call(2, 'queue.delete', { queue: gone });
  expect(raw.unread()).toEqual([]);
  raw.send(1, 'tx.commit');
  for (const routingKey of [nowhere, gone]) {
    const returned = await raw.message(1);
    expect(returned.method).toMatchObject({ name: 'basic.return', replyCode: 312, routingKey });
    expect(returned.body.toString()).toBe(routingKey);
  }
  expect((await raw.next(1)).name).toBe('tx.commit-ok');
});

it('refuses a publish to a missing exchange at once', async () => {
  const { raw, queue } = await transactional();
  publish(raw, queue, 'lost');
  const exchange = broker.name('x');
  raw.publish(1, { exchange }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, 'basic.publish'),
  );
  expect(await countOf(raw, queue)).toBe(0);
});

it('acks at the commit', async () => {
  const { raw, queue } = await transactional();
  const [first] = await unacked(raw, queue, 2);
  raw.send(1, 'basic.ack', { deliveryTag: first });
  await raw.call(1, 'tx.commit');
  await raw.call(1, 'channel.close', { replyCode: 200 });
  expect(await bodies(raw, queue)).toEqual(['m1']);
});

it('forgets acks with a rollback, and requeues nothing', async () => {
  const { raw, queue } = await transactional();
  const [first, second] = await unacked(raw, queue, 2);
  raw.send(1, 'basic.ack', { deliveryTag: second, multiple: true });
  await raw.call(1, 'tx.rollback');
  expect(await countOf(raw, queue)).toBe(0);
  raw.send(1, 'basic.ack', { deliveryTag: first });
  await raw.call(1, 'tx.commit');
  await raw.call(1, 'channel.close', { replyCode: 200 });
  expect(await bodies(raw, queue)).toEqual(['m1']);
});

it('rejects and requeues at the commit', async () => {
  const { raw, queue } = await transactional();
  const [first, second, third] = await unacked(raw, queue, 3);
  raw.send(1, 'basic.reject', { deliveryTag: first, requeue: true });
  raw.send(1, 'basic.nack', { deliveryTag: third, requeue: false });
  await raw.call(1, 'basic.qos');
  expect(await countOf(raw, queue)).toBe(0);
  await raw.call(1, 'tx.commit');
  expect(await countOf(raw, queue)).toBe(1);
  raw.send(1, 'basic.nack', { deliveryTag: second, requeue: true });
  await raw.call(1, 'tx.commit');
  expect(await bodies(raw, queue)).toEqual(['m0', 'm1']);
});

it('leaves out of a multiple ack what is settled in the transaction already', async () => {
  const { raw, queue } = await transactional();
  const [, second] = await unacked(raw, queue, 4);
  raw.send(1, 'basic.nack', { deliveryTag: second, requeue: true });
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  await raw.call(1, 'tx.commit');
  await raw.call(1, 'channel.close', { replyCode: 200 });
  expect(await bodies(raw, queue)).toEqual(['m1']);
});

it('refuses an unknown delivery tag at once, and one settled in the transaction', async () => {
  for (const method of ['basic.ack', 'basic.reject', 'basic.nack']) {
    const { raw, queue } = await transactional();
    const [tag] = await unacked(raw, queue, 1);
    raw.send(1, 'basic.ack', { deliveryTag: tag });
    expect(await raw.call(1, method, { deliveryTag: tag })).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - unknown delivery tag ${tag}`, method),
    );
    raw.send(1, 'channel.close-ok');
    await eventually(async () => (await countOf(raw, queue)) === 1);
  }
});

it('does not give credit back before the commit', async () => {
  const { raw, queue } = await transactional();
  await raw.call(1, 'basic.qos', { prefetchCount: 1 });
  for (const body of ['a', 'b']) raw.publish(2, { routingKey: queue }, {}, Buffer.from(body));
  await raw.call(1, 'basic.consume', { queue });
  const { deliveryTag } = (await raw.message(1)).method;
  raw.send(1, 'basic.ack', { deliveryTag });
  await raw.call(1, 'basic.qos', { prefetchCount: 1 });
  expect(raw.unread()).toEqual([]);
  raw.send(1, 'tx.commit');
  const names = [(await raw.next(1)).name, (await raw.next(1)).name];
  expect(names).toContain('tx.commit-ok');
  expect(names).toContain('basic.deliver');
});

it('leaves out of a recovery what the transaction settles', async () => {
  const { raw, queue } = await transactional();
  const [first] = await unacked(raw, queue, 2);
  raw.send(1, 'basic.ack', { deliveryTag: first });
  expect((await raw.call(1, 'basic.recover', { requeue: true })).name).toBe('basic.recover-ok');
  expect(await countOf(raw, queue)).toBe(1);
  await raw.call(1, 'tx.commit');
  expect(await bodies(raw, queue)).toEqual(['m1']);
});

it('rolls back when the channel closes, and requeues what it would have acked', async () => {
  const { raw, queue } = await transactional();
  const [first] = await unacked(raw, queue, 2);
  publish(raw, queue, 'never');
  raw.send(1, 'basic.ack', { deliveryTag: first });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await eventually(async () => (await countOf(raw, queue)) === 2);
  expect(await bodies(raw, queue)).toEqual(['m0', 'm1']);
});

it('wants no confirms on a channel with transactions, nor the other way round', async () => {
  const raw = await broker.raw();
  await raw.call(1, 'tx.select');
  expect(await raw.call(1, 'confirm.select')).toMatchObject(
    channelClose(
      406,
      'PRECONDITION_FAILED - cannot switch from tx to confirm mode',
      'confirm.select',
    ),
  );
  await raw.openChannel(2);
  await raw.call(2, 'confirm.select');
  expect(await raw.call(2, 'tx.select')).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - cannot switch from confirm to tx mode', 'tx.select'),
  );
});

it('neither commits nor rolls back on a channel without transactions', async () => {
  for (const method of ['tx.commit', 'tx.rollback']) {
    const raw = await broker.raw();
    expect(await raw.call(1, method)).toMatchObject(
      channelClose(406, 'PRECONDITION_FAILED - channel is not transactional', method),
    );
  }
});

it('closes the channel when a full queue refuses a part of the transaction', async () => {
  const { raw, queue } = await transactional();
  const full = broker.name();
  const args = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
  await raw.call(2, 'queue.declare', { queue: full, arguments: args });
  for (const to of [queue, full, full]) publish(raw, to, 'x');
  expect(await raw.call(1, 'tx.commit')).toMatchObject(
    channelClose(406, 'PRECONDITION_FAILED - partial tx completion', 'tx.commit'),
  );
  expect(await bodies(raw, queue)).toEqual(['x']);
  expect(await bodies(raw, full)).toEqual(['x']);
});
