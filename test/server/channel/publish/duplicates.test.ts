// Owns the tests of what publishers are told of duplicates: confirms, returns, commits, and acks that go with a publish.

import { describe, expect, test } from 'vitest';
import { eventually } from '../../../support/amqp.ts';
import type { RawConnection } from '../../../support/amqp-raw.ts';
import type { Fields } from '../../../support/amqp-wire.ts';
import { type TestServer, useServers } from '../../support.ts';

const start = useServers();
const ONCE = { 'x-message-deduplication': true };
/** As many as a route needs to be pushed in steps. */
const WIDE = 300;

const keyed = (key: string, more: Fields = {}): Fields => ({
  deliveryMode: 2,
  headers: { 'x-deduplication-header': key, ...more },
});

/** A server with a queue `q`, an exchange `x` bound to it, and a channel in that mode; duplicates are looked for by one of them. */
async function publisher(
  by: 'queue' | 'exchange',
  mode = 'confirm.select',
  more: Fields = {},
): Promise<{ server: TestServer; raw: RawConnection }> {
  const server = await start();
  const raw = await server.open();
  const queue = by === 'queue' ? { ...ONCE, ...more } : {};
  const exchange = by === 'exchange' ? { ...ONCE, ...more } : {};
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true, arguments: queue });
  await raw.call(1, 'exchange.declare', {
    ...{ exchange: 'x', type: 'direct', durable: true, arguments: exchange },
  });
  await raw.call(1, 'queue.bind', { queue: 'q', exchange: 'x', routingKey: 'k' });
  await raw.call(1, mode);
  return { server, raw };
}

const publish = (raw: RawConnection, key: string, fields: Fields = {}, more: Fields = {}): void =>
  raw.publish(1, { exchange: 'x', routingKey: 'k', ...fields }, keyed(key, more));

function countsOf({ server }: TestServer): Record<string, number> {
  const vhost = server.broker.vhost('/');
  const queue = vhost.queues.get('q');
  return {
    ready: queue?.readyCount ?? 0,
    unacked: queue?.unackedCount ?? 0,
    dropped: (queue?.counts.duplicates ?? 0) + vhost.exchange('x').duplicatesIn,
  };
}

/** Confirms up to a number. */
async function confirmed(raw: RawConnection, upTo: number): Promise<string[]> {
  const names: string[] = [];
  for (let at = 0; at < upTo; ) {
    const { name, deliveryTag } = await raw.next(1);
    names.push(name);
    if (name === 'basic.ack' || name === 'basic.nack') at = Number(deliveryTag);
  }
  return names;
}

