// Dead-lettering: which messages go, by which key, and the headers that tell the story.
import { expect, it } from 'vitest';
import { expectedFor, pause, useBroker } from '../support/amqp.ts';
import type { RawConnection, RawMessage } from '../support/amqp-raw.ts';
import { type Fields, type Typed, typed } from '../support/amqp-wire.ts';

const broker = useBroker();

async function declare(raw: RawConnection, args: Fields = {}): Promise<string> {
  const queue = broker.name();
  const reply = await raw.call(1, 'queue.declare', { queue, arguments: args });
  expect(reply.name).toBe('queue.declare-ok');
  return queue;
}

/** A queue whose rejected messages go to another through the default exchange. */
async function pair(args: Fields = {}) {
  const raw = await broker.raw();
  const dead = await declare(raw);
  const work = await declare(raw, {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
    ...args,
  });
  return { raw, work, dead };
}

async function get(raw: RawConnection, queue: string): Promise<RawMessage> {
  for (let i = 0; i < 12_000; i += 1) {
    const reply = await raw.call(1, 'basic.get', { queue, noAck: true });
    if (reply.name === 'basic.get-ok') {
      const header = await raw.next(1);
      const size = header['bodySize'] as number;
      const body = size === 0 ? Buffer.alloc(0) : ((await raw.next(1))['payload'] as Buffer);
      return { method: reply, header, properties: header['properties'] as Fields, body };
    }
    await pause(5);
  }
  throw new Error(`nothing came to ${queue}`);
}

async function reject(raw: RawConnection, queue: string): Promise<void> {
  for (let i = 0; i < 12_000; i += 1) {
    const reply = await raw.call(1, 'basic.get', { queue });
    if (reply.name === 'basic.get-ok') {
      const header = await raw.next(1);
      if (header['bodySize'] !== 0) await raw.next(1);
      raw.send(1, 'basic.reject', { deliveryTag: reply['deliveryTag'], requeue: false });
      return;
    }
    await pause(5);
  }
  throw new Error(`nothing came to ${queue}`);
}

async function isEmpty(raw: RawConnection, queue: string): Promise<boolean> {
  return (await raw.call(1, 'basic.get', { queue })).name === 'basic.get-empty';
}

function headersOf(message: RawMessage): Fields {
  return (message.properties['headers'] ?? {}) as Fields;
}

function deathsOf(message: RawMessage): Fields[] {
  return headersOf(message)['x-death'] as Fields[];
}

it('tells in x-death what happened, field by field', async () => {
  const { raw, work, dead } = await pair();
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  await reject(raw, work);
  const message = await get(raw, dead);
  const headers = headersOf(message);
  const [death] = headers['x-death'] as Fields[];
  expect(headers['x-death']).toHaveLength(1);
  expect(death).toEqual({
    count: typed('l', 1),
    reason: 'rejected',
    queue: work,
    time: typed('T', expect.any(Number)),
    exchange: '',
    'routing-keys': [work],
  });
  const time = death?.['time'] as Typed | undefined;
  expect(Math.abs(Number(time?.value) - Date.now() / 1000)).toBeLessThan(60);
  const last = { reason: 'rejected', queue: work, exchange: '' };
  expect({ ...headers, 'x-death': null }).toEqual({
    'x-death': null,
    'x-first-death-exchange': '',
    'x-first-death-queue': work,
    'x-first-death-reason': 'rejected',
    ...expectedFor<object>({
      rabbitmq: {},
      leveret: {
        'x-last-death-exchange': last.exchange,
        'x-last-death-queue': last.queue,
        'x-last-death-reason': last.reason,
      },
    }),
  });
  expect(message.method).toMatchObject({ exchange: '', routingKey: dead, redelivered: false });
});

