import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import type { BrokerOptions, EmbeddedBroker } from '../../src/embed/options.ts';
import { startBroker } from '../../src/embed/start-broker.ts';
import { take } from './support.ts';

const running: EmbeddedBroker[] = [];
const folders: string[] = [];

async function start(options?: BrokerOptions): Promise<EmbeddedBroker> {
  const broker = await startBroker(options);
  running.push(broker);
  return broker;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-embed-'));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('a broker inside a program', () => {
  test('takes a client by its url', async () => {
    const broker = await start({ memory: true });
    expect(broker.url).toBe(`amqp://guest:guest@127.0.0.1:${broker.port}`);
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('jobs');
    channel.sendToQueue('jobs', Buffer.from('hello'));
    await channel.waitForConfirms();
    expect(await take(channel, 'jobs')).toBe('hello');
    await connection.close();
  });

  test('knows nothing of another in the same process', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    expect(one.port).not.toBe(other.port);
    const connections = await Promise.all([connect(one.url), connect(other.url)]);
    const [here, there] = await Promise.all(connections.map((each) => each.createChannel()));
    await here?.assertQueue('only-here');
    there?.on('error', () => {});
    await expect(there?.checkQueue('only-here')).rejects.toThrow('NOT_FOUND');
  });

  test('closes once, tells its clients so, and takes none after that', async () => {
    const broker = await start();
    const connection = await connect(broker.url);
    const closed = new Promise<Error>((resolve) => connection.once('close', resolve));
    await Promise.all([broker.close(), broker.close()]);
    expect((await closed).message).toContain('CONNECTION_FORCED');
    await expect(connect(broker.url)).rejects.toThrow('ECONNREFUSED');
  });

  test('leaves a process that has closed it nothing to wait for, and no file', () => {
    const folder = newFolder();
    const module = new URL('../../dist/bundle/start-broker.js', import.meta.url).href;
    const program = `
      import { startBroker } from '${module}';
      const brokers = await Promise.all([startBroker(), startBroker({ memory: true })]);
      await Promise.all(brokers.map((each) => each.clock.advance(1000)));
      await Promise.all(brokers.map((each) => each.idle()));
      await Promise.all(brokers.map((each) => each.close()));
      console.log('closed');`;
    const args = ['--input-type=module', '--eval', program];
    const ended = spawnSync(process.execPath, args, { cwd: folder, timeout: 60_000 });
    expect(ended.stderr.toString()).toBe('');
    expect(ended.stdout.toString()).toBe('closed\n');
    expect(ended.status).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('keeps durable messages in a folder for the next one', async () => {
    const dataDir = join(newFolder(), 'data');
    const broker = await start({ dataDir });
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('jobs', { durable: true });
    channel.sendToQueue('jobs', Buffer.from('kept'), { persistent: true });
    await channel.waitForConfirms();
    await broker.close();
    const next = await start({ dataDir });
    const again = await (await connect(next.url)).createChannel();
    expect(await take(again, 'jobs')).toBe('kept');
    expect(existsSync(join(dataDir, 'store'))).toBe(true);
  });
});

