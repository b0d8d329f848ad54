import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import type { ChannelModel } from 'amqplib';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { BrokerProcess, useProcesses } from './support.ts';

const processes = useProcesses();

/** Publishes until the connection ends; says what was confirmed. */
async function publishOn(broker: BrokerProcess, queue: string, confirmed: string[]) {
  const model = await processes.connect(broker);
  const channel = await model.createConfirmChannel();
  channel.on('error', () => undefined);
  await channel.assertQueue(queue, { durable: true });
  const closed = closeOf(model);
  let open = true;
  void closed.then(() => {
    open = false;
  });
  const publish = async (): Promise<void> => {
    for (let number = 0; open; number++) {
      const body = `${queue} ${number}`;
      const sent = (error: unknown): void => {
        if (error === null) confirmed.push(body);
      };
      try {
        channel.sendToQueue(queue, Buffer.from(body), { persistent: true }, sent);
      } catch {
        return;
      }
      if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { closed, published: publish() };
}

async function consumeOn(broker: BrokerProcess, queue: string, consumed: string[]) {
  const model = await processes.connect(broker);
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.assertQueue(queue, { durable: true });
  await channel.prefetch(50);
  const closed = closeOf(model);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    consumed.push(message.content.toString());
    try {
      channel.ack(message);
    } catch {
      // The channel closed with the connection.
    }
  });
  return { closed };
}

/** The code and text that the connection ended with. */
function closeOf(model: ChannelModel): Promise<{ code?: number; message?: string }> {
  return new Promise((resolve) => model.once('close', (error) => resolve(error ?? {})));
}

async function contentOf(broker: BrokerProcess, queue: string): Promise<string[]> {
  const channel = await processes.channel(broker);
  const { messageCount } = await channel.checkQueue(queue);
  const bodies: string[] = [];
  await channel.consume(queue, (message) => bodies.push(String(message?.content)), { noAck: true });
  await eventually(() => bodies.length >= messageCount, `the content of ${queue}`);
  return bodies;
}

test('SIGTERM under load tells every connection 320, ends with 0, and loses nothing confirmed', async () => {
  const folder = processes.folder();
  const broker = await processes.start(folder);
  const confirmed: Record<string, string[]> = { a: [], b: [], shared: [] };
  const consumed: string[] = [];
  const clients = [
    await publishOn(broker, 'a', confirmed['a'] as string[]),
    await publishOn(broker, 'b', confirmed['b'] as string[]),
    await publishOn(broker, 'shared', confirmed['shared'] as string[]),
    await consumeOn(broker, 'shared', consumed),
    await consumeOn(broker, 'shared', consumed),
    { closed: closeOf(await processes.connect(broker)) },
  ];
  await eventually(() => Object.values(confirmed).every((bodies) => bodies.length > 200));
  const ended = await broker.end('SIGTERM');
  expect(ended).toEqual({ code: 0, signal: null });
  for (const { closed } of clients) {
    expect(await closed).toMatchObject({
      code: 320,
      message: expect.stringContaining(
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
      ),
    });
  }
  expect(broker.said('stopped')).toBe(true);
  expect(broker.stderr).toBe('');

  const again = await processes.start(folder);
  for (const queue of ['a', 'b', 'shared']) {
    const found = new Set(await contentOf(again, queue));
    for (const body of consumed) found.add(body);
    const missing = (confirmed[queue] as string[]).filter((body) => !found.has(body));
    expect(missing, queue).toEqual([]);
    expect((confirmed[queue] as string[]).length, queue).toBeGreaterThan(200);
  }
  const counts = Object.values(confirmed).map((bodies) => bodies.length);
  console.log(`confirmed ${counts}, consumed ${consumed.length}`);
});

test('nothing that a stopped broker kept is there twice', async () => {
  const folder = processes.folder();
  const broker = await processes.start(folder);
  const confirmed: string[] = [];
  await publishOn(broker, 'once', confirmed);
  await eventually(() => confirmed.length > 0);
  await broker.end('SIGTERM');
  const found = await contentOf(await processes.start(folder), 'once');
  expect(new Set(found).size).toBe(found.length);
  expect(found.map((body) => Number(body.split(' ')[1]))).toEqual(found.map((_, i) => i));
});

/** A connection that does not answer connection.close. */
async function deafClient(broker: BrokerProcess): Promise<RawConnection> {
  const { port } = broker;
  const endpoint = { host: '127.0.0.1', port, user: 'guest', password: 'guest', vhost: '/' };
  const raw = await RawConnection.dial(endpoint);
  await raw.open();
  return raw;
}

/** A stop that two clients do not answer: it takes its time, so it runs beside the other tests. */
async function unansweredStop() {
  const broker = new BrokerProcess(['--port', '0', '--memory'], {}, tmpdir(), {});
  await broker.listening();
  const deaf = await deafClient(broker);
  const silent = connectSocket({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  // It is killed unless it ends by itself.
  const ended = await broker.end('SIGTERM');
  silent.destroy();
  return { ended, last: (await deaf.next()).name };
}

let unanswered: ReturnType<typeof unansweredStop>;

beforeAll(() => {
  unanswered = unansweredStop();
  // It is looked at in a test; until then nobody is to mind.
  unanswered.catch(() => undefined);
});

test('a second SIGTERM ends a stop at once', async () => {
  const broker = await processes.start(processes.folder());
  const deaf = await deafClient(broker);
  broker.signal('SIGTERM');
  expect(await deaf.next()).toMatchObject({ name: 'connection.close', replyCode: 320 });
  await eventually(() => broker.said('stopping'));
  expect(await broker.end('SIGTERM')).toEqual({ code: 143, signal: null });
});

test('a broker that stops takes no new connections', async () => {
  const broker = await processes.start(processes.folder());
  const deaf = await deafClient(broker);
  broker.signal('SIGTERM');
  await deaf.next();
  const refused = await new Promise((resolve) => {
    const socket = connectSocket(broker.port, '127.0.0.1');
    socket.once('error', resolve);
    socket.once('connect', () => resolve(null));
  });
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  deaf.drop();
  expect(await broker.ended).toEqual({ code: 0, signal: null });
});

test('clients that do not answer hold up a stop for some seconds only', async () => {
  const { ended, last } = await unanswered;
  expect(ended).toEqual({ code: 0, signal: null });
  expect(last).toBe('connection.close');
});
