// What the HTTP API shows of clients, and what it can do beyond RabbitMQ's.

import { randomBytes } from 'node:crypto';
import { AMQPWebSocketClient } from '@cloudamqp/amqp-client';
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { PROTOCOL_HEADER } from '../../src/amqp/constants.ts';
import { type Api, startApi, until } from './support.ts';

let api: Api;
const clients: ChannelModel[] = [];

beforeAll(async () => {
  api = await startApi();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
});
afterAll(() => api.close());

async function client(): Promise<ChannelModel> {
  const made = await connect(api.amqpUrl, {
    clientProperties: { connection_name: '<b>me</b>' },
  });
  made.on('error', () => {});
  clients.push(made);
  return made;
}

async function get<T>(path: string): Promise<T> {
  const answer = await api.call('GET', path);
  expect(`${path}: ${answer.status}`).toBe(`${path}: 200`);
  return answer.json as T;
}

const newQueue = async (args: object = {}): Promise<string> => {
  const name = `q-${randomBytes(4).toString('hex')}`;
  await api.call('PUT', `/queues/%2F/${name}`, { durable: true, arguments: args });
  return name;
};

test('a connection is shown with its channels and consumers, and closed with a reason', async () => {
  const connection = await client();
  const channel = await connection.createConfirmChannel();
  const queue = await newQueue();
  await channel.prefetch(7);
  await channel.consume(queue, () => {}, { consumerTag: 'tag' });
  await channel.sendToQueue(queue, Buffer.from('x'));
  await channel.waitForConfirms();
  const [shown] = await get<{ name: string }[]>('/connections');
  expect(shown).toMatchObject({
    user: 'guest',
    vhost: '/',
    state: 'running',
    channels: 1,
    protocol: 'AMQP 0-9-1',
    ssl: false,
    auth_mechanism: 'PLAIN',
    user_provided_name: '<b>me</b>',
    user_who_performed_action: 'guest',
    peer_cert_subject: null,
    client_properties: { connection_name: '<b>me</b>' },
  });
  expect(shown?.name).toMatch(/^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+$/);
  const name = encodeURIComponent(shown?.name ?? '');
  expect(await get(`/connections/${name}/channels`)).toMatchObject([
    {
      number: 1,
      confirm: true,
      transactional: false,
      consumer_count: 1,
      prefetch_count: 7,
      messages_unacknowledged: 1,
      messages_unconfirmed: 0,
      message_stats: { publish: 1, confirm: 1, deliver: 1, deliver_get: 1 },
    },
  ]);
  expect(await get(`/channels/${encodeURIComponent(`${shown?.name} (1)`)}`)).toMatchObject({
    number: 1,
    consumer_details: [{ consumer_tag: 'tag' }],
  });
  expect(await get(`/connections/${name}`)).toMatchObject({ name: shown?.name, channels: 1 });
  expect(await get('/consumers')).toMatchObject([
    {
      consumer_tag: 'tag',
      ack_required: true,
      prefetch_count: 7,
      active: true,
      queue: { name: queue, vhost: '/' },
      channel_details: { number: 1, user: 'guest' },
    },
  ]);
  expect(await get(`/queues/%2F/${queue}`)).toMatchObject({
    consumers: 1,
    messages_unacknowledged: 1,
    message_bytes_unacknowledged: 1,
    consumer_details: [{ consumer_tag: 'tag' }],
    message_stats: { publish: 1, deliver: 1 },
  });
  const closed = new Promise<Error>((resolve) => connection.once('close', resolve));
  const gone = await api.call('DELETE', `/connections/${name}`, undefined, undefined, {
    'x-reason': 'for a test',
  });
  expect(gone.status).toBe(204);
  expect((await closed).message).toContain('320');
  await until(async () => (await get<object[]>('/connections')).length === 0);
  const { closed: list } = await get<{ closed: object[] }>('/closed');
  expect(list[0]).toMatchObject({
    kind: 'connection',
    by: 'broker',
    code: 320,
    text: 'CONNECTION_FORCED - for a test',
    user: 'guest',
    user_provided_name: '<b>me</b>',
  });
});