describe.each(['queue', 'exchange'] as const)('where a %s looks for duplicates', (by) => {
  test('one is confirmed, and not returned though it be mandatory', async () => {
    const { server, raw } = await publisher(by);
    publish(raw, 'a', { mandatory: true });
    publish(raw, 'a', { mandatory: true });
    publish(raw, 'b');
    publish(raw, 'b');
    expect(new Set(await confirmed(raw, 4))).toEqual(new Set(['basic.ack']));
    expect(countsOf(server)).toEqual({ ready: 2, unacked: 0, dropped: 2 });
    publish(raw, 'a', { routingKey: 'nowhere', mandatory: true });
    // The exchange knows the key whatever the way goes on to.
    const told = await confirmed(raw, 5);
    if (by === 'queue') expect(told.some((name) => name === 'basic.return')).toBe(true);
    else expect(told.some((name) => name === 'basic.return')).toBe(false);
  });

  test('its confirm waits until the first one is on the disk', async () => {
    const { server, raw } = await publisher(by);
    await raw.openChannel(2);
    await raw.call(2, 'confirm.select');
    server.stickDisk();
    publish(raw, 'a');
    raw.publish(2, { exchange: 'x', routingKey: 'k' }, keyed('a'));
    await raw.call(3, 'channel.open');
    expect(countsOf(server)).toMatchObject({ ready: 1, dropped: 1 });
    // What comes on this channel is a confirm, or the answer.
    raw.send(2, 'basic.qos', {});
    expect(await raw.next(2)).toMatchObject({ name: 'basic.qos-ok' });
    server.unstickDisk();
    expect(await raw.next(2)).toMatchObject({ name: 'basic.ack' });
  });

  test('a commit looks at what was published in it, and before it', async () => {
    const { server, raw } = await publisher(by, 'tx.select');
    for (const key of ['a', 'a', 'b']) publish(raw, key);
    await raw.call(1, 'tx.commit');
    expect(countsOf(server)).toEqual({ ready: 2, unacked: 0, dropped: 1 });
    for (const key of ['b', 'c']) publish(raw, key);
    await raw.call(1, 'tx.rollback');
    publish(raw, 'c');
    await raw.call(1, 'tx.commit');
    expect(countsOf(server)).toEqual({ ready: 3, unacked: 0, dropped: 1 });
  });

  test('what is a duplicate is told at the commit: one whose key is forgotten by then is none', async () => {
    const { server, raw } = await publisher(by, 'tx.select', { 'x-cache-size': 1 });
    publish(raw, 'a');
    await raw.call(1, 'tx.commit');
    for (const key of ['b', 'a']) publish(raw, key);
    await raw.call(1, 'tx.commit');
    expect(countsOf(server)).toEqual({ ready: 3, unacked: 0, dropped: 0 });
  });

  test('a commit waits until the first one is on the disk', async () => {
    const { server, raw } = await publisher(by);
    const other = await server.open();
    await other.call(1, 'tx.select');
    server.stickDisk();
    publish(raw, 'a');
    await raw.call(2, 'channel.open');
    publish(other, 'a');
    other.send(1, 'tx.commit');
    const answers: string[] = [];
    const answered = other.next(1).then(({ name }) => answers.push(name));
    await eventually(() => countsOf(server)['dropped'] === 1);
    await raw.call(3, 'channel.open');
    const before = answers.length;
    server.unstickDisk();
    await answered;
    expect([before, answers]).toEqual([0, ['tx.commit-ok']]);
  });

  test('one that acks a delivery does so: the work was handed on before', async () => {
    const { server, raw } = await publisher(by);
    await raw.call(1, 'queue.declare', { queue: 'in', durable: true });
    for (let n = 0; n < 2; n++) {
      raw.publish(1, { routingKey: 'in' }, { deliveryMode: 2 });
      await confirmed(raw, 1 + 2 * n);
      raw.send(1, 'basic.get', { queue: 'in' });
      await raw.message(1);
      publish(raw, 'a', { mandatory: true }, { 'x-ack-delivery-tag': n + 1 });
      await confirmed(raw, 2 + 2 * n);
    }
    expect(countsOf(server)).toEqual({ ready: 1, unacked: 0, dropped: 1 });
    expect(server.server.broker.vhost('/').queues.get('in')?.unackedCount).toBe(0);
  });

  test('a message for very many queues comes to each of them once', async () => {
    const { server, raw } = await publisher(by);
    for (let n = 0; n < WIDE; n++) {
      const args = by === 'queue' ? ONCE : {};
      await raw.call(1, 'queue.declare', { queue: `w${n}`, durable: true, arguments: args });
      await raw.call(1, 'queue.bind', { queue: `w${n}`, exchange: 'x', routingKey: 'k' });
    }
    for (let n = 0; n < 3; n++) publish(raw, 'a');
    publish(raw, 'b');
    await confirmed(raw, 4);
    const { queues } = server.server.broker.vhost('/');
    expect(new Set([...queues.values()].map(({ readyCount }) => readyCount))).toEqual(new Set([2]));
    expect(countsOf(server)['dropped']).toBe(2);
  });

  test('a queue that is full refuses a message, and then its repetition is none', async () => {
    const { server, raw } = await publisher(by);
    const full = { 'x-max-length': 0, 'x-overflow': 'reject-publish' };
    await raw.call(1, 'queue.declare', { queue: 'full', durable: true, arguments: full });
    await raw.call(1, 'queue.bind', { queue: 'full', exchange: 'x', routingKey: 'k' });
    publish(raw, 'a');
    publish(raw, 'a');
    expect(await confirmed(raw, 2)).toEqual(['basic.nack', 'basic.nack']);
    // A queue that took it knows it; an exchange does not know what not all have taken.
    expect(countsOf(server)).toMatchObject(by === 'queue' ? { ready: 1 } : { ready: 2 });
  });
});
