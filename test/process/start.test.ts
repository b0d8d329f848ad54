import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { describe, expect, test } from 'vitest';
import { withChecksum } from '../../src/store/checksum.ts';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import { TABLE_META } from '../../src/store/tables.ts';
import { type OpenOptions, RawConnection } from '../support/amqp-raw.ts';
import { type BrokerProcess, filesIn, nobodyRunsNode, pause, useProcesses } from './support.ts';

const processes = useProcesses();

const IDLE_RSS_KIB_MAX = 80 * 1024;

/** What a start that fails says: one line, and nothing that only we understand. */
async function expectRefusal(broker: BrokerProcess, ...words: (string | RegExp)[]): Promise<void> {
  expect(await broker.ended).toEqual({ code: 1, signal: null });
  expect(broker.stderr).toMatch(/^leveret: [^\n]+\n$/);
  for (const word of words) expect(broker.stderr).toMatch(word);
  expect(broker.said('listening')).toBe(false);
}

/** An address of this machine that is not of the loopback, if it has one. */
function ownAddress(): string | null {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((each) => each?.family === 'IPv4' && !each.internal)?.address ?? null;
}

describe('a start that works', () => {
  test('on port 0 logs the port it found, and the host', async () => {
    const broker = await processes.start(processes.folder());
    const line = broker.entries.find((entry) => entry['msg'] === 'listening');
    expect(line).toMatchObject({ level: 'info', host: '127.0.0.1', port: expect.any(Number) });
    expect(broker.port).toBeGreaterThan(0);
    const channel = await processes.channel(broker);
    await channel.assertQueue('q');
    expect(broker.stderr).toBe('');
  });

  test('leaves the process small', async () => {
    const broker = await processes.start(processes.folder());
    await pause(300);
    const rss = broker.statusKib('VmRSS');
    console.log(`listens after ${broker.startMs.toFixed(0)} ms; idle RSS ${rss} KiB`);
    if (rss > 0) expect(rss).toBeLessThan(IDLE_RSS_KIB_MAX);
  });

  test('makes the data folder, for this user alone, with all that leads to it', async () => {
    const folder = join(processes.folder(), 'a', 'b');
    await processes.start(folder);
    expect(readdirSync(folder).sort()).toEqual(['control', 'has-data', 'lock', 'store']);
  });

  test('in a folder that others may read logs a warning', async () => {
    const folder = processes.folder();
    chmodSync(folder, 0o755);
    const broker = await processes.start(folder);
    const warning = broker.entries.find(({ level }) => level === 'warn');
    expect(warning?.['msg']).toContain(`chmod 700 ${folder}`);
  });

  test('with --memory touches no disk, and keeps nothing', async () => {
    const folder = processes.folder();
    const args = ['--port', '0', '--memory', '--data-dir', join(folder, 'data')];
    const first = await processes.spawn(args, {}, folder).listening();
    const channel = await processes.channel(first);
    await channel.assertQueue('q', { durable: true });
    channel.sendToQueue('q', Buffer.from('kept?'), { persistent: true });
    await channel.waitForConfirms();
    expect(existsSync(join(folder, 'data'))).toBe(false);
    expect(filesIn(folder)).toEqual([]);
    expect(await first.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(filesIn(folder)).toEqual([]);
    const second = await processes.spawn(args, {}, folder).listening();
    await expect((await processes.channel(second)).checkQueue('q')).rejects.toThrow('404');
  });
});

describe('a start that fails says why and what to do in one line', () => {
  test('when the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const args = ['--port', String(port), '--data-dir', processes.folder()];
    await expectRefusal(processes.spawn(args), `port ${port} on 127.0.0.1 is taken`, '--port');
    other.close();
  });

  test.skipIf(!nobodyRunsNode())('when the data folder cannot be written', async () => {
    const folder = processes.folder();
    chmodSync(folder, 0o500);
    const broker = processes.spawnAsNobody(['--port', '0', '--data-dir', folder]);
    await expectRefusal(broker, folder, 'permission denied', /give the user with id \d+ the right/);
  });

  test('when a file is in the place of the data folder', async () => {
    const file = join(processes.folder(), 'file');
    writeFileSync(file, '');
    const broker = processes.spawn(['--port', '0', '--data-dir', file]);
    await expectRefusal(broker, file, 'a file is in its place', 'name another folder');
  });

  test('when another broker has the data folder, which goes on unharmed', async () => {
    const folder = processes.folder();
    const first = await processes.start(folder);
    const second = processes.spawn(['--port', '0', '--data-dir', folder]);
    await expectRefusal(
      second,
      `in use by another broker, process ${first.pid}`,
      'stop that one first, or name another folder',
    );
    const channel = await processes.channel(first);
    await channel.assertQueue('q');
    expect(await first.end('SIGTERM')).toMatchObject({ code: 0 });
    await processes.start(folder);
  });

  test('when six start at once on one folder, all but one', async () => {
    const folder = processes.folder();
    const all = Array.from({ length: 6 }, () =>
      processes.spawn(['--port', '0', '--data-dir', folder]),
    );
    const outcomes = all.map((broker) =>
      Promise.race([
        broker.listening().then(
          () => 'listening',
          () => 'refused',
        ),
        broker.ended.then(() => 'refused'),
      ]),
    );
    const results = await Promise.all(outcomes);
    expect(results.filter((result) => result === 'listening').length).toBe(1);
    for (const [i, broker] of all.entries()) {
      if (results[i] === 'refused') await expectRefusal(broker, 'in use by another broker');
    }
  });

  test('when a newer broker wrote the data', async () => {
    const folder = processes.folder();
    const before = await processes.start(folder);
    await (await processes.channel(before)).assertQueue('q');
    await before.end('SIGTERM');
    const store = await openLmdbStore(join(folder, 'store'), { commitTimeoutMs: 5000 });
    const record = Buffer.from('\0\0\0\u0063' + '9.8.7', 'latin1');
    store.put(TABLE_META, Buffer.from('format'), withChecksum(record));
    await store.close();
    const broker = processes.spawn(['--port', '0', '--data-dir', folder]);
    await expectRefusal(
      broker,
      'written by a newer Leveret, 9.8.7',
      'start Leveret 9.8.7 or later',
    );
  });

  test('when a data file is not one of ours', async () => {
    const folder = processes.folder();
    mkdirSync(join(folder, 'store'));
    writeFileSync(join(folder, 'store', 'data.mdb'), Buffer.alloc(20_000, 'x'));
    await expectRefusal(processes.spawn(['--port', '0', '--data-dir', folder]), folder);
  });

  test('when this machine lacks the address', async () => {
    const args = ['--port', '0', '--host', '192.0.2.250', '--data-dir', processes.folder()];
    await expectRefusal(processes.spawn(args), 'has no address 192.0.2.250', '--host');
  });
});

