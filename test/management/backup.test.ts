// Copies of the data of a broker that runs, under load, and bringing them back.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { afterEach, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

const BIN = fileURLToPath(new URL('../../bin/leveret', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'leveret-backup-'));
const open: Api[] = [];

afterEach(async () => {
  for (const api of open.splice(0)) await api.close();
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
});

async function start(name: string): Promise<Api> {
  const api = await startApi({ memory: false, dataDir: join(folder, name) });
  open.push(api);
  return api;
}

async function stop(api: Api): Promise<void> {
  open.splice(open.indexOf(api), 1);
  await api.close();
}

const leveret = (...args: string[]) =>
  spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, LEVERET_DATA_DIR: '', LEVERET_URL: '' },
  });

async function channelOf(api: Api): Promise<ConfirmChannel> {
  const client = await connect(api.amqpUrl);
  client.on('error', () => {});
  const channel = await client.createConfirmChannel();
  await channel.assertQueue('q', { durable: true });
  return channel;
}

/** A body that says which one it is, all through. */
const bodyOf = (n: number): Buffer => Buffer.from(`${n} `.repeat(200));

/** The numbers of all messages in a queue, whose bodies are as they were. */
async function numbersIn(api: Api): Promise<Set<number>> {
  const channel = await channelOf(api);
  const found = new Set<number>();
  for (;;) {
    const message = await channel.get('q', { noAck: true });
    if (message === false) return found;
    const n = Number.parseInt(message.content.toString(), 10);
    expect(message.content.equals(bodyOf(n))).toBe(true);
    found.add(n);
  }
}

test('a copy under load has all that was confirmed before, whole, and a broker starts on it', async () => {
  const api = await start('data');
  const channel = await channelOf(api);
  let [published, confirmed, going] = [0, 0, true];
  const load = (async () => {
    while (going) {
      for (let i = 0; i < 50; i++) {
        channel.sendToQueue('q', bodyOf(published), { persistent: true });
        published += 1;
      }
      await channel.waitForConfirms();
      confirmed = published;
    }
  })();
  while (confirmed < 2000) await new Promise((resolve) => setTimeout(resolve, 5));
  const copies: { path: string; before: number }[] = [];
  for (const name of ['one', 'two', 'three']) {
    const before = confirmed;
    const path = join(folder, name);
    const answer = await api.call('POST', '/backup', { path });
    expect(answer.json).toMatchObject({ path, bytes: expect.any(Number), ms: expect.any(Number) });
    copies.push({ path, before });
  }
  going = false;
  await load;
  expect(copies[2]?.before).toBeGreaterThan(copies[0]?.before as number);
  for (const { path, before } of copies) {
    expect((statSync(path).mode & 0o777).toString(8)).toBe('700');
    expect((statSync(join(path, 'store', 'data.mdb')).mode & 0o777).toString(8)).toBe('600');
    expect(leveret('check', '--data-dir', path)).toMatchObject({ status: 0 });
    const restored = await startApi({ memory: false, dataDir: path });
    const numbers = await numbersIn(restored);
    await restored.close();
    for (let n = 0; n < before; n++) expect(numbers.has(n)).toBe(true);
    // What came later may be in it, up to some moment: nothing in between is missing.
    expect(numbers.size).toBe(Math.max(...numbers) + 1);
  }
});

test('what cannot be a place for a copy is refused, and nothing is left behind', async () => {
  const api = await start('data');
  const full = join(folder, 'full');
  mkdirSync(full);
  writeFileSync(join(full, 'x'), '');
  const refusals: readonly (readonly [path: string, says: string])[] = [
    ['relative/path', 'is no absolute path'],
    [full, 'is there and not empty'],
    [join(folder, 'data', 'inside'), 'lies within the data folder'],
    [join(folder, 'data'), 'lies within the data folder'],
    [join(full, 'x'), 'cannot be a folder for a copy'],
    ['/proc/leveret', 'nothing of it is kept'],
  ];
  for (const [path, says] of refusals) {
    const { status, json } = await api.call('POST', '/backup', { path });
    expect([status, json]).toMatchObject([400, { reason: expect.stringContaining(says) }]);
  }
  expect(readdirSync(full)).toEqual(['x']);
  const watcher = { password: 'x', tags: 'monitoring' };
  await api.call('PUT', '/users/watcher', watcher);
  const path = join(folder, 'new');
  expect((await api.call('POST', '/backup', { path }, 'watcher:x')).status).toBe(401);
  expect(existsSync(path)).toBe(false);
  const memory = await startApi();
  open.push(memory);
  expect((await memory.call('POST', '/backup', { path })).json).toMatchObject({
    reason: 'a broker in memory has no data to copy',
  });
});

