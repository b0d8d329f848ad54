// How direct, fanout and topic exchanges and the default exchange choose queues.
import type { ConfirmChannel } from 'amqplib';
import { expect, it } from 'vitest';
import { drain, useBroker } from '../support/amqp.ts';

const broker = useBroker();

/** Publishes one message per routing key, its key for a body, and gives what the queue took. */
async function taken(
  channel: ConfirmChannel,
  exchange: string,
  queue: string,
  keys: readonly string[],
): Promise<string[]> {
  for (const key of keys) channel.publish(exchange, key, Buffer.from(key));
  await channel.waitForConfirms();
  return drain(channel, queue);
}

it('routes by equal keys in a direct exchange', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct');
  const queue = await broker.queue(channel);
  for (const key of ['red', 'blue', '']) await channel.bindQueue(queue, exchange, key);
  const keys = ['red', 'green', 'Red', 'blue', '', 'red.blue', '#', '*'];
  expect(await taken(channel, exchange, queue, keys)).toEqual(['red', 'blue', '']);
});

it('gives every queue with an equal key its copy in a direct exchange', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct');
  const queues = [await broker.queue(channel), await broker.queue(channel)];
  for (const queue of queues) await channel.bindQueue(queue, exchange, 'k');
  channel.publish(exchange, 'k', Buffer.from('both'));
  await channel.waitForConfirms();
  for (const queue of queues) expect(await drain(channel, queue)).toEqual(['both']);
});

it('compares keys by their octets, up to 255 of them', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'direct');
  const queue = await broker.queue(channel);
  const keys = ['k'.repeat(255), 'żółć', 'ключ-🔑', ' spaces '];
  for (const key of keys) await channel.bindQueue(queue, exchange, key);
  expect(await taken(channel, exchange, queue, [...keys, 'k'.repeat(254)])).toEqual(keys);
});

it('ignores keys in a fanout exchange', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'one');
  await channel.bindQueue(queue, exchange, 'two');
  expect(await taken(channel, exchange, queue, ['one', 'other', ''])).toEqual(['one', 'other', '']);
});

/** An empty key has no words at all; in any other, words may be empty. */
const TOPICS: readonly [pattern: string, matching: string[], others: string[]][] = [
  ['a.b.c', ['a.b.c'], ['a.b', 'a.b.c.d', 'a.b.', '.a.b.c', 'A.b.c', '']],
  ['*', ['a', 'abc'], ['', 'a.b', '.', 'a.']],
  ['#', ['', 'a', 'a.b', '.', '..', 'a.b.c.d.e.f.g.h'], []],
  ['', [''], ['a', '.']],
  ['a.*', ['a.b', 'a.'], ['a', 'a.b.c', 'b.a', 'a.b.']],
  ['*.a', ['b.a', '.a'], ['a', 'b.c.a', 'a.b']],
  ['a.#', ['a', 'a.b', 'a.b.c', 'a.', 'a..'], ['', 'ab', 'b.a']],
  ['#.a', ['a', 'b.a', 'c.b.a', '.a'], ['', 'a.b', 'ba']],
  ['a.#.b', ['a.b', 'a.x.b', 'a.x.y.b', 'a..b', 'a.b.b'], ['a', 'b', 'a.b.c', 'ab']],
  ['a.*.b', ['a.x.b', 'a..b'], ['a.b', 'a.x.y.b']],
  ['*.#', ['a', 'a.b', '.'], ['']],
  ['#.*', ['a', 'a.b'], ['']],
  ['*.*', ['a.b', '.', 'a.', '.b'], ['a', 'a.b.c', '']],
  ['#.#', ['', 'a', 'a.b.c'], []],
  ['*.*.#', ['a.b', 'a.b.c', '.'], ['a', '']],
  ['#.x.#', ['x', 'a.x', 'x.b', 'a.x.b', 'x.x'], ['', 'a', 'ax.b']],
  ['*.x.*', ['a.x.b'], ['x', 'a.x', 'x.b', 'a.a.x.b']],
  ['#.a.#.b.#', ['a.b', 'x.a.y.b.z', 'a.a.b.b'], ['b.a', 'a', 'b']],
  ['a.b.#.c.d', ['a.b.c.d', 'a.b.c.c.d', 'a.b.c.d.c.d'], ['a.b.c', 'a.b.d', 'a.c.d']],
  ['a*', ['a*'], ['a', 'ab', 'a.b']],
  ['a#.b', ['a#.b'], ['a.b', 'a.x.b']],
  ['**', ['**'], ['a', 'a.b']],
  ['.', ['.'], ['', 'a', 'a.b']],
  ['a..b', ['a..b'], ['a.b', 'a.x.b']],
  ['*.*.*.1.#', ['0.0.0.1', '0.1.0.1.1.1'], ['0.0.1', '0.0.0.0.1']],
];

it.each(TOPICS)('matches the topic pattern "%s"', async (pattern, matching, others) => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'topic');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, pattern);
  expect(await taken(channel, exchange, queue, [...others, ...matching])).toEqual(matching);
});

