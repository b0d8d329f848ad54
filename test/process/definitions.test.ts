import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { type BrokerProcess, useProcesses } from './support.ts';

const processes = useProcesses();

const GUEST_HASH = 'N9Ke6wLcJP0y411QEoZXs+iEVr9j//ZyHdnM8Zo+mQ77XrWx';
const POLICIES = [
  { vhost: '/', name: 'short', pattern: '^short', definition: { 'max-length': 2 }, priority: 0 },
];
const queue = (name: string) => ({ name, vhost: '/', durable: true, arguments: {} });

const WAY_OUT =
  'correct the file, take it off load_definitions, or set definitions.skip_unsupported = true, ' +
  'which takes the rest\n';

function write(folder: string, name: string, json: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

/** A broker that loads these files, with its data in a folder. */
function start(folder: string, files: string, env: NodeJS.ProcessEnv = {}): BrokerProcess {
  const args = ['--port', '0', '--data-dir', join(folder, 'data')];
  return processes.spawn(args, { LEVERET_LOAD_DEFINITIONS: files, ...env }, folder);
}

test('definitions are there before anybody can connect, and hold', async () => {
  const folder = processes.folder();
  write(folder, '2.json', { queues: [queue('short-1')] });
  write(folder, '1.json', { policies: POLICIES });
  const broker = await start(folder, '*.json').listening();
  expect(broker.entries.filter(({ msg }) => msg === 'definitions loaded')).toMatchObject([
    { file: '1.json' },
    { file: '2.json' },
  ]);
  const channel = await processes.channel(broker);
  for (let n = 0; n < 5; n++) channel.sendToQueue('short-1', Buffer.from('x'));
  await channel.waitForConfirms();
  expect((await channel.checkQueue('short-1')).messageCount).toBe(2);
});

test('files that bring users bring all there are, and others leave the default one', async () => {
  const folder = processes.folder();
  const users = [{ name: 'app', password_hash: GUEST_HASH, tags: [] }];
  const permissions = [{ user: 'app', vhost: '/', configure: '', write: '', read: '' }];
  write(folder, 'users.json', { users, permissions });
  const broker = await start(folder, 'users.json').listening();
  await expect(connect(broker.url)).rejects.toThrow('403');
  const model = await connect(broker.url.replace('guest:', 'app:'));
  await model.close();
  const other = processes.folder();
  write(other, 'policies.json', { policies: POLICIES });
  await processes.channel(await start(other, 'policies.json').listening());
});

test('files of which one is refused leave nothing behind: the next start is as if it were the first', async () => {
  const folder = processes.folder();
  const users = [{ name: 'app', password_hash: GUEST_HASH, tags: [] }];
  write(folder, 'a.json', { users, vhosts: [{ name: '/' }], queues: [queue('a')] });
  write(folder, 'b.json', { queues: [{ ...queue('a'), arguments: { 'x-max-length': 1 } }] });
  expect(await start(folder, '.').ended).toEqual({ code: 1, signal: null });
  // Users that half of a start had brought would have kept the next one from making the first of its own.
  const broker = await processes.start(join(folder, 'data'));
  const channel = await processes.channel(broker);
  await expect(channel.checkQueue('a')).rejects.toThrow('404');
  expect((await broker.end('SIGTERM')).code).toBe(0);
  expect(await start(folder, '.').ended).toEqual({ code: 1, signal: null });
  const again = await processes.channel(await processes.start(join(folder, 'data')));
  await expect(again.checkQueue('a')).rejects.toThrow('404');
});

test.each([
  ['{', /^leveret: bad\.json: this is not JSON \(.*\); correct the file\n$/],
  [
    JSON.stringify({ queues: [queue('a'), { ...queue('b'), vhost: 'none' }] }),
    `leveret: bad.json: queues[1] 'b' in vhost 'none': there is no vhost 'none'; ${WAY_OUT}`,
  ],
  [
    JSON.stringify({ queues: [{ ...queue('b'), durable: 5 }] }),
    `leveret: bad.json: queues[0] 'b' in vhost '/': 'durable' must be true or false; ${WAY_OUT}`,
  ],
])('a file with a mistake stops the start with one line: %s', async (text, expected) => {
  const folder = processes.folder();
  writeFileSync(join(folder, 'bad.json'), text);
  const broker = start(folder, 'bad.json');
  expect(await broker.ended).toEqual({ code: 1, signal: null });
  if (typeof expected === 'string') expect(broker.stderr).toBe(expected);
  else expect(broker.stderr).toMatch(expected);
  expect(broker.said('listening')).toBe(false);
  const next = await start(folder, 'none').listening();
  const channel = await processes.channel(next);
  await expect(channel.checkQueue('a')).rejects.toThrow('404');
});

test('all that is wrong in any file is told in one start, and left out where that is set', async () => {
  const folder = processes.folder();
  const odd = { ...queue('log'), arguments: { 'x-queue-type': 'odd' } };
  const exchange = { ...queue('late'), type: 'x-recent-history' };
  write(folder, 'a.json', { queues: [odd, { ...odd, name: 'log-2' }, queue('a')] });
  write(folder, 'b.json', { exchanges: [exchange], queues: [queue('b')] });
  const refused = start(folder, '.');
  expect(await refused.ended).toEqual({ code: 1, signal: null });
  expect(refused.stderr.split('\n')).toEqual([
    expect.stringMatching(
      /a\.json: there are no queues of type 'odd' here: queues\[0\] 'log' in vhost '\/', queues\[1\] 'log-2'/,
    ),
    expect.stringMatching(/^b\.json: exchanges\[0\] 'late' in vhost '\/': there are no exchanges/),
    '',
  ]);
  const env = { LEVERET_DEFINITIONS_SKIP_UNSUPPORTED: 'true' };
  const broker = await start(folder, '.', env).listening();
  expect(broker.entries.filter(({ msg }) => String(msg).includes('left out'))).toHaveLength(2);
  const channel = await processes.channel(broker);
  await channel.checkQueue('a');
  await channel.checkQueue('b');
});

test('a file that is not there stops the start', async () => {
  const broker = start(processes.folder(), 'none.json');
  expect(await broker.ended).toEqual({ code: 1, signal: null });
  expect(broker.stderr).toBe(
    'leveret: load_definitions: none.json: no file is found there; ' +
      'correct load_definitions, or leave it out\n',
  );
});

test('unchanged files are loaded again at each start, or skipped when that is asked for', async () => {
  const folder = processes.folder();
  write(folder, 'a.json', { queues: [queue('a')] });
  const loads = async (skip: string): Promise<boolean> => {
    const env = { LEVERET_DEFINITIONS_SKIP_IF_UNCHANGED: skip };
    const broker = await start(folder, 'a.json', env).listening();
    await broker.end('SIGTERM');
    expect(broker.said('definitions are unchanged: not loaded')).toBe(
      skip === 'true' && !broker.said('definitions loaded'),
    );
    return broker.said('definitions loaded');
  };
  expect([await loads('true'), await loads('true'), await loads('false')]).toEqual([
    true,
    false,
    true,
  ]);
  write(folder, 'a.json', { queues: [queue('a'), queue('b')] });
  expect([await loads('true'), await loads('true')]).toEqual([true, false]);
});

test('users, vhosts and permissions survive a kill as soon as the broker listens', async () => {
  const folder = processes.folder();
  write(folder, 'access.json', {
    users: [{ name: 'app', password_hash: GUEST_HASH, tags: [], limits: { 'max-connections': 1 } }],
    vhosts: [{ name: 'team', limits: [] }],
    permissions: [{ user: 'app', vhost: 'team', configure: '^own', write: '.*', read: '.*' }],
  });
  const first = await start(folder, 'access.json').listening();
  await first.end('SIGKILL');
  const second = await start(folder, '').listening();
  await expect(connect(second.url)).rejects.toThrow('403');
  const url = `${second.url.replace('guest:', 'app:')}/team`;
  const model = await connect(url);
  model.on('error', () => undefined);
  await expect(connect(url)).rejects.toThrow('ConnectionClose');
  const channel = await model.createChannel();
  await channel.assertQueue('own-1', { durable: true });
  channel.on('error', () => undefined);
  await expect(channel.assertQueue('other')).rejects.toThrow('configure access to queue');
  await second.end('SIGKILL');
  const last = await start(folder, '').listening();
  const again = await connect(`${last.url.replace('guest:', 'app:')}/team`);
  await (await again.createChannel()).checkQueue('own-1');
  await again.close();
});
