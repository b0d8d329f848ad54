import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { IdleOptions } from '../../src/embed/options.ts';
import { endpointOf, RawConnection } from '../support/amqp-raw.ts';
import { setUp } from './support.ts';

/** Time that some work takes which no broker knows of. */
const WORK_MS = 20;

describe('idle', () => {
  test('waits until a chain of consumers has worked off what was published just now', async () => {
    const { broker, channel } = await setUp();
    const chain = ['a', 'b', 'c'];
    const done: string[] = [];
    for (const [n, name] of chain.entries()) {
      await channel.assertQueue(name);
      const next = chain[n + 1];
      await channel.consume(name, async (message) => {
        await after(WORK_MS);
        if (message === null) return;
        if (next !== undefined) channel.sendToQueue(next, message.content);
        else done.push(message.content.toString());
        channel.ack(message);
      });
    }
    for (let n = 0; n < 10; n++) channel.sendToQueue('a', Buffer.from(`${n}`));
    await broker.idle();
    expect(done).toHaveLength(10);
  });

  test('sees what has only been written to the socket', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    await broker.idle();
    channel.sendToQueue('jobs', Buffer.from('x'));
    await expect(broker.idle({ timeoutMs: 20 })).rejects.toThrow("queue 'jobs' has 1 ready");
  });

  test('names what is not settled when it has waited long enough', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    await channel.get('jobs');
    await expect(broker.idle({ timeoutMs: 20 })).rejects.toThrow('0 ready and 1 unacked');
  });

  test('looks at the named queues alone', async () => {
    const queues = [{ name: 'dead', vhost: 'other', durable: true, arguments: {} }];
    const { broker, channel } = await setUp({ vhosts: ['other'], definitions: { queues } });
    await channel.assertQueue('jobs');
    await channel.assertQueue('dead');
    channel.sendToQueue('dead', Buffer.from('x'));
    await channel.waitForConfirms();
    await broker.idle({ queues: ['jobs'] });
    await broker.idle({ queues: ['dead'], vhost: 'other' });
    await expect(broker.idle({ queues: ['dead'], timeoutMs: 20 })).rejects.toThrow('dead');
  });

  test('waits for a body that is half there', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { maxLength: 0 });
    channel.sendToQueue('jobs', Buffer.alloc(8 * 2 ** 20));
    let confirmed = false;
    void channel.waitForConfirms().then(() => {
      confirmed = true;
    });
    await broker.idle();
    expect(confirmed).toBe(true);
  });

  test('waits for the commit of a transaction', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs', { maxLength: 0 });
    const raw = await RawConnection.dial(endpointOf(broker.url));
    await raw.open();
    await raw.openChannel(1);
    await raw.call(1, 'tx.select');
    raw.publish(1, { routingKey: 'jobs' }, {}, Buffer.from('x'));
    await expect(broker.idle({ timeoutMs: 20 })).rejects.toThrow('commit of a transaction');
    await raw.call(1, 'tx.commit');
    await broker.idle();
    await raw.close();
  });

  test.each([
    ['no object', null],
    ['a text for the list of queues, in which names would be looked for', { queues: 'jobs' }],
    ['a name that is no text', { queues: [5] }],
    ['an option that is misspelt', { queue: ['jobs'] }],
    ['a timeout that never comes', { timeoutMs: Number.NaN }],
    ['a timeout in the past', { timeoutMs: -1 }],
  ])('refuses %s', async (_what, options) => {
    const { broker } = await setUp();
    await expect(broker.idle(options as unknown as IdleOptions)).rejects.toThrow(/^idle: /);
  });

  test.each<[string, IdleOptions]>([
    [
      "idle: queues: there is no queue in vhost '/' named 'job'; did you mean 'jobs'?",
      { queues: ['job'] },
    ],
    ["there is no vhost named 'shop'", { queues: ['jobs'], vhost: 'shop' }],
    [
      "there is no queue in vhost '/' named 'something else'; there are 'jobs'",
      { queues: ['something else'] },
    ],
  ])('names what is nearest where a name is not there: %s', async (text, options) => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    await expect(broker.idle(options)).rejects.toThrow(text);
  });

  test('gives up when a client polls without a rest', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    let polling = true;
    const polls = (async (): Promise<void> => {
      while (polling) await channel.get('jobs');
    })();
    await expect(broker.idle({ timeoutMs: 20 })).rejects.toThrow('a client polls');
    polling = false;
    await polls;
  });

  test('ends with the broker, however long it was to wait', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    const waiting = expect(broker.idle({ timeoutMs: Number.POSITIVE_INFINITY })).rejects.toThrow(
      'the broker is closed',
    );
    await broker.close();
    await waiting;
    await expect(broker.idle()).rejects.toThrow('the broker is closed');
  });
});
