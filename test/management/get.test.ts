// Getting large messages over HTTP: the answer is bounded, and only what reached the peer is settled.

import { connect as dial } from 'node:net';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi, until } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const BODY = Buffer.alloc(512 * 1024, 'x');
const ASKED = { ackmode: 'ack_requeue_false', count: 10_000, encoding: 'auto' };

/** Makes a queue with some large messages. */
async function fill(queue: string, count: number): Promise<void> {
  const connection = await connect(api.amqpUrl);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  for (let n = 0; n < count; n++) channel.sendToQueue(queue, BODY);
  await channel.waitForConfirms();
  await connection.close();
}

async function counts(queue: string): Promise<unknown> {
  const { json } = await api.call('GET', `/queues/%2F/${queue}`);
  const { messages_ready: ready, messages_unacknowledged: unacked } = json as {
    messages_ready: number;
    messages_unacknowledged: number;
  };
  return { ready, unacked };
}

test('one answer has some MiB of messages, and the others stay in the queue', async () => {
  await fill('much', 60);
  const { status, json } = await api.call('POST', '/queues/%2F/much/get', ASKED);
  const got = json as { payload: string }[];
  expect(status).toBe(200);
  expect(got.length).toBeGreaterThan(20);
  expect(got.length).toBeLessThan(40);
  expect(got.every(({ payload }) => payload.length === BODY.length)).toBe(true);
  await until(async () => {
    const { ready, unacked } = (await counts('much')) as { ready: number; unacked: number };
    return ready === 60 - got.length && unacked === 0;
  });
});

test('what a peer does not take comes back to the queue', async () => {
  await fill('cut', 30);
  const body = JSON.stringify(ASKED);
  const login = Buffer.from('guest:guest').toString('base64');
  const socket = dial(Number(new URL(api.url).port), '127.0.0.1');
  socket.write(
    `POST /api/queues/%2F/cut/get HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic ${login}\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  // The answer has begun, and is not read further.
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  expect(await counts('cut')).toEqual({ ready: 0, unacked: 30 });
  socket.destroy();
  await until(async () => ((await counts('cut')) as { ready: number }).ready === 30);
  expect(await counts('cut')).toEqual({ ready: 30, unacked: 0 });
});

test('a message that is got says how often it came before, in a quorum queue also that it never did', async () => {
  const got = async (queue: string): Promise<unknown> => {
    const asked = { ackmode: 'ack_requeue_true', count: 1, encoding: 'auto' };
    const { json } = await api.call('POST', `/queues/%2F/${queue}/get`, asked);
    await until(async () => ((await counts(queue)) as { unacked: number }).unacked === 0);
    return (json as { properties: { headers?: unknown } }[])[0]?.properties.headers;
  };
  const publish = async (queue: string, type: string): Promise<void> => {
    const traits = { durable: true, arguments: { 'x-queue-type': type } };
    await api.call('PUT', `/queues/%2F/${queue}`, traits);
    await api.call('POST', '/exchanges/%2F/amq.default/publish', {
      routing_key: queue,
      payload: 'm',
      payload_encoding: 'string',
      properties: { headers: { mine: 1 } },
    });
  };
  await publish('counted', 'quorum');
  const counted = (n: number) => ({ mine: 1, 'x-delivery-count': n, 'x-acquired-count': n });
  expect(await got('counted')).toEqual(counted(0));
  expect(await got('counted')).toEqual(counted(1));
  expect(await got('counted')).toEqual(counted(2));
  await publish('uncounted', 'classic');
  expect(await got('uncounted')).toEqual({ mine: 1 });
  expect(await got('uncounted')).toEqual(counted(1));
});
