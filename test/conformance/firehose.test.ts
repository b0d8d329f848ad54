// The firehose: copies of what is published and delivered in a traced vhost. And who may name whom.
import { describe, expect, inject, it } from 'vitest';
import { channelClose, expectedFor, useBroker } from '../support/amqp.ts';
import type { RawConnection, RawMessage } from '../support/amqp-raw.ts';
import type { Fields } from '../support/amqp-wire.ts';
import { PASSWORD } from './prepared.ts';

const broker = useBroker();
const tag = inject('preparedTag');
const prepared = (name: string): string => `conf-${name}-${tag}`;
const TRACE = 'amq.rabbitmq.trace';
const VHOST = prepared('traced');

/** Channel 1 consumes traces by a binding key, channel 2 is traced; `queue` is one of its own. */
async function traced(key: string): Promise<{ raw: RawConnection; queue: string }> {
  const raw = await broker.raw({ user: prepared('all'), password: PASSWORD, vhost: VHOST });
  await raw.openChannel(2);
  const { queue: traces } = await raw.call(1, 'queue.declare', { exclusive: true });
  await raw.call(1, 'queue.bind', { queue: traces, exchange: TRACE, routingKey: key });
  await raw.call(1, 'basic.consume', { queue: traces, noAck: true });
  const { queue } = await raw.call(2, 'queue.declare', { exclusive: true });
  return { raw, queue: String(queue) };
}

const headersOf = (message: RawMessage) => message.properties['headers'] as Fields;
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.skipIf(tag === '')('a traced vhost', () => {
  it('tells of each publish where it came from and where it goes', async () => {
    const { raw, queue } = await traced('publish.#');
    const headers = { CC: [queue], x: 'y' };
    const properties = {
      contentType: 'a/b',
      contentEncoding: 'e',
      headers,
      deliveryMode: 2,
      priority: 3,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: prepared('all'),
      appId: 'a',
    };
    raw.publish(2, { routingKey: queue }, properties, Buffer.from('body'));
    const trace = await raw.message(1);
    expect(trace.method).toMatchObject({ exchange: TRACE, routingKey: 'publish.' });
    expect(trace.body.toString()).toBe('body');
    expect(Object.keys(trace.properties)).toEqual(['headers']);
    expect(plain(headersOf(trace))).toEqual({
      exchange_name: '',
      routing_keys: [queue, queue],
      properties: {
        content_type: 'a/b',
        content_encoding: 'e',
        headers,
        delivery_mode: { tag: 'I', value: 2 },
        priority: { tag: 'I', value: 3 },
        correlation_id: 'c',
        reply_to: 'r',
        expiration: '60000',
        message_id: 'm',
        timestamp: { tag: 'I', value: 1_700_000_000 },
        type: 't',
        user_id: prepared('all'),
        app_id: 'a',
      },
      node: expect.any(String),
      vhost: VHOST,
      connection: expect.stringMatching(/^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+$/),
      channel: { tag: 'I', value: 2 },
      user: prepared('all'),
      routed_queues: [queue],
    });
  });

  it('tells of each delivery whether it is the first', async () => {
    const { raw, queue } = await traced('deliver.#');
    raw.publish(2, { routingKey: queue }, {}, Buffer.from('x'));
    for (const redelivered of [0, 1]) {
      raw.send(2, 'basic.get', { queue });
      const { deliveryTag } = (await raw.message(2)).method;
      raw.send(2, 'basic.reject', { deliveryTag, requeue: true });
      const trace = await raw.message(1);
      expect(trace.method['routingKey']).toBe(`deliver.${queue}`);
      expect(plain(headersOf(trace))).toEqual({
        exchange_name: '',
        routing_keys: [queue],
        properties: {},
        node: expect.any(String),
        redelivered: { tag: 'I', value: redelivered },
        vhost: VHOST,
        connection: expect.any(String),
        channel: { tag: 'I', value: 2 },
        user: prepared('all'),
      });
    }
    await raw.call(2, 'basic.consume', { queue });
    await raw.message(2);
    expect((await raw.message(1)).method['routingKey']).toBe(`deliver.${queue}`);
  });

  it('tells of each delivery of a stream, with where it stands there', async () => {
    const queue = broker.name();
    const { raw } = await traced(`deliver.${queue}`);
    const args = { 'x-queue-type': 'stream' };
    await raw.call(2, 'queue.declare', { queue, durable: true, arguments: args });
    raw.publish(2, { routingKey: queue }, { headers: { x: 'y' } }, Buffer.from('body'));
    await raw.call(2, 'basic.qos', { prefetchCount: 1 });
    const start = { 'x-stream-offset': 'first' };
    await raw.call(2, 'basic.consume', { queue, arguments: start });
    await raw.message(2);
    const trace = await raw.message(1);
    expect(trace.body.toString()).toBe('body');
    const headers = { x: 'y', 'x-stream-offset': { tag: 'l', value: 0 } };
    expect(plain(headersOf(trace))).toMatchObject({
      routing_keys: [queue],
      properties: { headers },
      redelivered: { tag: 'I', value: 0 },
    });
  });

  it('tells of what no queue takes', async () => {
    const { raw } = await traced('publish.amq.fanout');
    raw.publish(2, { exchange: 'amq.fanout', routingKey: 'k' });
    const trace = await raw.message(1);
    expect(headersOf(trace)).toMatchObject({ routing_keys: ['k'], routed_queues: [] });
    expect(trace.body.length).toBe(0);
  });

  it('tells of a publish in a transaction when it comes', async () => {
    const { raw, queue } = await traced('publish.#');
    await raw.call(2, 'tx.select');
    raw.publish(2, { routingKey: queue }, {}, Buffer.alloc(300_000, 'long'));
    expect((await raw.message(1)).body.equals(Buffer.alloc(300_000, 'long'))).toBe(true);
    await raw.call(2, 'tx.rollback');
  });

  it('does not tell of its own copies', async () => {
    const { raw, queue } = await traced('deliver.#');
    raw.publish(2, { routingKey: queue }, {}, Buffer.from('x'));
    raw.send(2, 'basic.get', { queue, noAck: true });
    await raw.message(2);
    await raw.message(1);
    await raw.call(1, 'basic.qos');
    await raw.call(1, 'basic.qos');
    expect(raw.unread()).toEqual([]);
  });
});

