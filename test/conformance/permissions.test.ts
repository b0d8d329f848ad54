// What a user may do, method by method, and the texts of refusals.
import { describe, expect, inject, it } from 'vitest';
import { channelClose, expectedFor, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { PASSWORD } from './prepared.ts';

const broker = useBroker();
const tag = inject('preparedTag');
const prepared = (name: string): string => `conf-${name}-${tag}`;
const PLAIN = prepared('plain');

/** An open connection as a prepared user, with channel 1 open. */
function as(user: string, vhost = PLAIN): Promise<RawConnection> {
  return broker.raw({ user: prepared(user), password: PASSWORD, vhost });
}

/** RabbitMQ names the verb from 3.11 on. */
function refused(verb: string, what: string, user: string, method: string) {
  const access = expectedFor({ rabbitmq: 'access', leveret: `${verb} access` });
  const where = `${what} in vhost '${PLAIN}'`;
  const text = `ACCESS_REFUSED - ${access} to ${where} refused for user '${prepared(user)}'`;
  return channelClose(403, text, method);
}

const queueRefused = (verb: string, name: string, method: string, user = 'own') =>
  refused(verb, `queue '${name}'`, user, method);
const exchangeRefused = (verb: string, name: string, method: string, user = 'own') =>
  refused(verb, `exchange '${name}'`, user, method);

/** A queue that the user of all may do anything with, for the others to be refused. */
async function madeByAll(name: string): Promise<string> {
  const raw = await as('all');
  await raw.call(1, 'queue.declare', { queue: name });
  await raw.close();
  return name;
}

describe.skipIf(tag === '')('permissions', () => {
  it('declares and deletes only what may be configured', async () => {
    const raw = await as('own');
    const own = { queue: broker.name('x').replace('conf', 'own') };
    expect(await raw.attempt('queue.declare', own)).toMatchObject({ name: 'queue.declare-ok' });
    expect(await raw.attempt('queue.delete', own)).toMatchObject({ name: 'queue.delete-ok' });
    const other = { queue: broker.name('x') };
    expect(await raw.attempt('queue.declare', other)).toMatchObject(
      queueRefused('configure', other.queue, 'queue.declare'),
    );
    // Refused whether it is there or not.
    expect(await raw.attempt('queue.delete', other)).toMatchObject(
      queueRefused('configure', other.queue, 'queue.delete'),
    );
  });

  it('declares and deletes only exchanges that may be configured', async () => {
    const raw = await as('own');
    const own = { exchange: broker.name('x').replace('conf', 'own'), type: 'direct' };
    expect(await raw.attempt('exchange.declare', own)).toMatchObject({
      name: 'exchange.declare-ok',
    });
    expect(await raw.attempt('exchange.delete', own)).toMatchObject({ name: 'exchange.delete-ok' });
    const other = { exchange: broker.name('x'), type: 'direct' };
    expect(await raw.attempt('exchange.declare', other)).toMatchObject(
      exchangeRefused('configure', other.exchange, 'exchange.declare'),
    );
    expect(await raw.attempt('exchange.delete', other)).toMatchObject(
      exchangeRefused('configure', other.exchange, 'exchange.delete'),
    );
  });

  it('refuses names made by the broker to users that may not configure them', async () => {
    const own = await as('own');
    const made = await own.attempt('queue.declare', { queue: '', exclusive: true });
    expect(made.name).toBe('queue.declare-ok');
    const part = await as('part');
    const reply = await part.attempt('queue.declare', { queue: '', exclusive: true });
    expect(reply).toMatchObject({ name: 'channel.close', replyCode: 403 });
    expect(reply['replyText']).toContain("access to queue 'amq.gen-");
  });

  it('asks for no permission to declare passively', async () => {
    const name = await madeByAll(broker.name('x'));
    const raw = await as('nothing');
    expect(await raw.attempt('queue.declare', { queue: name, passive: true })).toMatchObject({
      name: 'queue.declare-ok',
      queue: name,
    });
    const exchange = { exchange: 'amq.topic', type: 'topic', passive: true };
    expect((await raw.attempt('exchange.declare', exchange)).name).toBe('exchange.declare-ok');
  });

  it('asks who dead-letters for read on the queue and write on the exchange', async () => {
    const raw = await as('own');
    const queue = broker.name('x').replace('conf', 'own');
    const declared = (target: string) => ({
      queue,
      arguments: { 'x-dead-letter-exchange': target },
    });
    expect(await raw.attempt('queue.declare', declared('elsewhere'))).toMatchObject(
      exchangeRefused('write', 'elsewhere', 'queue.declare'),
    );
    expect(await raw.attempt('queue.declare', declared(''))).toMatchObject(
      exchangeRefused('write', 'amq.default', 'queue.declare'),
    );
    expect((await raw.attempt('queue.declare', declared('own-dead'))).name).toBe(
      'queue.declare-ok',
    );
    // What is there already is only compared.
    const all = await as('all');
    const there = broker.name('x').replace('conf', 'own');
    const args = { queue: there, arguments: { 'x-dead-letter-exchange': 'elsewhere' } };
    await all.call(1, 'queue.declare', args);
    expect((await raw.attempt('queue.declare', args)).name).toBe('queue.declare-ok');
  });

  it('asks who declares an alternate exchange for read and write, too', async () => {
    const raw = await as('own');
    const exchange = broker.name('x').replace('conf', 'own');
    const declared = (target: string) => ({
      exchange,
      type: 'direct',
      arguments: { 'alternate-exchange': target },
    });
    expect(await raw.attempt('exchange.declare', declared('elsewhere'))).toMatchObject(
      exchangeRefused('write', 'elsewhere', 'exchange.declare'),
    );
    expect((await raw.attempt('exchange.declare', declared('own-other'))).name).toBe(
      'exchange.declare-ok',
    );
  });

  it('binds a queue with write on it and read on the exchange', async () => {
    const raw = await as('own');
    const queue = broker.name('x').replace('conf', 'own');
    await raw.call(1, 'queue.declare', { queue });
    const binding = { queue, exchange: 'amq.direct', routingKey: 'k' };
    expect((await raw.attempt('queue.bind', binding)).name).toBe('queue.bind-ok');
    expect((await raw.attempt('queue.unbind', binding)).name).toBe('queue.unbind-ok');
    for (const method of ['queue.bind', 'queue.unbind']) {
      expect(await raw.attempt(method, { ...binding, exchange: 'amq.fanout' })).toMatchObject(
        exchangeRefused('read', 'amq.fanout', method),
      );
      expect(await raw.attempt(method, { ...binding, queue: 'other' })).toMatchObject(
        queueRefused('write', 'other', method),
      );
      // Both are missing; permissions come first.
      expect(await raw.attempt(method, { ...binding, exchange: 'other' })).toMatchObject(
        exchangeRefused('read', 'other', method),
      );
    }
    expect(
      await raw.attempt('queue.bind', { ...binding, exchange: 'own-not-there' }),
    ).toMatchObject(
      channelClose(404, expect.stringContaining("no exchange 'own-not-there'"), 'queue.bind'),
    );
  });

  it('binds an exchange with write on the destination and read on the source', async () => {
    const raw = await as('own');
    const destination = broker.name('x').replace('conf', 'own');
    await raw.call(1, 'exchange.declare', { exchange: destination, type: 'fanout' });
    const binding = { destination, source: 'amq.direct', routingKey: 'k' };
    expect((await raw.attempt('exchange.bind', binding)).name).toBe('exchange.bind-ok');
    expect((await raw.attempt('exchange.unbind', binding)).name).toBe('exchange.unbind-ok');
    for (const method of ['exchange.bind', 'exchange.unbind']) {
      expect(await raw.attempt(method, { ...binding, source: 'amq.fanout' })).toMatchObject(
        exchangeRefused('read', 'amq.fanout', method),
      );
      expect(await raw.attempt(method, { ...binding, destination: 'amq.fanout' })).toMatchObject(
        exchangeRefused('write', 'amq.fanout', method),
      );
    }
  });

  it('gets, consumes and purges only what may be read', async () => {
    const name = await madeByAll(broker.name('x'));
    const raw = await as('own');
    for (const method of ['basic.get', 'basic.consume', 'queue.purge']) {
      expect(await raw.attempt(method, { queue: name })).toMatchObject(
        queueRefused('read', name, method),
      );
      expect(await raw.attempt(method, { queue: 'not-there' })).toMatchObject(
        queueRefused('read', 'not-there', method),
      );
    }
    const queue = broker.name('x').replace('conf', 'own');
    await raw.call(1, 'queue.declare', { queue });
    expect((await raw.attempt('basic.get', { queue })).name).toBe('basic.get-empty');
    expect((await raw.attempt('queue.purge', { queue })).name).toBe('queue.purge-ok');
  });

  it('publishes only where it may write, the default exchange included', async () => {
    const raw = await as('own');
    for (const [exchange, shown] of [
      ['amq.direct', 'amq.direct'],
      ['not-there', 'not-there'],
      ['', 'amq.default'],
    ] as const) {
      await raw.openChannel(2);
      raw.publish(2, { exchange, routingKey: 'own-queue' });
      expect(await raw.next(2)).toMatchObject(exchangeRefused('write', shown, 'basic.publish'));
      raw.send(2, 'channel.close-ok');
    }
    await raw.openChannel(2);
    raw.publish(2, { exchange: 'own-not-there', routingKey: 'k' });
    expect(await raw.next(2)).toMatchObject(
      channelClose(404, expect.stringContaining("no exchange 'own-not-there'"), 'basic.publish'),
    );
  });

  it('lets nobody publish on the strength of what another user may', async () => {
    const queue = await madeByAll(broker.name('x'));
    const all = await as('all');
    const own = await as('own');
    await all.call(1, 'confirm.select');
    for (let n = 0; n < 3; n++) {
      all.publish(1, { exchange: '', routingKey: queue });
      expect((await all.next(1)).name).toBe('basic.ack');
      await own.openChannel(2);
      own.publish(2, { exchange: '', routingKey: queue });
      expect(await own.next(2)).toMatchObject(
        exchangeRefused('write', 'amq.default', 'basic.publish'),
      );
      own.send(2, 'channel.close-ok');
    }
    expect(await all.call(1, 'queue.delete', { queue })).toMatchObject({ messageCount: 3 });
  });

  it('grants nothing where the pattern is empty', async () => {
    const raw = await as('nothing');
    const queue = broker.name('x');
    expect(await raw.attempt('queue.declare', { queue })).toMatchObject(
      queueRefused('configure', queue, 'queue.declare', 'nothing'),
    );
    expect(await raw.attempt('basic.get', { queue })).toMatchObject(
      queueRefused('read', queue, 'basic.get', 'nothing'),
    );
  });

  it('matches anywhere in a name, with lookahead and without regard to case', async () => {
    const raw = await as('part');
    const queue = broker.name('a-part-of-it');
    expect((await raw.attempt('queue.declare', { queue })).name).toBe('queue.declare-ok');
    expect((await raw.attempt('basic.get', { queue })).name).toBe('basic.get-empty');
    const topic = { queue, exchange: 'amq.topic' };
    expect(await raw.attempt('queue.bind', topic)).toMatchObject(
      exchangeRefused('read', 'amq.topic', 'queue.bind', 'part'),
    );
    await raw.openChannel(2);
    raw.publish(2, { exchange: 'amq.topic', routingKey: 'k' });
    expect(await raw.next(2)).toMatchObject(
      exchangeRefused('write', 'amq.topic', 'basic.publish', 'part'),
    );
  });
});

describe.skipIf(tag === '')('topic permissions', () => {
  const topicRefused = (verb: string, key: string, method: string, user = 'topics') =>
    refused(verb, `topic '${key}' in exchange 'amq.topic'`, user, method);

  it('let publish the keys that match, with the name of the user filled in', async () => {
    const raw = await as('topics');
    await raw.call(1, 'confirm.select');
    raw.publish(1, { exchange: 'amq.topic', routingKey: `${prepared('topics')}.a` });
    expect((await raw.next(1)).name).toBe('basic.ack');
    for (const key of ['other', `${prepared('topics')}`, '{username}.a']) {
      await raw.openChannel(2);
      raw.publish(2, { exchange: 'amq.topic', routingKey: key });
      expect(await raw.next(2)).toMatchObject(topicRefused('write', key, 'basic.publish'));
      raw.send(2, 'channel.close-ok');
    }
  });

  it('let bind the keys that match, with the name of the vhost filled in', async () => {
    const raw = await as('topics');
    const queue = broker.name('x');
    await raw.call(1, 'queue.declare', { queue });
    for (const routingKey of ['public.#', `${PLAIN}.*`]) {
      const binding = { queue, exchange: 'amq.topic', routingKey };
      expect((await raw.attempt('queue.bind', binding)).name).toBe('queue.bind-ok');
      expect((await raw.attempt('queue.unbind', binding)).name).toBe('queue.unbind-ok');
    }
    for (const method of ['queue.bind', 'queue.unbind']) {
      const binding = { queue, exchange: 'amq.topic', routingKey: '#' };
      expect(await raw.attempt(method, binding)).toMatchObject(topicRefused('read', '#', method));
    }
    await raw.call(1, 'exchange.declare', { exchange: queue, type: 'fanout' });
    const binding = { destination: queue, source: 'amq.topic', routingKey: 'private' };
    expect(await raw.attempt('exchange.bind', binding)).toMatchObject(
      topicRefused('read', 'private', 'exchange.bind'),
    );
  });

  it('say nothing about exchanges of other types, nor about other topic exchanges', async () => {
    const raw = await as('topics');
    const exchange = broker.name('x');
    await raw.call(1, 'exchange.declare', { exchange, type: 'topic' });
    await raw.call(1, 'confirm.select');
    for (const [n, name] of ['amq.direct', 'amq.fanout', exchange, ''].entries()) {
      raw.publish(1, { exchange: name, routingKey: 'other' });
      expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: n + 1 });
    }
  });

  it('that are empty let the empty key pass alone', async () => {
    const raw = await as('silent');
    await raw.call(1, 'confirm.select');
    raw.publish(1, { exchange: 'amq.topic', routingKey: '' });
    expect((await raw.next(1)).name).toBe('basic.ack');
    raw.publish(1, { exchange: 'amq.topic', routingKey: 'k' });
    expect(await raw.next(1)).toMatchObject(topicRefused('write', 'k', 'basic.publish', 'silent'));
  });
});