describe('options', () => {
  test('name users, vhosts and what is declared', async () => {
    const broker = await start({
      users: [
        { name: 'app', password: 'a b@c', tags: [] },
        { name: 'reader', password: 'r', permission: { configure: '', write: '', read: '.*' } },
      ],
      vhosts: ['orders'],
      definitions: { queues: [{ name: 'new', vhost: 'orders', durable: true, arguments: {} }] },
    });
    expect(broker.url).toContain('amqp://app:a%20b%40c@');
    const app = await (await connect(`${broker.url}/orders`)).createChannel();
    expect(await app.checkQueue('new')).toMatchObject({ messageCount: 0 });
    const reader = await connect(`amqp://reader:r@127.0.0.1:${broker.port}/orders`);
    const channel = await reader.createChannel();
    channel.on('error', () => {});
    await expect(channel.assertQueue('mine')).rejects.toThrow('ACCESS_REFUSED');
    await expect(connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)).rejects.toThrow();
  });

  test('take the users of definitions, and then no guest', async () => {
    const broker = await start({
      definitions: {
        users: [{ name: 'app', password: 'secret', tags: '' }],
        permissions: [{ user: 'app', vhost: '/', configure: '.*', write: '.*', read: '.*' }],
      },
    });
    expect(broker.url).toBe(`amqp://127.0.0.1:${broker.port}`);
    await expect(connect(`amqp://app:secret@127.0.0.1:${broker.port}`)).resolves.toBeDefined();
    await expect(connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)).rejects.toThrow();
  });

  test('change any setting by its key', async () => {
    const broker = await start({ settings: { channel_max: 7, heartbeat: 13 } });
    const { connection } = await connect(broker.url);
    expect(connection).toMatchObject({ channelMax: 7, heartbeat: 13 });
  });

  test('open the HTTP API, which is there as long as the broker', async () => {
    const broker = await start({ managementPort: 0 });
    const login = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
    const ask = () =>
      fetch(`${broker.managementUrl}/api/overview`, { headers: { authorization: login } });
    expect(await (await ask()).json()).toMatchObject({ object_totals: { queues: 0 } });
    await broker.close();
    await expect(ask()).rejects.toThrow();
    expect((await start()).managementUrl).toBe(null);
  });

  test('hand in a logger', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
    const broker = await start({ logger });
    await connect(broker.url);
    expect(lines.join('')).toContain('connection opened');
  });

  test('get names of clients cut and spelt out in their own log', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
    const broker = await start({ logger });
    const options = { clientProperties: { connection_name: 'x'.repeat(3000) } };
    const channel = await (await connect(broker.url, options)).createChannel();
    await channel.assertQueue('a\u001b[2Jb\u202e', { durable: false });
    const fields = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const texts = fields.flatMap((each) => Object.values(each)).map(String);
    expect(texts).toContain('a\\u001b[2Jb\\u202e');
    expect(texts.filter((each) => each.length > 255)).toEqual([]);
    expect(lines.join('')).not.toContain('\u202e');
  });

  test.each<[string, BrokerOptions, string]>([
    ['a setting that is not there', { settings: { hartbeat: 1 } }, "did you mean 'heartbeat'?"],
    ['a value that is none', { settings: { heartbeat: 'x' } }, 'expected a whole number'],
    ['a port that is none', { port: 70_000 }, 'expected a port'],
    ['a folder for memory', { memory: true, dataDir: 'x' }, 'exclude each other'],
    ['no folder for a disk', { memory: false }, 'name a folder'],
    ['nobody', { users: [] }, 'no user could log in'],
    ['definitions that are none', { definitions: { queues: [{}] } }, 'queue'],
    ['a setting that is an option', { settings: { data_dir: 'x' } }, 'use memory or dataDir'],
    [
      'two users of one name',
      { users: ['a', 'b'].map((password) => ({ name: 'app', password })) },
      'given twice',
    ],
  ])('are refused with a way out: %s', async (_what, options, expected) => {
    await expect(start(options)).rejects.toThrow(expected);
  });

  const ODD: readonly unknown[] = [5, 'x', true, Symbol('x'), 10n, [], [{}], [null], {}, null];
  const TAKEN: Readonly<Record<string, (odd: unknown) => boolean>> = {
    memory: (odd) => odd === true,
    dataDir: (odd) => odd === 'x',
    port: (odd) => odd === 5,
    host: (odd) => odd === 'x',
    managementPort: (odd) => odd === 5 || odd === null,
    users: () => false,
    vhosts: (odd) => Array.isArray(odd) && odd.length === 0,
    definitions: (odd) => typeof odd === 'object' && odd !== null && !Array.isArray(odd),
    settings: (odd) => typeof odd === 'object' && odd !== null && !Array.isArray(odd),
    logger: () => false,
    hots: () => false,
    toString: () => false,
  };
  test.each(Object.keys(TAKEN))('are refused by name when of a wrong type: %s', async (name) => {
    for (const odd of ODD.filter((each) => !TAKEN[name]?.(each))) {
      const options = { [name]: odd } as unknown as BrokerOptions;
      await expect(start(options)).rejects.toThrow(`startBroker: ${name}`);
    }
  });

  test.each([99_999, -1, 1.5, Number.NaN])(
    'are refused by name where a port is %s',
    async (odd) => {
      for (const name of ['port', 'managementPort'])
        await expect(start({ [name]: odd })).rejects.toThrow(
          `startBroker: ${name}: expected a port`,
        );
    },
  );

  test('are refused by name where they name users oddly', async () => {
    const user = { name: 'a', password: 'b' };
    const refused = (odd: unknown, place: string) =>
      expect(start({ users: [user, odd] } as BrokerOptions)).rejects.toThrow(place);
    await refused(null, 'startBroker: users[1]: expected an object');
    await refused({ name: 'a' }, 'startBroker: users[1]: password: expected a text');
    await refused({ ...user, name: 5 }, 'startBroker: users[1]: name: expected a text');
    await refused({ ...user, tags: 'monitoring' }, 'startBroker: users[1]: tags');
    await refused({ ...user, permission: { read: '' } }, 'startBroker: users[1]: permission');
    await refused({ name: 'a' }, "and it is missing; write for example { name: 'guest'");
    await refused(
      { ...user, pass: 'b' },
      "there is no option of this name; did you mean 'password'?",
    );
    const options = { memroy: true } as BrokerOptions;
    await expect(start(options)).rejects.toThrow(
      "startBroker: memroy: there is no option of this name; did you mean 'memory'?",
    );
    await expect(start(5 as unknown as BrokerOptions)).rejects.toThrow('expected an object');
  });

  test('that nobody can start with leave nothing open', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test('names that are no texts get U+FFFD, also in the url', async () => {
  const given: BrokerOptions = {
    users: [
      { name: 'u\ud800', password: 'p\udfff' },
      { name: 'guest', password: 'guest' },
    ],
    vhosts: ['v\ud800'],
    definitions: { queues: [{ name: 'q\ud800', vhost: 'v\ud800', durable: true }] },
  };
  await using broker = await startBroker(given);
  expect(broker.url).toContain(`${encodeURIComponent('u\ufffd:').replace('%3A', ':')}`);
  const url = broker.url.replace(/u%.*@/, 'guest:guest@');
  const connection = await connect(`${url}/${encodeURIComponent('v\ufffd')}`);
  const channel = await connection.createChannel();
  expect(await channel.checkQueue('q\ufffd')).toMatchObject({ messageCount: 0 });
  await connection.close();
});