it('keeps body, headers and properties of the message', async () => {
  const { raw, work, dead } = await pair();
  const properties = {
    contentType: 'text/plain',
    deliveryMode: 2,
    priority: 3,
    correlationId: 'c',
    messageId: 'm',
    headers: { mine: typed('s', 5), deep: { er: true } },
  };
  raw.publish(1, { routingKey: work }, properties, Buffer.from('body'));
  await reject(raw, work);
  const message = await get(raw, dead);
  expect(message.body.toString()).toBe('body');
  expect(message.properties).toMatchObject({ ...properties, headers: properties.headers });
});

it('keeps the routing key where the queue names none', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'topic' });
  const dead = await declare(raw);
  await raw.call(1, 'queue.bind', { queue: dead, exchange, routingKey: 'conf-q-#' });
  await raw.call(1, 'queue.bind', { queue: dead, exchange, routingKey: '#' });
  const work = await declare(raw, { 'x-dead-letter-exchange': exchange });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  await reject(raw, work);
  expect((await get(raw, dead)).method).toMatchObject({ exchange, routingKey: work });
  expect(await isEmpty(raw, dead)).toBe(true);
});

it('dead-letters a nack without requeue, of many at once too', async () => {
  const { raw, work, dead } = await pair();
  for (const body of ['a', 'b', 'c']) raw.publish(1, { routingKey: work }, {}, Buffer.from(body));
  for (let i = 0; i < 3; i += 1) {
    raw.send(1, 'basic.get', { queue: work });
    await raw.message(1);
  }
  raw.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: false });
  for (const body of ['a', 'b', 'c']) {
    expect((await get(raw, dead)).body.toString()).toBe(body);
  }
});

it('drops what it cannot dead-letter for want of the exchange', async () => {
  const raw = await broker.raw();
  const work = await declare(raw, { 'x-dead-letter-exchange': broker.name('x') });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  await reject(raw, work);
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
  expect(await isEmpty(raw, work)).toBe(true);
});

it('finds an exchange that was declared after the queue', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const work = await declare(raw, { 'x-dead-letter-exchange': exchange });
  const dead = await declare(raw);
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  await raw.call(1, 'queue.bind', { queue: dead, exchange });
  await reject(raw, work);
  expect((await get(raw, dead)).body.toString()).toBe('x');
});

it('sends a dead letter to every queue of a fanout', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  const queues = [await declare(raw), await declare(raw), await declare(raw)];
  for (const queue of queues) await raw.call(1, 'queue.bind', { queue, exchange });
  const work = await declare(raw, { 'x-dead-letter-exchange': exchange });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  await reject(raw, work);
  for (const queue of queues) {
    const message = await get(raw, queue);
    expect(message.method).toMatchObject({ exchange, routingKey: work });
    expect(deathsOf(message)).toMatchObject([{ queue: work, count: typed('l', 1) }]);
  }
});

it('counts repeated deaths for one reason in one queue', async () => {
  const { raw, work, dead } = await pair();
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  for (let count = 1; count <= 3; count += 1) {
    await reject(raw, work);
    const message = await get(raw, dead);
    expect(deathsOf(message)).toMatchObject([
      { queue: work, reason: 'rejected', count: typed('l', count) },
    ]);
    raw.publish(1, { routingKey: work }, message.properties, message.body);
  }
});

it('tells of a chain of deaths, the latest first', async () => {
  const raw = await broker.raw();
  const last = await declare(raw);
  const toLast = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': last };
  const second = await declare(raw, toLast);
  const toSecond = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': second };
  const first = await declare(raw, toSecond);
  raw.publish(1, { routingKey: first }, {}, Buffer.from('x'));
  await reject(raw, first);
  await reject(raw, second);
  const message = await get(raw, last);
  expect(deathsOf(message)).toMatchObject([
    { queue: second, reason: 'rejected', count: typed('l', 1), 'routing-keys': [second] },
    { queue: first, reason: 'rejected', count: typed('l', 1), 'routing-keys': [first] },
  ]);
  expect(headersOf(message)).toMatchObject({
    'x-first-death-queue': first,
    'x-first-death-reason': 'rejected',
    'x-first-death-exchange': '',
  });
});

