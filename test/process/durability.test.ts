import { type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { describe, expect, test } from 'vitest';
import { publication } from '../server/scripted.ts';
import { eventually } from '../support/amqp.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { type BrokerProcess, useProcesses } from './support.ts';

const processes = useProcesses();

const BACKLOG = 200_000;

async function publish(
  channel: ConfirmChannel,
  queue: string,
  bodies: readonly string[],
  persistent = true,
): Promise<void> {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent });
  await channel.waitForConfirms();
}

/** Takes what a queue holds: bodies, with a star when redelivered. */
async function drain(channel: ConfirmChannel, queue: string): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return seen;
    seen.push(describeMessage(message));
  }
}

function describeMessage({ content, fields }: GetMessage): string {
  return `${content.toString()}${fields.redelivered ? '*' : ''}`;
}

/** Delivers `count` messages to a consumer that settles none of them. */
async function deliverUnacked(
  broker: BrokerProcess,
  queue: string,
  count: number,
): Promise<ConfirmChannel> {
  const channel = await processes.channel(broker);
  await channel.prefetch(count);
  let delivered = 0;
  await channel.consume(queue, () => {
    delivered += 1;
  });
  await eventually(() => delivered === count, `${count} deliveries`);
  return channel;
}

/** Whatever was done on a channel before is on disk afterwards. */
async function barrier(channel: ConfirmChannel): Promise<void> {
  await channel.assertQueue('barrier', { durable: true });
  await publish(channel, 'barrier', ['x']);
}

async function isThere(broker: BrokerProcess, what: string, name: string): Promise<boolean> {
  const channel = await processes.channel(broker);
  const check = what === 'queue' ? channel.checkQueue(name) : channel.checkExchange(name);
  return check.then(
    () => true,
    () => false,
  );
}

const ENDS: NodeJS.Signals[] = ['SIGKILL', 'SIGTERM'];