test('who made a mistake is told in plain words what to do', async () => {
  const connection = await client();
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const queue = await newQueue();
  await expect(channel.assertQueue(queue, { durable: false })).rejects.toThrow('406');
  const { closed } = await get<{ closed: { advice: string }[] }>('/closed');
  expect(closed[0]).toMatchObject({
    kind: 'channel',
    channel: 1,
    by: 'broker',
    code: 406,
    method: 'queue.declare',
    user: 'guest',
    vhost: '/',
  });
  expect(closed[0]?.advice).toContain('Declare it with the same ones');
});

/** All messages that a query finds, page by page. */
async function browse(queue: string, query: string): Promise<{ payload: string }[]> {
  const found: { payload: string }[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { messages: { payload: string }[]; next_cursor: string | null } = await get(
      `/queues/%2F/${queue}/messages?${query}&cursor=${cursor}`,
    );
    found.push(...page.messages);
    cursor = page.next_cursor;
  }
  return found;
}

test('messages are browsed without being delivered, with a cursor and filters', async () => {
  const queue = await newQueue();
  const connection = await client();
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < 600; n++) {
    channel.publish('amq.fanout', '', Buffer.from('elsewhere'));
    channel.sendToQueue(queue, Buffer.from(`m${n}`), {
      persistent: n % 2 === 0,
      headers: { parity: n % 2, n },
    });
  }
  await channel.waitForConfirms();
  const all = await browse(queue, 'count=250');
  expect(all.map(({ payload }) => payload)).toEqual(Array.from({ length: 600 }, (_, n) => `m${n}`));
  expect(await browse(queue, 'header=parity:1&count=1000')).toHaveLength(300);
  expect(await browse(queue, `key=${queue.slice(0, 4)}*&header=n:7`)).toMatchObject([
    { payload: 'm7', properties: { headers: { n: 7 } } },
  ]);
  expect(await browse(queue, 'key=other*')).toEqual([]);
  const got = await channel.get(queue, { noAck: false });
  expect(got).toMatchObject({ fields: { redelivered: false } });
  const first: { messages: object[] } = await get(`/queues/%2F/${queue}/messages?count=2`);
  expect(first.messages).toMatchObject([
    { seq: 0, state: 'unacked', payload: 'm0' },
    { seq: 1, state: 'ready', payload: 'm1' },
  ]);
  expect((await api.call('GET', `/queues/%2F/${queue}/messages?cursor=nope`)).status).toBe(400);
});