it('lets a rejected message go round in a cycle, and keeps the story of its first death there', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  const work = await declare(raw, { 'x-dead-letter-exchange': exchange });
  await raw.call(1, 'queue.bind', { queue: work, exchange });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  for (let count = 1; count <= 3; count += 1) await reject(raw, work);
  expect(deathsOf(await get(raw, work))).toMatchObject([
    { queue: work, exchange: '', count: typed('l', 3), 'routing-keys': [work] },
  ]);
});

it('ends a cycle that no client had a hand in', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  const args = { 'x-dead-letter-exchange': exchange, 'x-message-ttl': 20 };
  const work = await declare(raw, args);
  const witness = await declare(raw);
  await raw.call(1, 'queue.bind', { queue: work, exchange });
  await raw.call(1, 'queue.bind', { queue: witness, exchange });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  expect(deathsOf(await get(raw, witness))).toMatchObject([{ queue: work, reason: 'expired' }]);
  await pause(100);
  expect(await isEmpty(raw, witness)).toBe(true);
  expect(await isEmpty(raw, work)).toBe(true);
});

it('dead-letters what expires in the queue', async () => {
  const { raw, work, dead } = await pair({ 'x-message-ttl': 20 });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  const message = await get(raw, dead);
  expect(deathsOf(message)).toMatchObject([{ queue: work, reason: 'expired' }]);
  expect(deathsOf(message)[0]).not.toHaveProperty('original-expiration');
  expect(headersOf(message)).toMatchObject({ 'x-first-death-reason': 'expired' });
});

it('takes the expiration of a dead letter away and writes it down', async () => {
  const { raw, work, dead } = await pair();
  const properties = { expiration: '25', contentType: 'text/plain' };
  raw.publish(1, { routingKey: work }, properties, Buffer.from('x'));
  const message = await get(raw, dead);
  expect(message.properties).not.toHaveProperty('expiration');
  expect(message.properties['contentType']).toBe('text/plain');
  expect(deathsOf(message)).toMatchObject([{ reason: 'expired', 'original-expiration': '25' }]);
});

it('takes the expiration of a rejected message away, too', async () => {
  const { raw, work, dead } = await pair();
  raw.publish(1, { routingKey: work }, { expiration: '60000' }, Buffer.from('x'));
  await reject(raw, work);
  const message = await get(raw, dead);
  expect(message.properties).not.toHaveProperty('expiration');
  expect(deathsOf(message)).toMatchObject([{ reason: 'rejected', 'original-expiration': '60000' }]);
});

it('dead-letters the oldest message of a full queue', async () => {
  const { raw, work, dead } = await pair({ 'x-max-length': 2 });
  for (const body of ['a', 'b', 'c', 'd']) {
    raw.publish(1, { routingKey: work }, {}, Buffer.from(body));
  }
  for (const body of ['a', 'b']) {
    const message = await get(raw, dead);
    expect(message.body.toString()).toBe(body);
    expect(deathsOf(message)).toMatchObject([{ queue: work, reason: 'maxlen' }]);
  }
  expect((await get(raw, work)).body.toString()).toBe('c');
});

it('does not dead-letter what is purged, acked or in a deleted queue', async () => {
  const { raw, work, dead } = await pair();
  for (const body of ['a', 'b', 'c']) raw.publish(1, { routingKey: work }, {}, Buffer.from(body));
  raw.send(1, 'basic.get', { queue: work });
  await raw.message(1);
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  await raw.call(1, 'queue.purge', { queue: work });
  raw.publish(1, { routingKey: work }, {}, Buffer.from('d'));
  await raw.call(1, 'queue.delete', { queue: work });
  expect(await isEmpty(raw, dead)).toBe(true);
});