describe.each(ENDS)('after %s', (signal) => {
  test('what is durable is there, what is not is gone', async () => {
    const folder = processes.folder();
    const first = await processes.start(folder);
    const channel = await processes.channel(first);
    await channel.assertExchange('durable-x', 'topic', { durable: true });
    await channel.assertExchange('transient-x', 'topic', { durable: false });
    await channel.assertExchange('auto-x', 'fanout', { durable: true, autoDelete: true });
    await channel.assertQueue('durable', { durable: true });
    await channel.assertQueue('transient', { durable: false });
    await channel.assertQueue('exclusive', { durable: true, exclusive: true });
    await channel.assertQueue('auto-durable', { durable: true, autoDelete: true });
    await channel.assertQueue('auto-transient', { durable: false, autoDelete: true });
    await channel.bindQueue('durable', 'durable-x', 'a.*');
    await channel.bindQueue('durable', 'transient-x', '#');
    await channel.bindQueue('auto-durable', 'auto-x', '');
    await channel.bindExchange('auto-x', 'durable-x', 'to.auto');
    await publish(channel, 'durable', ['one', 'two']);
    await publish(channel, 'durable', ['lost'], false);
    await publish(channel, 'durable', ['three']);
    await publish(channel, 'transient', ['lost too']);
    await publish(channel, 'auto-durable', ['kept']);
    await first.end(signal);

    const second = await processes.start(folder);
    const found: Record<string, boolean> = {};
    for (const name of ['durable-x', 'transient-x', 'auto-x']) {
      found[name] = await isThere(second, 'exchange', name);
    }
    const queues = ['durable', 'transient', 'exclusive', 'auto-durable', 'auto-transient'];
    for (const name of queues) found[name] = await isThere(second, 'queue', name);
    expect(found).toEqual({
      'durable-x': true,
      'transient-x': false,
      'auto-x': true,
      durable: true,
      transient: false,
      exclusive: false,
      'auto-durable': true,
      'auto-transient': false,
    });
    const after = await processes.channel(second);
    after.publish('durable-x', 'a.b', Buffer.from('by binding'), { persistent: true });
    after.publish('durable-x', 'to.auto', Buffer.from('by two bindings'), { persistent: true });
    await after.waitForConfirms();
    expect(await drain(after, 'durable')).toEqual(['one', 'two', 'three', 'by binding']);
    expect(await drain(after, 'auto-durable')).toEqual(['kept', 'by two bindings']);
  });

  test('what was delivered and not acked comes first and marked; what was acked does not', async () => {
    const folder = processes.folder();
    const first = await processes.start(folder);
    const channel = await processes.channel(first);
    await channel.assertQueue('q', { durable: true });
    await publish(channel, 'q', ['1', '2', '3', '4', '5', '6']);
    const consumer = await deliverUnacked(first, 'q', 4);
    consumer.ack({ fields: { deliveryTag: 2 } } as GetMessage);
    await barrier(consumer);
    // The ack made room for one more delivery.
    await first.end(signal);
    const again = await processes.channel(await processes.start(folder));
    const seen = await drain(again, 'q');
    expect(seen.map((body) => body.replace('*', ''))).toEqual(['1', '3', '4', '5', '6']);
    expect(seen.slice(0, 3)).toEqual(['1*', '3*', '4*']);
  });

  test('what died keeps the count of its deaths', async () => {
    const folder = processes.folder();
    let broker = await processes.start(folder);
    let channel = await processes.channel(broker);
    for (const [queue, other] of [
      ['ping', 'pong'],
      ['pong', 'ping'],
    ] as const) {
      await channel.assertQueue(queue, {
        durable: true,
        deadLetterExchange: '',
        deadLetterRoutingKey: other,
      });
    }
    await publish(channel, 'ping', ['ball']);
    for (let round = 0; round < 4; round++) {
      const [queue, other] = round % 2 === 0 ? ['ping', 'pong'] : ['pong', 'ping'];
      const message = (await channel.get(queue as string)) as GetMessage;
      channel.reject(message, false);
      await barrier(channel);
      await broker.end(signal);
      broker = await processes.start(folder);
      channel = await processes.channel(broker);
      expect((await channel.checkQueue(queue as string)).messageCount).toBe(0);
      expect((await channel.checkQueue(other as string)).messageCount).toBe(1);
    }
    const { content, properties } = (await channel.get('ping')) as GetMessage;
    expect(content.toString()).toBe('ball');
    expect(properties.headers?.['x-death']).toMatchObject([
      { queue: 'pong', reason: 'rejected', count: 2, exchange: '' },
      { queue: 'ping', reason: 'rejected', count: 2, exchange: '' },
    ]);
    expect(properties.headers).toMatchObject({ 'x-first-death-queue': 'ping' });
  });

  test('what was deleted, unbound or purged stays so', async () => {
    const folder = processes.folder();
    const first = await processes.start(folder);
    const channel = await processes.channel(first);
    await channel.assertExchange('x', 'fanout', { durable: true });
    for (const queue of ['deleted', 'unbound', 'purged']) {
      await channel.assertQueue(queue, { durable: true });
      await channel.bindQueue(queue, 'x', '');
      await publish(channel, queue, ['1', '2']);
    }
    await channel.deleteQueue('deleted');
    await channel.unbindQueue('unbound', 'x', '');
    await channel.purgeQueue('purged');
    await barrier(channel);
    await first.end(signal);
    const second = await processes.start(folder);
    expect(await isThere(second, 'queue', 'deleted')).toBe(false);
    const after = await processes.channel(second);
    after.publish('x', '', Buffer.from('new'), { persistent: true });
    await after.waitForConfirms();
    expect(await drain(after, 'unbound')).toEqual(['1', '2']);
    expect(await drain(after, 'purged')).toEqual(['new']);
  });
});

test('after a clean stop what was never delivered is not marked', async () => {
  const folder = processes.folder();
  const first = await processes.start(folder);
  const channel = await processes.channel(first);
  await channel.assertQueue('q', { durable: true });
  await publish(channel, 'q', ['1', '2', '3', '4', '5']);
  await deliverUnacked(first, 'q', 2);
  await first.end('SIGTERM');
  const again = await processes.channel(await processes.start(folder));
  expect(await drain(again, 'q')).toEqual(['1*', '2*', '3', '4', '5']);
});

