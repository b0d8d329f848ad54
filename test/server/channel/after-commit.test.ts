// Owns the tests of queues that deliver after the commit, as clients see them while the disk holds things up.

import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../../support/amqp.ts';
import { type TestServer, useServers } from '../support.ts';

const start = useServers();
const connections: ChannelModel[] = [];
afterEach(async () => {
  for (const each of connections.splice(0)) await each.close();
});

const AFTER = { durable: true, arguments: { 'x-deliver-after-commit': true } };

/** A broker with two such queues of one fan-out, and the bodies that the consumers of all queues were given. */
async function fanOut() {
  const server = await start();
  const { host, port } = server.endpoint;
  const connection = await connect(`amqp://guest:guest@${host}:${port}`);
  connections.push(connection);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('both', 'fanout');
  for (const queue of ['a', 'b']) {
    await channel.assertQueue(queue, AFTER);
    await channel.bindQueue(queue, 'both', '');
  }
  await channel.assertQueue('sign', { durable: false });
  const seen: string[] = [];
  const consume = async (queue: string, noAck = false): Promise<void> => {
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return;
        seen.push(`${queue}: ${message.content}`);
        if (!noAck) channel.ack(message);
      },
      { noAck },
    );
  };
  await consume('sign', true);
  return { server, connection, channel, seen, consume };
}

/** Waits until what came before has had its turns: a message that waits for nothing has come. */
async function signed(channel: Channel, seen: string[], word: string): Promise<void> {
  channel.sendToQueue('sign', Buffer.from(word));
  await eventually(() => seen.includes(`sign: ${word}`));
}

function queueOf(server: TestServer, name: string) {
  const queue = server.server.broker.vhost('/').queues.get(name);
  if (queue === undefined || queue.isStream) throw new Error(`no queue ${name}`);
  return queue;
}

test.each([[false], [true]])(
  'consumers see nothing that the disk has not, and all once it has (no ack: %s)',
  async (noAck) => {
    const { server, channel, seen, consume } = await fanOut();
    await consume('a', noAck);
    server.stickDisk();
    let confirmed = 0;
    for (const body of ['1', '2']) {
      channel.publish('both', '', Buffer.from(body), { persistent: true }, () => {
        confirmed += 1;
      });
    }
    await signed(channel, seen, 'held');
    expect(seen).toEqual(['sign: held']);
    expect([queueOf(server, 'a').readyCount, confirmed]).toEqual([2, 0]);
    server.unstickDisk();
    await eventually(() => seen.length === 3 && confirmed === 2);
    expect(seen).toEqual(['sign: held', 'a: 1', 'a: 2']);
    await consume('b');
    await eventually(() => seen.length === 5);
    expect(seen.slice(3)).toEqual(['b: 1', 'b: 2']);
  },
);

test('a consumer that waits without any confirm gets it as soon as a batch is written', async () => {
  const { connection, channel, seen, consume } = await fanOut();
  await consume('a');
  const plain = await connection.createChannel();
  for (let n = 0; n < 20; n++) {
    plain.publish('both', '', Buffer.from(`${n}`), { persistent: true });
    await eventually(() => seen.length === n + 1);
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => `a: ${n}`));
  await signed(channel, seen, 'end');
});

test('a client that asks for it, and a commit, wait for the disk as well', async () => {
  const { server, channel } = await fanOut();
  const raw = await server.open();
  await raw.call(1, 'tx.select');
  server.stickDisk();
  raw.publish(1, { exchange: 'both' }, { deliveryMode: 2 }, Buffer.from('of a commit'));
  raw.send(1, 'tx.commit');
  await eventually(() => queueOf(server, 'a').readyCount === 1);
  let got = '';
  const asked = channel.get('a', { noAck: true }).then((message) => {
    got = message === false ? 'nothing' : String(message.content);
  });
  await eventually(() => queueOf(server, 'a').waitsForMark);
  expect([got, queueOf(server, 'a').readyCount]).toEqual(['', 1]);
  server.unstickDisk();
  await asked;
  expect(got).toBe('of a commit');
  expect((await raw.next(1)).name).toBe('tx.commit-ok');
});
