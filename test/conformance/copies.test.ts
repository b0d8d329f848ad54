// CC and BCC: further routing keys that a publisher names in the headers of a message.
import { expect, it } from 'vitest';
import { channelClose, eventually, expectedFor, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { type Fields, typed } from '../support/amqp-wire.ts';

const broker = useBroker();

/** A connection with so many queues on channel 1. */
async function queues(count: number): Promise<{ raw: RawConnection; names: string[] }> {
  const raw = await broker.raw();
  const names: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const queue = broker.name();
    await raw.call(1, 'queue.declare', { queue });
    names.push(queue);
  }
  return { raw, names };
}

async function bound(raw: RawConnection, type: string, bindings: Fields[]): Promise<string> {
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type });
  for (const binding of bindings) await raw.call(1, 'queue.bind', { exchange, ...binding });
  return exchange;
}

/** How many messages each queue holds, once everything before has been taken in. */
async function counts(raw: RawConnection, names: string[]): Promise<unknown[]> {
  const list: unknown[] = [];
  for (const queue of names) {
    list.push((await raw.call(1, 'queue.declare', { queue, passive: true }))['messageCount']);
  }
  return list;
}

async function get(raw: RawConnection, queue: string) {
  raw.send(1, 'basic.get', { queue, noAck: true });
  return raw.message(1);
}

it('gives one copy to a queue that several keys lead to', async () => {
  const { raw, names } = await queues(2);
  const [first, second] = names as [string, string];
  const exchange = await bound(raw, 'direct', [
    { queue: first, routingKey: 'a' },
    { queue: first, routingKey: 'b' },
    { queue: second, routingKey: 'b' },
  ]);
  raw.publish(1, { exchange, routingKey: 'a' }, { headers: { CC: ['b', 'b', 'a'], BCC: ['b'] } });
  await eventually(async () => (await counts(raw, names)).join() === '1,1');
  expect((await get(raw, second)).method['routingKey']).toBe('a');
});

it('routes by each key in a topic exchange', async () => {
  const { raw, names } = await queues(3);
  const patterns = ['a.*', '*.z', 'never'];
  const exchange = await bound(
    raw,
    'topic',
    names.map((queue, i) => ({ queue, routingKey: patterns[i] })),
  );
  raw.publish(1, { exchange, routingKey: 'x.y' }, { headers: { CC: ['a.b'], BCC: ['y.z'] } });
  await eventually(async () => (await counts(raw, names)).join() === '1,1,0');
});

it('goes on with all keys from exchange to exchange', async () => {
  const { raw, names } = await queues(1);
  const last = await bound(raw, 'direct', [{ queue: names[0], routingKey: 'copied' }]);
  const first = await bound(raw, 'fanout', []);
  await raw.call(1, 'exchange.bind', { destination: last, source: first });
  raw.publish(1, { exchange: first, routingKey: 'x' }, { headers: { CC: ['copied'] } });
  await eventually(async () => (await counts(raw, names)).join() === '1');
});

it('returns a mandatory message only when no key leads anywhere', async () => {
  const { raw, names } = await queues(1);
  const [nowhere, neither] = [broker.name(), broker.name()];
  const fields = { routingKey: nowhere, mandatory: true };
  for (const key of ['CC', 'BCC']) raw.publish(1, fields, { headers: { [key]: [names[0]] } });
  await eventually(async () => (await counts(raw, names)).join() === '2');
  expect(raw.unread()).toEqual([]);
  raw.publish(1, fields, { headers: { CC: [neither], BCC: [neither] } }, Buffer.from('back'));
  const { method, properties, body } = await raw.message(1);
  expect(method).toMatchObject({ name: 'basic.return', replyCode: 312, routingKey: nowhere });
  expect(properties).toEqual({ headers: { CC: [neither] } });
  expect(body.toString()).toBe('back');
});