test('messages of every size come back whole after kill -9, twice in a row', async () => {
  const folder = processes.folder();
  const sizes = [0, 1, 100, 16_383, 16_384, 65_536, 131_064, 300_000, 2_000_000];
  const bodyOf = (size: number): Buffer => Buffer.alloc(size, `${size} `);
  let broker = await processes.start(folder);
  let channel = await processes.channel(broker);
  await channel.assertQueue('q', { durable: true });
  for (const size of sizes) {
    const headers = { size };
    channel.sendToQueue('q', bodyOf(size), { persistent: true, headers, messageId: `${size}` });
  }
  await channel.waitForConfirms();
  for (let round = 0; round < 2; round++) {
    await broker.end('SIGKILL');
    broker = await processes.start(folder);
    channel = await processes.channel(broker);
  }
  for (const size of sizes) {
    const message = (await channel.get('q')) as GetMessage;
    expect(message.properties).toMatchObject({ messageId: `${size}`, headers: { size } });
    expect(message.content.equals(bodyOf(size)), `${size} bytes`).toBe(true);
  }
});

test(`a backlog of ${BACKLOG} messages comes back in order after kill -9`, async () => {
  const folder = processes.folder();
  const first = await processes.start(folder);
  const { port } = first;
  const endpoint = { host: '127.0.0.1', port, user: 'guest', password: 'guest', vhost: '/' };
  const raw = await RawConnection.dial(endpoint);
  await raw.open();
  await raw.openChannel(1);
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.call(1, 'confirm.select');
  const parts: Buffer[] = [];
  for (let i = 0; i < BACKLOG; i++) {
    parts.push(publication(1, { routingKey: 'q' }, { deliveryMode: 2 }, Buffer.from(`${i}`)));
  }
  raw.write(Buffer.concat(parts));
  for (let upTo = 0; upTo < BACKLOG; ) upTo = (await raw.next(1))['deliveryTag'] as number;
  await first.end('SIGKILL');

  const second = await processes.start(folder);
  const rss = second.statusKib('VmRSS');
  console.log(`${BACKLOG} messages: listens after ${second.startMs.toFixed(0)} ms, RSS ${rss} KiB`);
  const channel = await processes.channel(second);
  expect((await channel.checkQueue('q')).messageCount).toBe(BACKLOG);
  let expected = 0;
  let wrong: string | null = null;
  await channel.consume(
    'q',
    (message) => {
      const body = String(message?.content);
      if (body !== `${expected}`) wrong ??= `${body} in the place of ${expected}`;
      expected += 1;
    },
    { noAck: true },
  );
  await eventually(() => expected === BACKLOG, 'the whole backlog');
  expect(wrong).toBeNull();
});

/** A channel in a vhost that is not the one of the other tests. */
async function openIn(broker: BrokerProcess, vhost: string): Promise<ConfirmChannel> {
  return (await processes.connect(broker, `/${vhost}`)).createConfirmChannel();
}

test('later starts find the vhost and the user of the first, whatever the settings say', async () => {
  const folder = processes.folder();
  const first = await processes
    .spawn(['--port', '0', '--data-dir', folder], { LEVERET_DEFAULT_VHOST: 'other' })
    .listening();
  const channel = await openIn(first, 'other');
  await channel.assertQueue('kept', { durable: true });
  await publish(channel, 'kept', ['of the other']);
  await first.end('SIGKILL');

  const env = { LEVERET_DEFAULT_USER: 'app', LEVERET_DEFAULT_PASS: 'secret' };
  const last = await processes.spawn(['--port', '0', '--data-dir', folder], env).listening();
  expect(await drain(await openIn(last, 'other'), 'kept')).toEqual(['of the other']);
  await expect(connect(last.url)).rejects.toThrow('ConnectionClose');
  await expect(connect(last.url.replace('guest:guest', 'app:secret'))).rejects.toThrow('403');
});
