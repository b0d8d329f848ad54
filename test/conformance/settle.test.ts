// ack, nack, reject and recover: which tags they name, and where requeued messages go.
import { expect, it } from 'vitest';
import { channelClose, connectionClose, eventually, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';

const broker = useBroker();

async function filled(bodies: string) {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  for (const body of bodies) raw.publish(1, { routingKey: queue }, {}, Buffer.from(body));
  const get = async (channel = 1, noAck = false) => {
    raw.send(channel, 'basic.get', { queue, noAck });
    const { method, body } = await raw.message(channel);
    return { tag: method['deliveryTag'], redelivered: method['redelivered'], text: `${body}` };
  };
  return { raw, queue, get };
}

/** Takes what is ready without acks: each body, with `!` after it where it was redelivered. */
async function rest(raw: RawConnection, queue: string, channel = 1): Promise<string> {
  let text = '';
  for (;;) {
    raw.send(channel, 'basic.get', { queue, noAck: true });
    const reply = await raw.next(channel);
    if (reply.name !== 'basic.get-ok') return text;
    await raw.next(channel);
    text += String((await raw.next(channel))['payload']);
    if (reply['redelivered'] === true) text += '!';
  }
}

const unknownTag = (tag: number, method: string) =>
  channelClose(406, `PRECONDITION_FAILED - unknown delivery tag ${tag}`, method);

it('removes what is acked and keeps the rest', async () => {
  const { raw, queue, get } = await filled('abc');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 2 });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect(await rest(raw, queue)).toBe('a!c!');
});

it('acks all up to a tag where multiple is set', async () => {
  const { raw, queue, get } = await filled('abcd');
  for (let i = 0; i < 4; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect(await rest(raw, queue)).toBe('d!');
});

it('acks all with tag 0 and multiple, even where there is nothing', async () => {
  const { raw, queue, get } = await filled('ab');
  await get();
  await get();
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect(await rest(raw, queue)).toBe('');
});

it('refuses a tag that it did not give out', async () => {
  const { raw } = await filled('');
  for (const method of ['basic.ack', 'basic.nack', 'basic.reject']) {
    expect(await raw.attempt(method, { deliveryTag: 42 })).toMatchObject(unknownTag(42, method));
    expect(await raw.attempt(method, { deliveryTag: 0 })).toMatchObject(unknownTag(0, method));
  }
  for (const method of ['basic.ack', 'basic.nack']) {
    const fields = { deliveryTag: 7, multiple: true };
    expect(await raw.attempt(method, fields)).toMatchObject(unknownTag(7, method));
  }
});

it('refuses a tag that was settled already, and requeues what is unacked', async () => {
  const { raw, queue, get } = await filled('abc');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 2 });
  raw.send(1, 'basic.ack', { deliveryTag: 2 });
  expect(await raw.next(1)).toMatchObject(unknownTag(2, 'basic.ack'));
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  expect(await rest(raw, queue)).toBe('a!c!');
});

it('refuses the tag of a delivery without acks', async () => {
  const { raw, get } = await filled('a');
  await get(1, true);
  expect(await raw.call(1, 'basic.ack', { deliveryTag: 1 })).toMatchObject(
    unknownTag(1, 'basic.ack'),
  );
});

it('refuses a multiple ack up to a settled tag where lower ones are unacked', async () => {
  const { raw, get } = await filled('abc');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 2 });
  raw.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
  expect(await raw.next(1)).toMatchObject(unknownTag(2, 'basic.ack'));
});

