// The verbs for super streams, leveret's and RabbitMQ's, against a broker with its HTTP API.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';
import { runRabbitmqctl } from '../../../src/cli/rabbitmqctl.ts';
import { SUPER_STREAM_CTL_VERBS } from '../../../src/cli/verbs/live/super-streams.ts';
import { type Api, startApi } from '../../management/support.ts';
import { capture } from '../capture.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => {
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterEach(async () => {
  await api.call('DELETE', '/super-streams/%2F/inv');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await api.close();
});

const leveret = (...args: string[]) =>
  capture(() => buildProgram().parseAsync(['streams', ...args], { from: 'user' }));
const rabbitmq = (...args: string[]) => capture(() => runRabbitmqctl('rabbitmq-streams', args));

async function queues(): Promise<unknown[]> {
  const rows = (await api.call('GET', '/queues/%2F?sort=name')).json as Record<string, unknown>[];
  return rows.map(({ name, arguments: args }) => [name, args]);
}

test('a super stream is made, listed, extended and deleted', async () => {
  expect(await leveret('add', 'inv', '--partitions', '2', '--max-age', '7D')).toMatchObject({
    out: "Made the super stream 'inv'\n",
    code: 0,
  });
  await leveret('add-partitions', 'inv', '--binding-keys', 'emea, amer');
  const args = { 'x-queue-type': 'stream', 'x-max-age': '7D' };
  const names = ['inv-0', 'inv-1', 'inv-amer', 'inv-emea'];
  expect(await queues()).toEqual(names.map((name) => [name, args]));
  expect((await leveret('list')).out.replace(/ +/g, ' ')).toBe(
    'name partitions messages\ninv 4 0\n',
  );
  expect(await leveret('delete', 'inv')).toMatchObject({
    out: "Deleted the super stream 'inv'\n",
    code: 0,
  });
  expect(await queues()).toEqual([]);
});

test('one is made with what RabbitMQ takes, and told of as RabbitMQ tells it', async () => {
  const options = [
    '--max-length-bytes',
    '10gb',
    '--max-age',
    'PT2H',
    '--leader-locator',
    'balanced',
  ];
  const more = ['--stream-max-segment-size-bytes', '500mb', '--initial-cluster-size', '1'];
  expect(await rabbitmq('add_super_stream', 'inv', ...options, ...more)).toMatchObject({
    out: 'Adding a super stream ...\nSuper stream inv has been created\n',
    code: 0,
  });
  const args = {
    'x-queue-type': 'stream',
    'x-max-age': '7200s',
    'x-max-length-bytes': 10_000_000_000,
    'x-stream-max-segment-size-bytes': 500_000_000,
    'x-queue-leader-locator': 'balanced',
    'x-initial-cluster-size': 1,
  };
  expect(await queues()).toEqual(['inv-0', 'inv-1', 'inv-2'].map((name) => [name, args]));
  expect(await rabbitmq('add_super_stream', 'inv', '--partitions', '4')).toMatchObject({
    err: "Error:\n{:reference_already_exists, 'there is already an exchange named inv'}\n",
    code: 70,
  });
  expect(await rabbitmq('-q', 'delete_super_stream', 'inv')).toMatchObject({
    out: 'Super stream inv has been deleted\n',
    code: 0,
  });
  expect(await rabbitmq('-q', 'delete_super_stream', 'inv')).toMatchObject({
    err: 'Error:\nstream_not_found\n',
    code: 70,
  });
});

test.each<[string[], string]>([
  [['--partitions', '0'], 'The partition number must be greater than 0'],
  [['--partitions', '-1'], 'The partition number must be greater than 0'],
  [
    ['--partitions', '2', '--routing-keys', 'a,b'],
    'Specify --partitions or routing-keys, not both.',
  ],
])('with %j none is made', async (options, text) => {
  expect(await rabbitmq('add_super_stream', 'inv', ...options)).toMatchObject({
    err: expect.stringContaining(text),
    code: 64,
  });
  expect(await queues()).toEqual([]);
});

test.each<[string, string, string]>([
  ['max-age', '2h', 'the value must a ISO 8601 duration'],
  ['max-age', 'P', 'the value must a ISO 8601 duration'],
  ['max-length-bytes', 'abc', 'valid example values: 100gb, 50mb'],
  ['initial-cluster-size', '0', 'the value must be positive.'],
  ['leader-locator', 'nope', 'Allowed choices are'],
])('a value of --%s that is %s is refused', (name, value, text) => {
  const [verb] = SUPER_STREAM_CTL_VERBS;
  const option = verb?.options?.find(({ long }) => long === `--${name}`);
  expect(() => option?.parseArg?.(value, undefined as never)).toThrow(text);
});

test('keys name the partitions', async () => {
  await rabbitmq('add_super_stream', 'inv', '--routing-keys', 'emea,amer');
  const names = (await queues()).map((row) => (row as string[])[0]);
  expect(names).toEqual(['inv-amer', 'inv-emea']);
});