test('a copy is brought back by the verb, the old data kept, and a damaged one is not', async () => {
  const api = await start('data');
  const channel = await channelOf(api);
  for (let n = 0; n < 20; n++) channel.sendToQueue('q', bodyOf(n), { persistent: true });
  await channel.waitForConfirms();
  const path = join(folder, 'copy');
  await api.call('POST', '/backup', { path });
  await api.call('DELETE', '/queues/%2F/q');
  const data = join(folder, 'data');
  const running = leveret('restore', path, '--data-dir', data, '--force');
  expect([running.status, running.stderr]).toEqual([
    1,
    expect.stringContaining('the broker is running'),
  ]);
  await stop(api);
  const refused = leveret('restore', path, '--data-dir', data);
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('use --force')]);
  const done = leveret('restore', path, '--data-dir', data, '--force');
  expect([done.stderr, done.status]).toEqual(['', 0]);
  expect(done.stdout).toMatch(/^Restored .*\nWhat was there is kept in .*store\.before-\d+\n$/);
  const restored = await start('data');
  expect((await numbersIn(restored)).size).toBe(20);
  const fresh = leveret('restore', path, '--data-dir', join(folder, 'fresh'));
  expect([fresh.status, fresh.stdout]).toEqual([0, expect.not.stringContaining('kept')]);
  writeFileSync(join(path, 'store', 'data.mdb'), 'no data');
  const damaged = leveret('restore', path, '--data-dir', join(folder, 'other'));
  expect([damaged.status, damaged.stderr]).toEqual([1, expect.stringContaining('is not restored')]);
  expect(existsSync(join(folder, 'other', 'store'))).toBe(false);
});

test('a copy of a stream that is published to has its messages at their offsets, and the place of a group', async () => {
  const api = await start('data');
  const channel = await channelOf(api);
  await channel.assertQueue('s', { durable: true, arguments: { 'x-queue-type': 'stream' } });
  const publish = async (from: number): Promise<void> => {
    for (let n = from; n < from + 400; n++) channel.sendToQueue('s', bodyOf(n));
    await channel.waitForConfirms();
  };
  await publish(0);
  expect((await readGroup(api, 150)).offsets[0]).toBe(0);
  let [confirmed, going] = [400, true];
  const load = (async () => {
    for (; going; confirmed += 400) await publish(confirmed);
  })();
  const before = confirmed;
  const path = join(folder, 'copy');
  expect((await api.call('POST', '/backup', { path })).status).toBe(200);
  going = false;
  await load;
  await stop(api);
  const run = leveret('restore', path, '--data-dir', join(folder, 'from'));
  expect(run.status, run.stderr).toBe(0);
  const checked = leveret('check', '--data-dir', join(folder, 'from'));
  expect(checked.stdout).toContain('sound');
  // What is free inside the file goes, and nothing else.
  expect(leveret('compact', '--data-dir', join(folder, 'from')).status).toBe(0);
  const again = await start('from');
  const { offsets, bodies } = await readGroup(again, before - 150);
  expect(offsets).toEqual(Array.from({ length: before - 150 }, (_, n) => 150 + n));
  expect(bodies.every((body, n) => body.equals(bodyOf(150 + n)))).toBe(true);
});

/** Reads and acks so many messages of the stream as a group. */
async function readGroup(
  api: Api,
  count: number,
): Promise<{ readonly offsets: number[]; readonly bodies: Buffer[] }> {
  const channel = await channelOf(api);
  await channel.prefetch(count);
  const [offsets, bodies]: [number[], Buffer[]] = [[], []];
  await new Promise<void>((resolve) => {
    const args = { 'x-stream-group': 'readers', 'x-stream-offset': 'first' };
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message === null || offsets.length === count) return;
      offsets.push(Number(message.properties.headers?.['x-stream-offset']));
      bodies.push(message.content);
      channel.ack(message);
      if (offsets.length === count) resolve();
    };
    void channel.consume('s', onMessage, { arguments: args });
  });
  // An ack is on the disk with the batch of a confirm that comes after it.
  channel.sendToQueue('q', bodyOf(0), { persistent: true });
  await channel.waitForConfirms();
  await channel.close();
  return { offsets, bodies };
}