it('tells all keys of CC in x-death and routes by them again', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange, type: 'direct' });
  const work = await declare(raw, { 'x-dead-letter-exchange': exchange });
  const dead = await declare(raw);
  await raw.call(1, 'queue.bind', { queue: dead, exchange, routingKey: 'copied' });
  raw.publish(1, { routingKey: work }, { headers: { CC: ['copied'] } }, Buffer.from('x'));
  await reject(raw, work);
  const message = await get(raw, dead);
  expect(deathsOf(message)).toMatchObject([{ 'routing-keys': [work, 'copied'] }]);
  expect(headersOf(message)['CC']).toEqual(['copied']);
});

it('confirms a message although it dies unrouted', async () => {
  const raw = await broker.raw();
  const args = { 'x-dead-letter-exchange': broker.name('x'), 'x-max-length': 0 };
  const work = await declare(raw, args);
  await raw.call(1, 'confirm.select');
  raw.publish(1, { routingKey: work }, {}, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
});

it('drops a dead letter that a full queue refuses', async () => {
  const channel = await broker.confirmChannel();
  const full = await broker.queue(channel, {
    arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
  });
  const source = await broker.queue(channel, {
    deadLetterExchange: '',
    deadLetterRoutingKey: full,
  });
  for (const body of ['kept', 'dropped']) channel.sendToQueue(source, Buffer.from(body));
  await channel.waitForConfirms();
  for (let n = 0; n < 2; n++) {
    const message = await channel.get(source);
    if (message !== false) channel.reject(message, false);
  }
  await pause(100);
  expect((await channel.checkQueue(source)).messageCount).toBe(0);
  expect((await channel.checkQueue(full)).messageCount).toBe(1);
  const message = await channel.get(full, { noAck: true });
  expect(message !== false && message.content.toString()).toBe('kept');
});

it('merges deaths that a publisher wrote by queue and reason, into the first of each', async () => {
  const death = (queue: string, reason: string, count?: number): Fields => ({
    queue,
    reason,
    ...(count === undefined ? {} : { count: typed('l', count) }),
  });
  const { raw, work, dead } = await pair();
  for (const [written, found] of [
    [
      [death('a', 'expired')],
      [
        [work, 1],
        ['a', undefined],
      ],
    ],
    [
      [death('a', 'expired'), death('a', 'expired'), death('a', 'expired')],
      [
        [work, 1],
        ['a', 3],
      ],
    ],
    [
      [death('a', 'expired', 5), death('a', 'expired', 7)],
      [
        [work, 1],
        ['a', 5],
      ],
    ],
    [[death(work, 'rejected'), death(work, 'rejected')], [[work, 3]]],
    [[death(work, 'rejected', 3)], [[work, 4]]],
  ] as const) {
    raw.publish(1, { routingKey: work }, { headers: { 'x-death': written } }, Buffer.from('x'));
    await reject(raw, work);
    const deaths = deathsOf(await get(raw, dead));
    const counts = deaths.map(({ queue, count }) => [queue, (count as Typed | undefined)?.value]);
    expect(counts).toEqual(found);
  }
});

it('tells the texts of CC alone in x-death, and keeps the bytes of a key that is no text', async () => {
  const binary = Buffer.from([0x6b, 0xff, 0x80]);
  const raw = await broker.raw();
  const dead = await declare(raw);
  await raw.call(1, 'queue.bind', { queue: dead, exchange: 'amq.fanout' });
  const work = await declare(raw, {
    'x-dead-letter-exchange': 'amq.fanout',
    'x-dead-letter-routing-key': typed('S', binary),
  });
  const headers = { CC: ['copied', typed('l', 5), { a: 1 }] };
  raw.publish(1, { routingKey: work }, { headers }, Buffer.from('x'));
  await reject(raw, work);
  const message = await get(raw, dead);
  expect(deathsOf(message)[0]?.['routing-keys']).toEqual([work, 'copied']);
  // The test's decoder shows what is no UTF-8 as U+FFFD: two bytes here, and not six of their own.
  expect(message.method['routingKey']).toBe(binary.toString());
});
