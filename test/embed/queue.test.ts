import { describe, expect, test } from 'vitest';
import { consume, setUp } from './support.ts';

describe('a queue of a broker inside a program', () => {
  test('shows its depth and its messages without a client', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    const queue = broker.queue('jobs');
    expect([queue.depth, queue.messages()]).toEqual([0, []]);
    for (const id of ['a', 'b', 'c']) {
      const headers = { tenant: 7 };
      channel.sendToQueue('jobs', Buffer.from(`job ${id}`), { messageId: id, headers });
    }
    await channel.waitForConfirms();
    await channel.get('jobs');
    expect(queue).toMatchObject({
      name: 'jobs',
      vhost: '/',
      ready: 2,
      unacked: 1,
      depth: 3,
      consumers: 0,
    });
    expect(queue.messages().map(({ body, state }) => `${body} ${state}`)).toEqual([
      'job a unacked',
      'job b ready',
      'job c ready',
    ]);
    expect(queue.messages({ limit: 1 })).toMatchObject([
      { exchange: '', routingKey: 'jobs', properties: { messageId: 'a', headers: { tenant: 7 } } },
    ]);
    // Looking has changed nothing.
    expect(queue).toMatchObject({ ready: 2, unacked: 1 });
  });

  test('shows the messages of a stream', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('log', { arguments: { 'x-queue-type': 'stream' } });
    for (const body of ['a', 'b', 'c']) channel.sendToQueue('log', Buffer.from(body));
    await channel.waitForConfirms();
    const stream = broker.queue('log');
    expect(stream.messages().map(({ body, state }) => `${body} ${state}`)).toEqual([
      'a ready',
      'b ready',
      'c ready',
    ]);
    expect(stream.messages({ limit: 2 })).toHaveLength(2);
    expect(await stream.waitForMessage(({ body }) => `${body}` === 'c')).toBeDefined();
  });

  test('counts what is on its way to a consumer as delivered', async () => {
    const { broker, channel } = await setUp();
    await channel.assertQueue('jobs');
    await consume(channel, 'jobs');
    channel.sendToQueue('jobs', Buffer.from('x'));
    await channel.waitForConfirms();
    expect(broker.queue('jobs')).toMatchObject({ ready: 0, unacked: 1, consumers: 1 });
  });

  test('is waited for until it has a depth or a message', async () => {
    const { broker, channel } = await setUp({ vhosts: ['other'] });
    await channel.assertQueue('jobs');
    const queue = broker.queue('jobs', { vhost: '/' });
    await queue.waitForDepth(0);
    const three = queue.waitForDepth(3);
    const second = queue.waitForMessage(({ body }) => body.toString() === '2');
    for (const text of ['1', '2', '3'])
      channel.sendToQueue('jobs', Buffer.from(text), { type: text });
    await three;
    expect(await second).toMatchObject({ routingKey: 'jobs', properties: { type: '2' } });
    expect((await queue.waitForMessage()).body.toString()).toBe('1');
    await channel.get('jobs');
    await queue.waitForDepth({ ready: 2, unacked: 1 });
    await expect(queue.waitForDepth(9, { timeoutMs: 5 })).rejects.toThrow(
      "queue 'jobs' has 2 ready and 1 unacked messages after 5 ms, and not",
    );
    await expect(queue.waitForMessage(() => false, { timeoutMs: 5 })).rejects.toThrow(
      'such a message',
    );
  });

  test('is refused where there is none of its name, and says when it is gone', async () => {
    const { broker, channel } = await setUp();
    expect(() => broker.queue('jobs')).toThrow('there is none yet: declare it first');
    await channel.assertQueue('jobs');
    expect(() => broker.queue('jops')).toThrow("did you mean 'jobs'?");
    expect(() => broker.queue('jobs', { vhost: 'no' })).toThrow("there is no vhost named 'no'");
    expect(() => broker.queue('jobs', { vhots: '/' } as never)).toThrow("did you mean 'vhost'?");
    expect(() => broker.queue(5 as never)).toThrow('expected the name of a queue');
    const queue = broker.queue('jobs');
    await expect(queue.waitForDepth(-1)).rejects.toThrow('a whole number from 0 on');
    await expect(queue.waitForDepth({ redy: 1 } as never)).rejects.toThrow("did you mean 'ready'?");
    await expect(queue.waitForMessage(5 as never)).rejects.toThrow('expected a function');
    expect(() => queue.messages({ limit: 1.5 })).toThrow('a whole number from 0 on');
    await channel.deleteQueue('jobs');
    expect(() => queue.depth).toThrow("there is no queue in vhost '/' named 'jobs'");
    await broker.close();
    expect(() => queue.ready).toThrow('the broker is closed');
  });
});