describe.skipIf(tag === '')('the property user-id', () => {
  it('may name any user when the publisher is an impersonator', async () => {
    const user = prepared('impersonator');
    const raw = await broker.raw({ user, password: PASSWORD, vhost: prepared('plain') });
    const { queue } = await raw.call(1, 'queue.declare', { exclusive: true });
    raw.publish(1, { routingKey: queue }, { userId: 'somebody' }, Buffer.from('x'));
    raw.send(1, 'basic.get', { queue, noAck: true });
    expect((await raw.message(1)).properties['userId']).toBe('somebody');
  });

  it('may name the user of the connection, and no other', async () => {
    const user = prepared('own');
    const raw = await broker.raw({ user, password: PASSWORD, vhost: prepared('plain') });
    const { queue } = await raw.call(1, 'queue.declare', { exclusive: true });
    raw.publish(1, { exchange: 'own-x', routingKey: queue }, { userId: user }, Buffer.from('x'));
    expect((await raw.next(1))['replyCode']).toBe(404);
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
    const exchange = 'own-user-id';
    await raw.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true });
    raw.publish(1, { exchange }, { userId: user }, Buffer.from('x'));
    raw.publish(1, { exchange }, { userId: 'guest' }, Buffer.from('x'));
    const text = `user_id property set to 'guest' but authenticated user was '${user}'`;
    expect(await raw.next(1)).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - ${text}`, 'basic.publish'),
    );
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
    await raw.call(1, 'exchange.delete', { exchange });
  });
});

it.skipIf(tag === '')('keeps topic permissions for the keys of CC as well', async () => {
  const user = prepared('topics');
  const raw = await broker.raw({ user, password: PASSWORD, vhost: prepared('plain') });
  const headers = { CC: ['others.key'] };
  raw.publish(1, { exchange: 'amq.topic', routingKey: `${user}.key` }, { headers });
  // RabbitMQ looks at the routing key alone, until 4.0.
  const answer = await raw.call(1, 'basic.qos');
  const expected = expectedFor({ rabbitmq: 'basic.qos-ok', leveret: 'channel.close' });
  expect(answer.name).toBe(expected);
});
