// Looking into a stream over HTTP: from an offset or a time on, by filter values, page by page.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

const PATH = '/queues/%2F/log';

interface Page {
  readonly messages: {
    readonly offset: number;
    readonly payload: string;
    readonly arrived_at: number;
  }[];
  readonly next_cursor: string | null;
  readonly scanned: number;
  readonly stopped_by: string;
}

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', PATH, { durable: true, arguments: { 'x-queue-type': 'stream' } });
  await api.call('PUT', '/queues/%2F/q', { durable: true });
  const connection = await connect(api.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < 700; n++) {
    const value = n % 100 === 0 ? 'h' : n % 2 === 0 ? 'even' : 'odd';
    const headers = { 'x-stream-filter-value': value };
    channel.sendToQueue('log', Buffer.from(`m${n}`), { headers });
  }
  await channel.waitForConfirms();
  await connection.close();
});
afterAll(() => api.close());

const look = async (query: string): Promise<Page> =>
  (await api.call('GET', `${PATH}/messages?${query}`)).json as Page;
const offsets = async (query: string): Promise<number[]> =>
  (await look(query)).messages.map(({ offset }) => offset);

test('a stream is shown from an offset on, or the last of it', async () => {
  const page = await look('offset=690&count=3');
  expect(page).toMatchObject({ next_cursor: '693', scanned: 3, stopped_by: 'count' });
  expect(page.messages).toMatchObject([
    { offset: 690, seq: 690, payload: 'm690', state: 'ready' },
    { offset: 691 },
    { offset: 692 },
  ]);
  expect(await offsets('offset=-2')).toEqual([698, 699]);
  expect(await offsets('offset=last')).toEqual([699]);
  expect(await offsets('offset=first&count=2')).toEqual([0, 1]);
  expect(await offsets('count=2')).toEqual([0, 1]);
  expect(await offsets('cursor=5&count=2&offset=9')).toEqual([5, 6]);
});

test('a stream is shown by filter values, one or several', async () => {
  expect(await offsets('filter=h')).toEqual([0, 100, 200, 300, 400, 500, 600]);
  expect(await look('filter=h&offset=101&count=2')).toMatchObject({
    scanned: 2,
    next_cursor: '301',
  });
  expect(await offsets('filter=h&filter=odd&offset=99&count=3')).toEqual([99, 100, 101]);
  expect(await look('filter=none')).toMatchObject({ messages: [], scanned: 0, stopped_by: 'end' });
});

test('a stream is shown from a time on', async () => {
  const [first] = (await look('count=1')).messages;
  const ms = first?.arrived_at as number;
  expect(await offsets(`time=${ms}&count=1`)).toEqual([0]);
  expect(await offsets(`time=${new Date(ms).toISOString()}&count=1`)).toEqual([0]);
  expect(await offsets('time=1h&count=1')).toEqual([0]);
  expect(await offsets('time=2999-01-01')).toEqual([]);
});

test.each([
  ['log', 'offset=x'],
  ['log', 'offset=1.5'],
  ['log', 'offset=1&time=1h'],
  ['log', 'time=yesterday'],
  ['log', 'cursor=0.1'],
  ['log', `${'filter=a&'.repeat(256)}`],
  ['q', 'offset=1'],
  ['q', 'filter=a'],
])('what cannot be read is refused: %s?%s', async (queue, query) => {
  const { status } = await api.call('GET', `/queues/%2F/${queue}/messages?${query}`);
  expect(status).toBe(400);
});