it('confirms a message with copies once', async () => {
  const { raw, names } = await queues(3);
  await raw.call(1, 'confirm.select');
  raw.publish(1, { routingKey: names[0] }, { headers: { CC: [names[1]], BCC: [names[2]] } });
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('takes BCC out of messages of every size, and leaves all else as it is', async () => {
  const { raw, names } = await queues(2);
  const [queue, copy] = names as [string, string];
  for (const size of [0, 1, 5_000, 20_000, 40_000, 300_000]) {
    const body = Buffer.alloc(size, `${size}.`);
    const properties = { contentType: 'a/b', priority: 3, correlationId: 'c', messageId: 'm' };
    const headers = { before: 'x', BCC: [copy], after: [1, { deep: 'y' }] };
    raw.publish(1, { routingKey: queue }, { ...properties, headers }, body);
    await eventually(async () => (await counts(raw, names)).join() === '1,1');
    for (const name of names) {
      const message = await get(raw, name);
      expect(message.properties).toMatchObject({ ...properties, headers: { before: 'x' } });
      expect(Object.keys(message.properties['headers'] as object)).toEqual(['before', 'after']);
      expect(message.body.equals(body)).toBe(true);
    }
  }
});

it('leaves an empty table of headers when BCC was all there was', async () => {
  const { raw, names } = await queues(1);
  raw.publish(1, { routingKey: names[0] }, { headers: { BCC: [] } });
  expect((await get(raw, names[0] as string)).properties).toEqual({ headers: {} });
});

it('looks at no keys but CC and BCC of the outermost table', async () => {
  const { raw, names } = await queues(2);
  const copies = [names[1]];
  const headers = { cc: copies, Bcc: copies, ACC: copies, XCC: 1, deep: { CC: copies, BCC: 5 } };
  raw.publish(1, { routingKey: names[0] }, { headers });
  await eventually(async () => (await counts(raw, names)).join() === '1,0');
});

it('passes over elements that are no strings', async () => {
  const { raw, names } = await queues(2);
  const headers = { CC: [7, names[1], true, [names[1]]] };
  raw.publish(1, { routingKey: names[0] }, { headers });
  await eventually(async () => (await counts(raw, names)).join() === '1,1');
});

it.each([
  [typed('V', null), 'void'],
  [typed('t', true), 'bool'],
  [typed('b', 5), 'byte'],
  [typed('B', 5), 'unsignedbyte'],
  [typed('s', 5), 'short'],
  [typed('u', 5), 'unsignedshort'],
  [typed('I', 5), 'signedint'],
  [typed('i', 5), 'unsignedint'],
  [typed('l', 5), 'long'],
  [typed('f', 5), 'float'],
  [typed('d', 5), 'double'],
  [typed('T', 5), 'timestamp'],
  [typed('S', 'x'), 'longstr'],
  [typed('x', Buffer.from('x')), 'binary'],
  [typed('F', { a: 1 }), 'table'],
])('refuses %j for CC and for BCC', async (value, type) => {
  const { raw, names } = await queues(1);
  for (const key of ['CC', 'BCC']) {
    await raw.openChannel(2);
    raw.publish(2, { routingKey: names[0] }, { headers: { [key]: value } }, Buffer.from('x'));
    const wrong = `{unacceptable_type_in_header,"${key}",${type}}`;
    expect(await raw.next(2)).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - invalid message: ${wrong}`, 'basic.publish'),
    );
    raw.send(2, 'channel.close-ok');
  }
  expect(await counts(raw, names)).toEqual([0]);
});

it('routes a dead letter by CC again, and in Leveret no longer by BCC', async () => {
  const { raw, names } = await queues(3);
  const exchange = await bound(
    raw,
    'direct',
    names.map((queue, i) => ({ queue, routingKey: ['work', 'copied', 'hidden'][i] })),
  );
  const work = broker.name();
  const args = { 'x-dead-letter-exchange': exchange };
  await raw.call(1, 'queue.declare', { queue: work, arguments: args });
  await raw.call(1, 'queue.bind', { queue: work, exchange: 'amq.direct', routingKey: 'work' });
  const headers = { CC: ['copied'], BCC: ['hidden'] };
  raw.publish(1, { exchange: 'amq.direct', routingKey: 'work' }, { headers });
  raw.send(1, 'basic.get', { queue: work });
  const { deliveryTag } = (await raw.message(1)).method;
  raw.send(1, 'basic.reject', { deliveryTag, requeue: false });
  const expected = expectedFor({ rabbitmq: '1,1,1', leveret: '1,1,0' });
  await eventually(async () => (await counts(raw, names)).join() === expected);
});

it('forgets CC when a dead letter gets a key of its own', async () => {
  const { raw, names } = await queues(2);
  const exchange = await bound(
    raw,
    'direct',
    names.map((queue, i) => ({ queue, routingKey: ['own', 'copied'][i] })),
  );
  const work = broker.name();
  const args = { 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': 'own' };
  await raw.call(1, 'queue.declare', { queue: work, arguments: args });
  raw.publish(1, { routingKey: work }, { headers: { CC: ['copied'] } });
  raw.send(1, 'basic.get', { queue: work });
  const { deliveryTag } = (await raw.message(1)).method;
  raw.send(1, 'basic.reject', { deliveryTag, requeue: false });
  await eventually(async () => (await counts(raw, names)).join() === '1,0');
  expect((await get(raw, names[0] as string)).properties['headers']).not.toHaveProperty('CC');
});