describe('the settings of the process', () => {
  /** What a connection is offered. */
  async function tuneOf(broker: BrokerProcess, options: OpenOptions = {}): Promise<unknown> {
    const raw = await RawConnection.dial({
      host: '127.0.0.1',
      port: broker.port,
      user: 'guest',
      password: 'guest',
      vhost: '/',
    });
    await raw.start();
    const { heartbeat, frameMax, channelMax } = await raw.login(options);
    raw.drop();
    return { heartbeat, frameMax, channelMax };
  }

  test('come from flags before variables before files, the last file first', async () => {
    const folder = processes.folder();
    writeFileSync(
      join(folder, '10-base.conf'),
      'heartbeat = 11\nframe_max = 8192\nchannel_max = 21\nlisteners.tcp.default = 1\nlog.level = debug\n',
    );
    writeFileSync(
      join(folder, '20-site.conf'),
      'frame_max = 16384\nchannel_max = 22\nmemory = true\n',
    );
    const env = { LEVERET_CHANNEL_MAX: '23', LEVERET_LISTENERS_TCP_DEFAULT: '2' };
    const args = ['--config', '*.conf', '--port', '0'];
    const broker = await processes.spawn(args, env, folder).listening();
    expect(await tuneOf(broker)).toEqual({ heartbeat: 11, frameMax: 16_384, channelMax: 23 });
    expect(readdirSync(folder).sort()).toEqual(['10-base.conf', '20-site.conf']);
  });

  test('name the first user, its password and the vhost', async () => {
    const folder = processes.folder();
    writeFileSync(
      join(folder, 'my.conf'),
      'default_user = hare\ndefault_pass = burrow\ndefault_vhost = field\nloopback_users.hare = false\n',
    );
    const args = ['--config', 'my.conf', '--port', '0', '--memory'];
    const broker = await processes.spawn(args, {}, folder).listening();
    const model = await connect(`amqp://hare:burrow@127.0.0.1:${broker.port}/field`);
    await model.close();
    const at = `127.0.0.1:${broker.port}`;
    await expect(connect(`amqp://hare:wrong@${at}/field`)).rejects.toThrow('403');
    await expect(connect(`amqp://hare:burrow@${at}/meadow`)).rejects.toThrow('ConnectionClose');
    await expect(connect(`amqp://guest:guest@${at}/field`)).rejects.toThrow('403');
  });
});

describe('guest', () => {
  const address = ownAddress();

  test.runIf(address !== null)('may not log in from another address, but others may', async () => {
    const folder = processes.folder();
    const args = ['--host', '0.0.0.0', '--port', '0', '--memory'];
    const broker = await processes.spawn(args, {}, folder).listening();
    await expect(connect(`amqp://guest:guest@${address}:${broker.port}`)).rejects.toThrow('403');
    await (await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)).close();
    const open = await processes
      .spawn(args, { LEVERET_LOOPBACK_USERS: 'none' }, folder)
      .listening();
    await (await connect(`amqp://guest:guest@${address}:${open.port}`)).close();
  });
});