test('dead letters go back to where they died, as they were', async () => {
  const dead = await newQueue();
  const queue = await newQueue({
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await api.call('POST', `/bindings/%2F/e/amq.topic/q/${queue}`, { routing_key: 'jobs.#' });
  const connection = await client();
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < 10; n++) {
    channel.publish('amq.topic', `jobs.${n}`, Buffer.from(`j${n}`), {
      persistent: true,
      headers: { even: n % 2 === 0 },
    });
  }
  await channel.waitForConfirms();
  for (let n = 0; n < 10; n++) {
    const message = await channel.get(queue);
    if (message !== false) channel.nack(message, false, false);
  }
  await until(async () => (await get<{ messages: number }>(`/queues/%2F/${dead}`)).messages === 10);
  const [letter] = await browse(dead, 'count=1');
  expect(letter).toMatchObject({
    payload: 'j0',
    last_death: {
      reason: 'rejected',
      queue,
      exchange: 'amq.topic',
      routing_key: 'jobs.0',
      count: 1,
    },
  });
  const redrive = `/queues/%2F/${dead}/redrive`;
  const some = await api.call('POST', redrive, { header: 'even:true', count: 3 });
  expect(some.json).toEqual({
    moved: 3,
    stuck: 0,
    stuck_reasons: { not_dead_letter: 0, no_queue: 0, refused: 0 },
    left: 7,
    next_cursor: expect.any(String),
  });
  const rest = await api.call('POST', redrive, { header: 'even:true', rate: 1000 });
  expect(rest.json).toMatchObject({ moved: 2, left: 5, next_cursor: null });
  const back = await channel.get(queue, { noAck: true });
  expect(back).toMatchObject({
    fields: { exchange: 'amq.topic', routingKey: 'jobs.0', redelivered: false },
    properties: { headers: { 'x-first-death-queue': queue, even: true } },
  });
  const other = await newQueue();
  const moved = await api.call('POST', redrive, { to: other });
  expect(moved.json).toMatchObject({ moved: 5, left: 0 });
  expect(await get(`/queues/%2F/${other}`)).toMatchObject({ messages: 5, messages_persistent: 5 });
  const stuck = await api.call('POST', `/queues/%2F/${other}/redrive`, { to: other });
  expect(stuck.json).toMatchObject({ moved: 0, stuck: 5, left: 5, stuck_reasons: { no_queue: 5 } });
});

test('what never died is not moved back anywhere, and the answer says why', async () => {
  const channel = await (await client()).createConfirmChannel();
  const queue = await newQueue();
  channel.sendToQueue(queue, Buffer.from('x'));
  await channel.waitForConfirms();
  expect(await browse(queue, '')).toMatchObject([{ payload: 'x', last_death: null }]);
  const { json } = await api.call('POST', `/queues/%2F/${queue}/redrive`, {});
  const stuck_reasons = { not_dead_letter: 1, no_queue: 0, refused: 0 };
  expect(json).toEqual({ moved: 0, stuck: 1, stuck_reasons, left: 1, next_cursor: null });
});

test('a machine on which time flies shows as many messages as were asked for, and says why it stopped', async () => {
  // Each of some looks at the clock takes longer than a turn may; with all of them nothing would ever be answered.
  let looks = 0;
  let flownMs = 0;
  const clock = {
    wallMs: () => Date.now(),
    monotonicMs: () => {
      looks -= 1;
      if (looks >= 0) flownMs += 11;
      return performance.now() + flownMs;
    },
  };
  const slow = await startApi({}, { clock, access: {}, prepare: () => {} });
  try {
    await slow.call('PUT', '/queues/%2F/q', { durable: true });
    for (let n = 0; n < 4; n++) {
      const body = { routing_key: 'q', payload: 'x', payload_encoding: 'string', properties: {} };
      await slow.call('POST', '/exchanges/%2F/amq.default/publish', body);
    }
    const asked = async (query: string): Promise<unknown> => {
      looks = 40;
      return (await slow.call('GET', `/queues/%2F/q/messages?${query}`)).json;
    };
    expect(await asked('count=9')).toMatchObject({ scanned: 4, stopped_by: 'end' });
    expect(await asked('count=3')).toMatchObject({ scanned: 3, stopped_by: 'count' });
    expect(await asked('count=9&key=none')).toMatchObject({ messages: [], stopped_by: 'end' });
  } finally {
    await slow.close();
  }
});

test('a queue tells the age of its oldest message, and how long deliveries and acks take', async () => {
  const queue = await newQueue();
  const connection = await client();
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue(queue, Buffer.from('x'));
  await channel.waitForConfirms();
  type Shown = { oldest_message_age_ms: number | null; latency: object | null };
  const waiting: Shown = await get(`/queues/%2F/${queue}`);
  expect(waiting.oldest_message_age_ms).toBeGreaterThanOrEqual(0);
  expect(waiting.latency).toBeNull();
  const message = await channel.get(queue);
  if (message !== false) channel.ack(message);
  await until(async () => (await get<{ messages: number }>(`/queues/%2F/${queue}`)).messages === 0);
  const done: Shown = await get(`/queues/%2F/${queue}`);
  expect(done.oldest_message_age_ms).toBeNull();
  expect(done.latency).toMatchObject({
    enqueue_to_deliver: { count: 1 },
    deliver_to_ack: { count: 1 },
  });
});

test('the queue whose messages wait longest is found by sorting', async () => {
  const connection = await client();
  const channel = await connection.createConfirmChannel();
  const names: string[] = [];
  for (let n = 0; n < 3; n++) {
    const name = await newQueue();
    names.push(name);
    channel.sendToQueue(name, Buffer.from('x'));
    await channel.waitForConfirms();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const empty = await newQueue();
  const path = '/queues/%2F?page=1&page_size=500&sort=oldest_message_age_ms&columns=name';
  const order = async (query: string): Promise<string[]> => {
    const { items } = await get<{ items: { name: string }[] }>(path + query);
    const ours = new Set([...names, empty]);
    return items.map(({ name }) => name).filter((name) => ours.has(name));
  };
  expect(await order('&sort_reverse=true')).toEqual([...names, empty]);
  expect(await order('')).toEqual([empty, ...names.reverse()]);
});

test('a client connects over WebSocket, and is one of the connections', async () => {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/ws/amqp`, 'amqp');
  const greeting = new Promise<Buffer>((resolve, reject) => {
    socket.once('message', (bytes: Buffer) => resolve(bytes));
    socket.once('error', reject);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(PROTOCOL_HEADER);
  const start = await greeting;
  // A method frame on channel 0: connection.start.
  expect([start[0], start.readUInt16BE(7), start.readUInt16BE(9)]).toEqual([1, 10, 10]);
  expect(await get('/connections')).toMatchObject([{ state: 'starting' }]);
  socket.close();
  await until(async () => (await get<object[]>('/connections')).length === 0);
  const elsewhere = new WebSocket(`${api.url.replace('http', 'ws')}/elsewhere`);
  await expect(new Promise((_, reject) => elsewhere.once('error', reject))).rejects.toThrow('404');
});

test('the library that browsers use publishes and consumes over WebSocket', async () => {
  vi.stubGlobal('WebSocket', WebSocket);
  const url = `${api.url.replace('http', 'ws')}/ws/amqp`;
  const connection = await new AMQPWebSocketClient(url, '/', 'guest', 'guest').connect();
  const channel = await connection.channel();
  await channel.queueDeclare('from a page', { durable: true });
  await channel.confirmSelect();
  const large = 'x'.repeat(300_000);
  for (const body of ['hello', large]) {
    await channel.basicPublish('', 'from a page', body, { deliveryMode: 2 });
  }
  const got: (string | null)[] = [];
  await new Promise<void>((resolve) => {
    void channel.basicConsume('from a page', { noAck: false }, (message) => {
      got.push(message.bodyString());
      void message.ack();
      if (got.length === 2) resolve();
    });
  });
  expect(got).toEqual(['hello', large]);
  expect(await get('/connections')).toMatchObject([{ user: 'guest', state: 'running' }]);
  await connection.close();
  await until(async () => (await get<object[]>('/connections')).length === 0);
  vi.unstubAllGlobals();
});

test('health checks need a login, unless a setting opens them to probes', async () => {
  const refused = await api.call('GET', '/health/checks/port-listener/1', undefined, '');
  expect(refused.status).toBe(401);
  expect(refused.text).not.toContain('ports');
  const open = await startApi({ managementOpenProbes: true });
  try {
    const answer = await open.call('GET', '/health/checks/alarms', undefined, '');
    expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }]);
    for (const path of ['/vhosts', '/healthchecks/node', '/aliveness-test/%2F']) {
      expect((await open.call('GET', path, undefined, '')).status).toBe(401);
    }
  } finally {
    await open.close();
  }
});

test('a test of being alive sends a message with the rights of the user', async () => {
  expect((await api.call('GET', '/aliveness-test/%2F')).json).toEqual({ status: 'ok' });
  const queue = await api.call('GET', '/queues/%2F/aliveness-test');
  expect(queue.json).toMatchObject({ messages: 0, durable: false });
  await api.call('DELETE', '/queues/%2F/aliveness-test');
});

test('a body that is too large is refused, and pages may run nothing but their own scripts', async () => {
  const small = await startApi({ managementBodyBytesMax: 2048 });
  try {
    const answer = await small.call('POST', '/definitions', { x: 'y'.repeat(4000) });
    expect([answer.status, answer.json]).toMatchObject([
      413,
      { reason: expect.stringContaining('management.http.max_body_size') },
    ]);
    const allowed = answer.headers.get('content-security-policy');
    expect(allowed).toContain("default-src 'self'");
    expect(allowed, 'the address of no other machine').not.toMatch(/https?:|wss?:|\*/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  } finally {
    await small.close();
  }
});

test('rates are of what happened between two looks', async () => {
  const fast = await startApi({ statisticsIntervalMs: 100 });
  try {
    await fast.call('GET', '/overview');
    await fast.call('PUT', '/queues/%2F/q', {});
    const message = { routing_key: 'q', payload: '', payload_encoding: 'string', properties: {} };
    await until(async () => {
      await fast.call('POST', '/exchanges/%2F/amq.default/publish', message);
      const { json } = await fast.call('GET', '/overview');
      const { message_stats: stats } = json as {
        message_stats: { publish_details?: { rate: number } };
      };
      return (stats.publish_details?.rate ?? 0) > 0;
    });
    const { json } = await fast.call('GET', '/queues/%2F/q');
    expect(json).toMatchObject({
      message_stats: { publish_details: { rate: expect.any(Number) }, redeliver: 0, ack: 0 },
    });
    const since = async (): Promise<string> => {
      const { json: queue } = await fast.call('GET', '/queues/%2F/q');
      return (queue as { idle_since?: string }).idle_since ?? '';
    };
    await until(async () => (await since()) !== '');
    expect(Date.now() - Date.parse(await since())).toBeLessThan(60_000);
    await fast.call('POST', '/exchanges/%2F/amq.default/publish', message);
    await until(async () => (await since()) === '');
  } finally {
    await fast.close();
  }
});

test('a paused queue gives nothing to clients, is shown as paused, and goes on where it is resumed', async () => {
  const channel = await (await client()).createConfirmChannel();
  const queue = await newQueue();
  const given: string[] = [];
  await channel.consume(queue, (message) => given.push(String(message?.content)), { noAck: true });
  const state = async (): Promise<unknown> =>
    (await get<{ state: string }>(`/queues/%2F/${queue}`)).state;
  expect(await state()).toBe('running');
  for (let twice = 0; twice < 2; twice++) {
    expect((await api.call('PUT', `/queues/%2F/${queue}/pause`)).status).toBe(204);
  }
  expect(await state()).toBe('paused');
  channel.sendToQueue(queue, Buffer.from('one'), { persistent: true });
  channel.sendToQueue(queue, Buffer.from('two'));
  await channel.waitForConfirms();
  expect(await channel.get(queue)).toBe(false);
  const { json } = await api.call('POST', `/queues/%2F/${queue}/get`, {
    count: 1,
    ackmode: 'ack_requeue_false',
    encoding: 'auto',
  });
  expect(json).toMatchObject([{ payload: 'one', message_count: 1 }]);
  expect(given).toEqual([]);
  expect((await api.call('PUT', `/queues/%2F/${queue}/resume`)).status).toBe(204);
  await until(async () => given.length === 1);
  expect(given).toEqual(['two']);
  expect(await state()).toBe('running');
  expect((await api.call('PUT', '/queues/%2F/none/pause')).status).toBe(404);
});

test('a publish over HTTP has no deliveries to ack, and says so', async () => {
  const queue = await newQueue();
  const answer = await api.call('POST', '/exchanges/%2F/amq.default/publish', {
    properties: { headers: { 'x-ack-delivery-tag': 1 } },
    routing_key: queue,
    payload: 'x',
    payload_encoding: 'string',
  });
  expect(answer.status).toBe(400);
  expect(answer.json).toMatchObject({
    reason: expect.stringContaining('only a publish on a channel that has deliveries can ack them'),
  });
  expect(await get(`/queues/%2F/${queue}`)).toMatchObject({ messages: 0 });
});