it('matches all patterns side by side in one topic exchange', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'topic');
  const queues = new Map<string, string>();
  for (const [pattern] of TOPICS) {
    const queue = await broker.queue(channel);
    await channel.bindQueue(queue, exchange, pattern);
    queues.set(pattern, queue);
  }
  const keys = ['', '.', 'a', 'a.b', 'a..b', 'a.x.b', 'a.b.c.d', 'x', '0.0.0.1'];
  for (const key of keys) channel.publish(exchange, key, Buffer.from(key));
  await channel.waitForConfirms();
  for (const [pattern, matching, others] of TOPICS) {
    const got = await drain(channel, queues.get(pattern) as string);
    for (const key of matching) if (keys.includes(key)) expect(got, pattern).toContain(key);
    for (const key of others) expect(got, pattern).not.toContain(key);
    expect(new Set(got).size).toBe(got.length);
  }
});

it('matches topic keys of very many words', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'topic');
  const queue = await broker.queue(channel);
  const bits = Array.from({ length: 28 }, (_, index) => (index === 3 ? '1' : '0'));
  await channel.bindQueue(queue, exchange, `*.*.*.1.${'*.'.repeat(24)}target`);
  await channel.bindQueue(queue, exchange, '#.end');
  const long = `${Array.from({ length: 120 }, () => 'w').join('.')}.end`;
  const keys = [`${bits.join('.')}.target`, `${bits.join('.')}.other`, long];
  expect(await taken(channel, exchange, queue, keys)).toEqual([keys[0], keys[2]]);
});

it('gives a queue one copy although many of its patterns match', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'topic');
  const queue = await broker.queue(channel);
  for (const pattern of ['#', 'a.*', '*.b', 'a.b', 'a.#', '#.b', '#.#']) {
    await channel.bindQueue(queue, exchange, pattern);
  }
  expect(await taken(channel, exchange, queue, ['a.b'])).toEqual(['a.b']);
});

it('stops matching a topic pattern once it is unbound and keeps the others', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'topic');
  const queue = await broker.queue(channel);
  for (const pattern of ['a.#', 'a.b', 'a.b.#', '*.c']) {
    await channel.bindQueue(queue, exchange, pattern);
  }
  await channel.unbindQueue(queue, exchange, 'a.#');
  const keys = ['a.x', 'a.b', 'a.b.c', 'a.c', 'a'];
  expect(await taken(channel, exchange, queue, keys)).toEqual(['a.b', 'a.b.c', 'a.c']);
  await channel.unbindQueue(queue, exchange, 'a.b.#');
  expect(await taken(channel, exchange, queue, keys)).toEqual(['a.b', 'a.c']);
});

it('routes to a queue by its name in the default exchange', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  channel.publish('', queue, Buffer.from('direct'));
  channel.publish('', `${queue}.`, Buffer.from('elsewhere'));
  await channel.waitForConfirms();
  const message = await channel.get(queue, { noAck: true });
  expect(message).toMatchObject({ fields: { exchange: '', routingKey: queue } });
  expect(await drain(channel, queue)).toEqual([]);
});

it('names the exchange and key of the publish, not of the binding, in a delivery', async () => {
  const channel = await broker.confirmChannel();
  const outer = await broker.exchange(channel, 'topic');
  const inner = await broker.exchange(channel, 'fanout');
  const queue = await broker.queue(channel);
  await channel.bindExchange(inner, outer, '#');
  await channel.bindQueue(queue, inner, 'ignored');
  channel.publish(outer, 'as.published', Buffer.from('x'));
  await channel.waitForConfirms();
  expect(await channel.get(queue, { noAck: true })).toMatchObject({
    fields: { exchange: outer, routingKey: 'as.published' },
  });
});

it('routes by headers: all of them, any of them, or their mere presence', async () => {
  const channel = await broker.confirmChannel();
  const exchange = await broker.exchange(channel, 'headers');
  const all = await broker.queue(channel);
  const any = await broker.queue(channel);
  const present = await broker.queue(channel);
  await channel.bindQueue(all, exchange, '', { 'x-match': 'all', a: 1, b: 'two' });
  await channel.bindQueue(any, exchange, '', { 'x-match': 'any', a: 1, b: 'two' });
  await channel.bindQueue(present, exchange, '', { a: null });
  const send = (body: string, headers: Record<string, unknown>) =>
    channel.publish(exchange, 'k', Buffer.from(body), { headers });
  send('both', { a: 1, b: 'two', c: true });
  send('first', { a: 1, b: 'other' });
  send('second', { b: 'two' });
  send('neither', { a: 2 });
  send('none', {});
  await channel.waitForConfirms();
  expect(await drain(channel, all)).toEqual(['both']);
  expect(await drain(channel, any)).toEqual(['both', 'first', 'second']);
  expect(await drain(channel, present)).toEqual(['both', 'first', 'neither']);
});
