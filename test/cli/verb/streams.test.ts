// The verbs for what reads streams, against a broker with its HTTP API.

import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';
import { runRabbitmqctl } from '../../../src/cli/rabbitmqctl.ts';
import { type Api, startApi, until } from '../../management/support.ts';
import { capture } from '../capture.ts';

let api: Api;
let ended: () => Promise<void>;

beforeAll(async () => {
  api = await startApi();
  const connection = await connect(api.amqpUrl);
  ended = () => connection.close();
  const channel = await connection.createConfirmChannel();
  const durable = { durable: true, arguments: { 'x-queue-type': 'stream' } };
  for (const name of ['log', 'parts-0', 'parts-1']) await channel.assertQueue(name, durable);
  const superStream = { arguments: { 'x-super-stream': true } };
  await channel.assertExchange('parts', 'direct', superStream);
  for (const n of [1, 0]) {
    await channel.bindQueue(`parts-${n}`, 'parts', String(n), { 'x-stream-partition-order': n });
  }
  for (let n = 0; n < 10; n++) channel.sendToQueue('log', Buffer.from('x'));
  const headers = { 'x-stream-publisher': 'a b', 'x-stream-publishing-id': 7 };
  channel.sendToQueue('parts-1', Buffer.from('x'), { headers });
  await channel.waitForConfirms();
  await channel.prefetch(4);
  const args = { 'x-stream-group': 'busy', 'x-stream-offset': 6 };
  let came = 0;
  const take = (): void => {
    came += 1;
  };
  await channel.consume('log', take, { consumerTag: 'tag', arguments: args });
  await until(async () => came === 4);
});
beforeEach(() => {
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await ended();
  await api.close();
});

const leveret = (...args: string[]) =>
  capture(() => buildProgram().parseAsync(['streams', ...args], { from: 'user' }));

/** What a verb prints, the spaces between columns as one. */
async function said(...args: string[]): Promise<string> {
  const { out, err, code } = await leveret(...args);
  expect([err, code]).toEqual(['', 0]);
  return out.replace(/ +/g, ' ');
}

test('groups are listed with their lag, their places set and forgotten', async () => {
  expect(await said('set-place', 'log', 'late', '3')).toBe(
    "Set the place of the group 'late' to 3 in 'log'\n",
  );
  const [head, busy, late] = (await said('groups', 'log')).split('\n');
  expect(head).toBe('queue name offset lag_messages lag_seconds consumers active moved');
  expect(busy).toMatch(/^log busy 6 4 [\d.]+ 1 tag \d{4}-.*Z$/);
  expect(late).toMatch(/^log late 3 7 [\d.]+ 0 \d{4}-.*Z$/);
  for (const [place, offset] of [
    ['next', 10],
    ['1h', 0],
    ['2099-01-01T00:00:00Z', 10],
    ['last', 9],
  ] as const) {
    expect(await said('set-place', 'log', 'late', place)).toContain(`to ${offset} in`);
  }
  expect(await said('set-place', '--', 'log', 'late', '-4')).toContain('to 6 in');
  expect(await said('forget-group', 'log', 'late')).toBe("Forgot the group 'late' in 'log'\n");
  expect(await said('groups', 'log')).not.toContain('late');
});

test('lists of queues have what streams have', async () => {
  const columns = ['name', 'type', 'messages', 'first_offset', 'next_offset', 'groups', 'limits'];
  const leveretList = ['list', 'queues', ...columns, '--name', 'log', '--json'];
  const { out } = await capture(() => buildProgram().parseAsync(leveretList, { from: 'user' }));
  const none = { max_age_ms: null, max_length: null, max_length_bytes: null };
  const shown = { name: 'log', type: 'stream', messages: 10, first_offset: 0, next_offset: 10 };
  expect(JSON.parse(out)).toMatchObject([{ ...shown, limits: none }]);
  const ctl = ['-q', 'list_queues', 'name', 'type', 'leader', 'messages', 'members', 'online'];
  const listed = await capture(() => runRabbitmqctl('rabbitmqctl', ctl));
  expect(listed.out).toMatch(/^log\tstream\t(\S+)\t10\t\[\1\]\t\[\1\]$/m);
});

test('readers are listed with the consumer that is active', async () => {
  const [head, group] = (await said('readers', 'log')).split('\n');
  expect(head).toBe(
    'queue group next_offset offset until_offset lag_messages lag_seconds consumers active',
  );
  expect(group).toMatch(/^log busy 10 6 4 [\d.]+ 1 tag$/);
});

test('of a super stream it is done for each partition, in their order', async () => {
  expect(await said('set-place', 'parts', 'g', 'next')).toBe(
    "Set the place of the group 'g' to 0 in 'parts-0', 1 in 'parts-1'\n",
  );
  const rows = (await said('groups', 'parts')).split('\n').map((line) => line.split(' ')[0]);
  expect(rows).toEqual(['queue', 'parts-0', 'parts-1', '']);
  await said('forget-group', 'parts-0', 'g');
  expect(await said('forget-group', 'parts', 'g')).toBe("Forgot the group 'g' in 'parts-1'\n");
});

test('what cannot be is said', async () => {
  const cases: [string[], string][] = [
    [['set-place', 'log', 'busy', 'first'], "group 'busy' has consumers of stream 'log'"],
    [['set-place', 'log', 'late', 'noon'], 'time must be a time such as'],
    [['groups', 'lag'], "no queue 'lag' in vhost '/'"],
    [['groups', 'amq.topic'], "no queue 'amq.topic' in vhost '/'"],
    [['forget-group', 'log', 'none'], "no group 'none' has a place in stream 'log'"],
    [['forget-group', 'parts', 'none'], "no group 'none' has a place in stream 'parts-1'"],
  ];
  for (const [args, text] of cases) {
    const { err, code } = await leveret(...args);
    expect([args, err, code]).toEqual([args, expect.stringContaining(text), expect.any(Number)]);
    expect(code).not.toBe(0);
  }
});

test('the last id of a publisher is shown, of a super stream where there is one', async () => {
  expect(await said('publisher', 'parts', 'a b')).toBe('queue publisher last_id\nparts-1 a b 7\n');
  const { err, code } = await leveret('publisher', 'log', 'a b');
  expect(err).toContain("no publisher 'a b' has an id in stream 'log'");
  expect(code).not.toBe(0);
});
