// Owns the tests of `leveret check` as a user runs it, on folders that are sound, damaged and none.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { segmentIdOfKey } from '../../src/message/log/segment-rows.ts';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import { TABLE_SEGMENTS } from '../../src/store/tables.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
const MARK = 'find me in the file 0123456789';

interface Checked {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function check(dataDir: string, ...args: string[]): Checked {
  const all = [join(ROOT, 'bin', 'leveret'), 'check', '--data-dir', dataDir, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

/** The data folder of a stopped broker with ten messages in each of two queues. */
async function stopped(): Promise<string> {
  const dataDir = processes.folder();
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  for (const queue of ['sound', 'spoilt']) {
    await channel.assertQueue(queue);
    for (let n = 0; n < 10; n++) {
      // Each large enough for a segment of its own, and the one with the mark too large for one row,
      // however the chunks and the batches fell.
      const marked = queue === 'spoilt' && n === 4;
      const body = Buffer.alloc(marked ? 100_000 : 40_000, `${queue} ${n} `);
      if (marked) body.write(MARK, 20_000);
      channel.sendToQueue(queue, body, { persistent: true });
    }
    await channel.waitForConfirms();
  }
  expect((await broker.end('SIGTERM')).code).toBe(0);
  return dataDir;
}

const dataFile = (dataDir: string): string => join(dataDir, 'store', 'data.mdb');

/** Changes one byte of a message. */
function spoil(dataDir: string): void {
  const at = readFileSync(dataFile(dataDir)).indexOf(MARK);
  expect(at).toBeGreaterThan(0);
  const fd = openSync(dataFile(dataDir), 'r+');
  writeSync(fd, 'F', at);
  closeSync(fd);
}

async function messagesIn(dataDir: string, queue: string): Promise<string[]> {
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  const found: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) break;
    found.push(message.content.toString('latin1', 0, 8));
  }
  await broker.end('SIGKILL');
  return found;
}

test('a sound folder is called sound, and is as it was afterwards', async () => {
  const dataDir = await stopped();
  const before = readFileSync(dataFile(dataDir));
  const { code, out } = check(dataDir);
  expect(out).toContain('2 durable queues, 20 messages in them\nsound');
  expect(code).toBe(0);
  expect(check(dataDir, '--repair').code).toBe(0);
  expect(readFileSync(dataFile(dataDir)).equals(before)).toBe(true);
  expect(readdirSync(dataDir).filter((name) => name.startsWith('data.mdb'))).toEqual([]);
});

test('a damaged message is named with its queue, and a repair takes out that one alone', async () => {
  const dataDir = await stopped();
  spoil(dataDir);
  const { code, out } = check(dataDir);
  expect(code).toBe(1);
  expect(out).toContain("queue 'spoilt' in vhost '/': 1 lost, 9 sound");
  expect(out).toContain('--repair');
  const { damage, status } = JSON.parse(check(dataDir, '--json').out);
  expect(status).toBe('damaged');
  expect(damage.length).toBeGreaterThan(0);

  const repaired = check(dataDir, '--repair');
  expect(repaired.out).toMatch(/repaired: .*data\.mdb\.damaged-\d+/);
  expect(check(dataDir).out).toContain('sound');
  const left = await messagesIn(dataDir, 'spoilt');
  const numbers = [0, 1, 2, 3, 5, 6, 7, 8, 9];
  expect(left).toEqual(numbers.map((n) => 'spoilt '.concat(String(n))));
  expect(await messagesIn(dataDir, 'sound')).toHaveLength(10);
  expect(readdirSync(dataDir).some((name) => name.startsWith('data.mdb.damaged-'))).toBe(true);
});

test.each([
  ['first', 0],
  ['last', -1],
])('a message whose %s row is gone is lost alone, and never delivered cut', async (_, which) => {
  const dataDir = await stopped();
  const store = await openLmdbStore(join(dataDir, 'store'));
  const rows = [...store.range(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(64, 0xff))];
  const spoilt = rows.find(({ value }) => value.includes(MARK)) as { key: Buffer };
  const ofMessage = rows.filter(({ key }) => segmentIdOfKey(key) === segmentIdOfKey(spoilt.key));
  expect(ofMessage.length).toBeGreaterThan(1);
  store.remove(TABLE_SEGMENTS, (ofMessage.at(which) as { key: Buffer }).key);
  await store.close();

  const { code, out } = check(dataDir);
  expect(code).toBe(1);
  expect(out).toContain("queue 'spoilt' in vhost '/': 1 lost, 9 sound");
  const copy = processes.folder();
  cpSync(join(dataDir, 'store'), join(copy, 'store'), { recursive: true });
  expect(check(copy, '--repair').out).toMatch(/repaired/);
  expect(check(copy).out).toContain('sound');
  const numbers = [0, 1, 2, 3, 5, 6, 7, 8, 9];
  for (const folder of [copy, dataDir]) {
    expect(await messagesIn(folder, 'spoilt')).toEqual(numbers.map((n) => `spoilt ${n}`));
  }
});

test('a broker never delivers a damaged message: it sets it aside, says so, and goes on', async () => {
  const dataDir = await stopped();
  spoil(dataDir);
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  const given: string[] = [];
  await new Promise<void>((resolve) => {
    void channel.consume('spoilt', (message) => {
      given.push(message?.content.toString() ?? '');
      if (given.length === 9) resolve();
    });
  });
  expect(given.some((body) => body.includes('F'.concat(MARK.slice(1))))).toBe(false);
  expect(broker.entries).toContainEqual(
    expect.objectContaining({ level: 'error', queue: 'spoilt', doing: 'delivery' }),
  );
  await broker.end('SIGTERM');
});

test('a file that was cut short is damaged, and so is one that is none of LMDB', async () => {
  const cut = await stopped();
  truncateSync(dataFile(cut), 300_000);
  expect(check(cut).code).toBe(1);
  const foreign = await stopped();
  writeFileSync(dataFile(foreign), 'not a database '.repeat(10_000));
  const { code, out } = check(foreign);
  expect(code).toBe(1);
  expect(out).toContain('not a file of LMDB');
});

test('the folder of a running broker, and one without data, are not checked', async () => {
  const dataDir = processes.folder();
  const broker = await processes.start(dataDir);
  const running = check(dataDir);
  expect(running.code).toBe(2);
  expect(running.out).toBe('');
  expect(running.err).toContain(`leveret: the broker is running as process ${broker.pid}`);
  await broker.end('SIGTERM');
  expect(check(processes.folder()).code).toBe(2);
});

test('a report of many thousands of queues comes through whole', async () => {
  const dataDir = processes.folder();
  const file = join(dataDir, 'many.json');
  const queues = Array.from({ length: 20_000 }, (_, n) => ({
    name: `${'q'.repeat(150)}${n}`,
    vhost: '/',
    durable: true,
    arguments: {},
  }));
  writeFileSync(file, JSON.stringify({ queues }));
  const env = { LEVERET_LOAD_DEFINITIONS: file };
  const args = ['--port', '0', '--data-dir', join(dataDir, 'data')];
  expect((await (await processes.spawn(args, env).listening()).end('SIGTERM')).code).toBe(0);
  const { code, out } = check(join(dataDir, 'data'));
  expect(out).toContain('20000 durable queues');
  expect(code).toBe(0);
}, 240_000);
