// Queues of the type stream over HTTP: declared, refused, listed, and governed by policies that fit them.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type Api, isOracle, startApi, until } from './support.ts';

const RUN = `http-streams-${process.pid}-`;

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.call('DELETE', `/policies/%2F/${RUN}p`);
  const { json } = await api.call('GET', '/queues/%2F?columns=name');
  for (const { name } of json as { name: string }[]) {
    if (name.startsWith(RUN)) await api.call('DELETE', `/queues/%2F/${name}`);
  }
  await api.close();
});

const STREAM = { 'x-queue-type': 'stream' };
const inPlace = (name: string): string => `queue '${RUN}${name}' in vhost '/'`;

/** Declares a durable stream; its name is of this run. */
const put = (name: string, more: object = {}, traits: object = {}): Promise<Answer> =>
  api.call('PUT', `/queues/%2F/${RUN}${name}`, {
    durable: true,
    arguments: { ...STREAM, ...more },
    ...traits,
  });

async function fieldsOf(name: string): Promise<Record<string, unknown>> {
  return (await api.call('GET', `/queues/%2F/${RUN}${name}`)).json as Record<string, unknown>;
}

test('a declaration that a stream does not allow is refused with the words of AMQP', async () => {
  const cases: [object, object, string][] = [
    [{}, { durable: false }, `invalid property 'non-durable' for ${inPlace('bad')}`],
    [{}, { auto_delete: true }, `invalid property 'auto-delete' for ${inPlace('bad')}`],
    [
      { 'x-message-ttl': 5 },
      {},
      `invalid arg 'x-message-ttl' for ${inPlace('bad')} of queue type rabbit_stream_queue`,
    ],
    [{ 'x-max-age': '1X' }, {}, `invalid arg 'x-max-age' for ${inPlace('bad')}: invalid_max_age`],
    [
      { 'x-max-length-bytes': -1 },
      {},
      `invalid arg 'x-max-length-bytes' for ${inPlace('bad')}: {value_negative,-1}`,
    ],
    [
      { 'x-max-age': 5 },
      {},
      `invalid arg 'x-max-age' for ${inPlace('bad')}: {unacceptable_type,long}`,
    ],
    [
      { 'x-stream-max-segment-size-bytes': 3_000_000_001 },
      {},
      'Exceeded max value for x-stream-max-segment-size-bytes',
    ],
  ];
  for (const [more, traits, reason] of cases) {
    const { status, json } = await put('bad', more, traits);
    expect({ status, json }).toEqual({ status: 400, json: { error: 'bad_request', reason } });
  }
});

test('a stream is neither purged nor read as a queue is', async () => {
  await put('kept');
  const purge = await api.call('DELETE', `/queues/%2F/${RUN}kept/contents`);
  expect([purge.status, purge.json]).toEqual([
    400,
    {
      error: 'bad_request',
      reason: `queue.purge not supported by stream queues ${inPlace('kept')}`,
    },
  ]);
  for (const ackmode of ['ack_requeue_true', 'ack_requeue_false']) {
    const asked = { count: 1, ackmode, encoding: 'auto' };
    const got = await api.call('POST', `/queues/%2F/${RUN}kept/get`, asked);
    expect([got.status, got.json]).toEqual([
      400,
      {
        error: 'bad_request',
        reason: `${isOracle ? '540 ' : ''}basic.get not supported by stream queues ${inPlace('kept')}`,
      },
    ]);
  }
});

test('a stream is listed with its type, its members and its readers', async () => {
  await put('listed', { 'x-max-age': '1h' });
  const connection = await connect(api.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(`${RUN}listed`, Buffer.from(body));
  await channel.waitForConfirms();
  await channel.prefetch(2);
  const args = { 'x-stream-offset': 'first' };
  await channel.consume(`${RUN}listed`, () => undefined, {
    consumerTag: 'reader',
    arguments: args,
  });
  // RabbitMQ looks every five seconds.
  await until(async () => {
    const { messages, consumers } = await fieldsOf('listed');
    return messages === 3 && consumers === 1;
  });
  const fields = await fieldsOf('listed');
  expect(fields).toMatchObject({
    type: 'stream',
    durable: true,
    auto_delete: false,
    exclusive: false,
    arguments: { ...STREAM, 'x-max-age': '1h' },
    messages: 3,
    messages_ready: 3,
    // RabbitMQ does not count what its readers were given.
    messages_unacknowledged: isOracle ? 0 : 2,
    policy: null,
    state: 'running',
  });
  const node = fields['node'] as string;
  expect(fields).toMatchObject({ members: [node], online: [node], readers: { [node]: 1 } });
  expect(fields['consumer_details']).toMatchObject([
    {
      consumer_tag: 'reader',
      ack_required: true,
      exclusive: false,
      prefetch_count: 2,
      arguments: args,
    },
  ]);
  await connection.close();
});

test('a policy holds for a stream if a stream knows all its keys', async () => {
  await put('governed');
  const effective = async (definition: object, applyTo = 'queues'): Promise<unknown> => {
    const policy = { pattern: `^${RUN}governed$`, definition, 'apply-to': applyTo };
    await api.call('PUT', `/policies/%2F/${RUN}p`, policy);
    // RabbitMQ looks every five seconds.
    if (isOracle) await new Promise((resolve) => setTimeout(resolve, 6_000));
    const { policy: name, effective_policy_definition: rules } = await fieldsOf('governed');
    return [name, rules];
  };
  const known = {
    'max-age': '7s',
    'max-length-bytes': 500,
    'stream-max-segment-size-bytes': 600,
    'queue-leader-locator': 'balanced',
  };
  const none = [null, {}];
  expect(await effective(known)).toEqual([`${RUN}p`, known]);
  expect(await effective({ 'max-age': '5m' }, 'all')).toEqual([`${RUN}p`, { 'max-age': '5m' }]);
  expect(await effective({ 'max-age': '5m' }, 'exchanges')).toEqual(none);
  expect(await effective({ 'message-ttl': 1000 })).toEqual(none);
  expect(await effective({ ...known, 'message-ttl': 1000 })).toEqual(none);
  expect(await effective({ 'max-age': '5m', overflow: 'drop-head' })).toEqual(none);
}, 120_000);

test('a policy with an odd age, size or place is refused', async () => {
  const cases: [object, string][] = [
    [{ 'max-age': '1X' }, '<<"1X">> is not a valid max age'],
    [{ 'max-age': '0s' }, '<<"0s">> is not a valid max age'],
    [{ 'max-length-bytes': -1 }, '-1 is not a valid maximum length in bytes'],
    [{ 'stream-max-segment-size-bytes': 3_000_000_001 }, '3000000001 is not a valid segment size'],
    [{ 'stream-max-segment-size-bytes': 'a' }, '<<"a">> is not a valid segment size'],
    [{ 'queue-leader-locator': 'odd' }, '<<"odd">> is not a valid queue leader locator value'],
  ];
  for (const [definition, text] of cases) {
    const policy = { pattern: `^${RUN}odd$`, definition, 'apply-to': 'queues' };
    const { status, json } = await api.call('PUT', `/policies/%2F/${RUN}odd`, policy);
    const { reason } = json as { reason: string };
    expect(status, text).toBe(400);
    // RabbitMQ writes for pages.
    const plain = reason.replaceAll('&lt;', '<').replaceAll('&gt;', '>');
    expect(plain).toBe(`Validation failed\n\n${text}\n`);
  }
});
