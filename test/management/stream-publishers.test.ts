// Who publishes to a stream under a name, over HTTP: the last id of one, and all of them page by page.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

const PATH = '/queues/%2F/log';

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', PATH, { durable: true, arguments: { 'x-queue-type': 'stream' } });
  await api.call('PUT', '/queues/%2F/jobs', { durable: true });
});
afterAll(() => api.close());

interface Claim {
  readonly name: string;
  readonly id: number;
}

async function publish(...claims: readonly Claim[]): Promise<void> {
  const connection = await connect(api.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const { name, id } of claims) {
    const headers = { 'x-stream-publisher': name, 'x-stream-publishing-id': id };
    channel.sendToQueue('log', Buffer.from('x'), { headers });
  }
  await channel.waitForConfirms();
  await connection.close();
}

const get = (path: string) => api.call('GET', `${PATH}/publishers${path}`);

test('the last id of a publisher is told, and that there is none', async () => {
  await publish({ name: 'a/b', id: 3 }, { name: 'a/b', id: 12 }, { name: 'a/b', id: 5 });
  await publish({ name: 'zero', id: 0 });
  expect((await get('/a%2Fb')).json).toEqual({ publisher: 'a/b', last_id: 12 });
  expect((await get('/zero')).json).toEqual({ publisher: 'zero', last_id: 0 });
  expect(await get('/other')).toMatchObject({
    status: 404,
    json: { reason: "no publisher 'other' has an id in stream 'log'" },
  });
  expect((await api.call('GET', '/queues/%2F/jobs/publishers/a')).status).toBe(400);
  expect((await api.call('GET', '/queues/%2F/none/publishers/a')).status).toBe(404);
});

test('publishers are listed from one name on to the next, and the last ids are those of now', async () => {
  const names = ['p-1', 'p-10', 'p-2', 'p-3', 'p-\u00e9'];
  await publish(...names.map((name, id) => ({ name, id })));
  await publish({ name: 'p-10', id: 9 });
  const listed: unknown[] = [];
  for (let after: string | null = 'p-'; after !== null; ) {
    const page = await get(`?count=2&after=${encodeURIComponent(after)}`);
    const { publishers, next } = page.json as { publishers: unknown[]; next: string | null };
    expect(publishers.length).toBeLessThanOrEqual(2);
    listed.push(...publishers);
    after = next;
  }
  // There is one more behind them.
  expect(listed.slice(0, 5)).toEqual(
    names.map((publisher, id) => ({ publisher, last_id: publisher === 'p-10' ? 9 : id })),
  );
  const all = (await get('')).json as { publishers: { publisher: string }[]; next: null };
  expect(all.next).toBeNull();
  expect(all.publishers.map(({ publisher }) => publisher)).toEqual(['a/b', ...names, 'zero']);
});

test('a stream that nothing was published to under a name has none', async () => {
  await api.call('PUT', '/queues/%2F/quiet', {
    durable: true,
    arguments: { 'x-queue-type': 'stream' },
  });
  const { json } = await api.call('GET', '/queues/%2F/quiet/publishers');
  expect(json).toEqual({ publishers: [], next: null });
});

test('a count that is none is refused', async () => {
  for (const count of ['many', '-1']) expect((await get(`?count=${count}`)).status).toBe(400);
});