it('knows tags on the channel of their delivery only', async () => {
  const { raw, get } = await filled('a');
  await raw.openChannel(2);
  const { tag } = await get(1);
  expect(await raw.call(2, 'basic.ack', { deliveryTag: tag })).toMatchObject(
    unknownTag(1, 'basic.ack'),
  );
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('drops what is rejected without requeue', async () => {
  const { raw, queue, get } = await filled('abc');
  await get();
  await get();
  raw.send(1, 'basic.reject', { deliveryTag: 1, requeue: false });
  raw.send(1, 'basic.nack', { deliveryTag: 2, requeue: false });
  expect(await rest(raw, queue)).toBe('c');
});

it('puts a requeued message back to its place', async () => {
  const { raw, queue, get } = await filled('abcd');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.reject', { deliveryTag: 2, requeue: true });
  expect(await get()).toMatchObject({ text: 'b', redelivered: true });
  raw.send(1, 'basic.nack', { deliveryTag: 4, requeue: true });
  raw.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
  expect(await rest(raw, queue)).toBe('a!b!d');
});

it('restores the order with a multiple nack', async () => {
  const { raw, queue, get } = await filled('abcdef');
  for (let i = 0; i < 4; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 2 });
  raw.send(1, 'basic.nack', { deliveryTag: 4, multiple: true, requeue: true });
  expect(await rest(raw, queue)).toBe('a!c!d!ef');
});

it('nacks all with tag 0 and multiple', async () => {
  const { raw, queue, get } = await filled('abc');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
  expect(await rest(raw, queue)).toBe('a!b!c!');
});

it('requeues in order when the channel closes', async () => {
  const { raw, queue, get } = await filled('abcd');
  for (let i = 0; i < 3; i += 1) await get();
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect(await rest(raw, queue)).toBe('a!b!c!d');
});

it('requeues in order when the connection breaks', async () => {
  const { raw, queue, get } = await filled('abcd');
  for (let i = 0; i < 3; i += 1) await get();
  const other = await broker.raw();
  raw.drop();
  await eventually(async () => {
    const reply = await other.call(1, 'queue.declare', { queue, passive: true });
    return reply['messageCount'] === 4;
  });
  expect(await rest(other, queue)).toBe('a!b!c!d');
});

it('gives a requeued message to another consumer before newer ones', async () => {
  const { raw, queue, get } = await filled('ab');
  await get();
  await raw.openChannel(2);
  await raw.call(2, 'basic.qos', { prefetchCount: 1 });
  await raw.call(2, 'basic.consume', { queue });
  expect((await raw.message(2)).body.toString()).toBe('b');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('c'));
  raw.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
  await raw.call(1, 'basic.qos');
  raw.send(2, 'basic.ack', { deliveryTag: 1 });
  const message = await raw.message(2);
  expect(message.body.toString()).toBe('a');
  expect(message.method).toMatchObject({ redelivered: true, deliveryTag: 2 });
});

it('redelivers a requeued message to its consumer under a new tag', async () => {
  const { raw, queue } = await filled('a');
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  for (let tag = 1; tag <= 5; tag += 1) {
    const { method } = await raw.message(1);
    expect(method).toMatchObject({ deliveryTag: tag, redelivered: tag > 1 });
    raw.send(1, 'basic.reject', { deliveryTag: tag, requeue: true });
  }
});

it('recovers all unacked messages of the channel', async () => {
  const { raw, queue, get } = await filled('abc');
  for (let i = 0; i < 3; i += 1) await get();
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  expect(await raw.call(1, 'basic.recover', { requeue: true })).toEqual({
    name: 'basic.recover-ok',
    channel: 1,
  });
  expect(await rest(raw, queue)).toBe('b!c!');
});

it('answers recover although there is nothing to recover', async () => {
  const { raw } = await filled('');
  expect((await raw.call(1, 'basic.recover', { requeue: true })).name).toBe('basic.recover-ok');
});

it('forgets the tags of recovered messages', async () => {
  const { raw, get } = await filled('a');
  await get();
  await raw.call(1, 'basic.recover', { requeue: true });
  expect(await raw.call(1, 'basic.ack', { deliveryTag: 1 })).toMatchObject(
    unknownTag(1, 'basic.ack'),
  );
});

it('recovers without an answer where asked asynchronously', async () => {
  const { raw, queue, get } = await filled('ab');
  await get();
  raw.send(1, 'basic.recover-async', { requeue: true });
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
  expect(await rest(raw, queue)).toBe('a!b');
});

it('redelivers recovered messages to the consumer', async () => {
  const { raw, queue } = await filled('ab');
  await raw.call(1, 'basic.consume', { queue });
  await raw.message(1);
  await raw.message(1);
  raw.send(1, 'basic.recover', { requeue: true });
  const seen: string[] = [];
  let answered = false;
  while (seen.length < 2 || !answered) {
    const frame = await raw.next(1);
    if (frame.name === 'basic.recover-ok') answered = true;
    if (frame.name === 'basic.deliver') expect(frame['redelivered']).toBe(true);
    if (frame.name === 'body') seen.push(String(frame['payload']));
  }
  expect(seen).toEqual(['a', 'b']);
});

it('does not recover without requeue', async () => {
  const { raw } = await filled('');
  expect(await raw.call(1, 'basic.recover', { requeue: false })).toMatchObject(
    connectionClose(540, 'NOT_IMPLEMENTED - requeue=false', 'basic.recover'),
  );
});
