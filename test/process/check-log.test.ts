// Owns the tests of the log of batches as an operator sees it: a start after a crash, `leveret check` and its repair, on logs
// that are whole, cut off, damaged, gone, and of other data.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreData } from '../../src/boot/data-folder.ts';
import { settingsOf } from '../../src/config/load.ts';
import { withChecksum } from '../../src/store/checksum.ts';
import { FORMAT_VERSION } from '../../src/store/format.ts';
import { markClean } from '../../src/store/lmdb/mark-clean.ts';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import { applyLog, beginLog } from '../../src/store/log/open.ts';
import { LOG_FILE } from '../../src/store/log/ring/file.ts';
import { BLOCK_BYTES } from '../../src/store/log/ring/format.ts';
import { encodeRow, rowKey } from '../../src/store/row.ts';
import { TABLE_DEFINITIONS, TABLE_LOG, TABLE_META } from '../../src/store/tables.ts';
import { commit } from '../store/contract.ts';
import { type BrokerProcess, ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
/** Nothing goes into the tables by itself. */
const HELD = { directBytes: Infinity, applyMs: 600_000, applyBytes: Infinity };
const NO_ARGUMENTS = Buffer.alloc(4).toString('base64');

interface Checked {
  readonly code: number | null;
  readonly out: string;
}

function check(dataDir: string, ...args: string[]): Checked {
  const all = [join(ROOT, 'bin', 'leveret'), 'check', '--data-dir', dataDir, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { code: status, out: stdout + stderr };
}

const root = mkdtempSync(join(tmpdir(), 'leveret-check-log-'));
/** As a crash leaves it: the queues of four batches are in the log and not in the tables. */
const pattern = join(root, 'crashed');
/** The same of another broker. */
const foreign = join(root, 'foreign');

beforeAll(async () => {
  for (const folder of [pattern, foreign]) {
    const dataDir = processes.folder();
    const broker = await processes.start(dataDir);
    await (await processes.channel(broker)).assertQueue('in the tables');
    expect((await broker.end('SIGTERM')).code).toBe(0);
    await leaveInLog(join(dataDir, 'store'), folder);
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

async function leaveInLog(store: string, folder: string): Promise<void> {
  const tables = await openLmdbStore(store);
  await applyLog(tables, store, {});
  const logged = await beginLog(tables, store, HELD, markClean);
  for (let n = 1; n <= 4; n++) {
    const row = { id: 1000 + n, name: `q${n}`, autoDelete: false, arguments: NO_ARGUMENTS };
    logged.put(TABLE_DEFINITIONS, rowKey('q', '/', `q${n}`), encodeRow(row));
    await commit(logged);
  }
  cpSync(store, join(folder, 'store'), { recursive: true });
  await logged.close();
}

/** A copy of such a folder, as one that is copied by hand while no broker runs. */
function crashed(from = pattern): string {
  const dataDir = processes.folder();
  cpSync(join(from, 'store'), join(dataDir, 'store'), { recursive: true });
  return dataDir;
}

const logOf = (dataDir: string): string => join(dataDir, 'store', LOG_FILE);

/** Changes one byte of the block at which the record with this place begins. */
function spoil(dataDir: string, block: number, at = 60): void {
  const bytes = readFileSync(logOf(dataDir));
  const offset = BLOCK_BYTES * block + at;
  bytes[offset] = (bytes[offset] as number) ^ 1;
  writeFileSync(logOf(dataDir), bytes);
}

async function spoilPosition(dataDir: string): Promise<void> {
  const tables = await openLmdbStore(join(dataDir, 'store'));
  const [row] = tables.range(TABLE_LOG, Buffer.alloc(0), Buffer.of(0xff));
  const { key, value } = row as { key: Buffer; value: Buffer };
  value[3] = (value[3] as number) ^ 1;
  tables.put(TABLE_LOG, key, value);
  await tables.close();
}

async function queuesOf(broker: BrokerProcess): Promise<string[]> {
  const found: string[] = [];
  for (const name of ['in the tables', 'q1', 'q2', 'q3', 'q4']) {
    const channel = await processes.channel(broker);
    channel.on('error', () => undefined);
    await channel.checkQueue(name).then(
      () => found.push(name),
      () => undefined,
    );
  }
  return found;
}

const linesAbout = (broker: BrokerProcess) =>
  broker.entries.filter(({ msg }) => String(msg).includes(LOG_FILE));

test('a start brings in what only the log has, says how much once, and nothing the next time', async () => {
  const dataDir = crashed();
  const broker = await processes.start(dataDir);
  expect(linesAbout(broker)).toEqual([
    expect.objectContaining({
      level: 'info',
      msg: 'the last batches were read back out of batches.log',
      records: 4,
      bytes: expect.any(Number),
      ms: expect.any(Number),
    }),
  ]);
  expect(await queuesOf(broker)).toEqual(['in the tables', 'q1', 'q2', 'q3', 'q4']);
  expect((await broker.end('SIGTERM')).code).toBe(0);
  const again = await processes.start(dataDir);
  expect(linesAbout(again)).toEqual([]);
});

test('a start says of a write that was cut off that nothing of it was confirmed', async () => {
  const dataDir = crashed();
  spoil(dataDir, 4);
  const broker = await processes.start(dataDir);
  expect(linesAbout(broker).map(({ level, msg, bytes }) => [level, msg, bytes])).toEqual([
    ['info', 'the last batches were read back out of batches.log', expect.any(Number)],
    [
      'info',
      'the last record of batches.log is not whole: as a rule a write that was cut off, of which nothing was confirmed',
      BLOCK_BYTES,
    ],
  ]);
});

test('a check brings in what only the log has, and says how much', async () => {
  const dataDir = crashed();
  const { code, out } = check(dataDir);
  expect(out).toMatch(
    /^\d+ rows, 5 durable queues, 0 messages in them\n4 records of batches\.log, \d+ bytes, that data\.mdb did not have: now it has them\nsound\n$/,
  );
  expect(code).toBe(0);
  const json = JSON.parse(check(dataDir, '--json').out);
  expect(json).toMatchObject({ status: 'sound', copy: null, logCopy: null });
  expect(json.log).toEqual({ records: 0, bytes: 0, tornBytes: 0, ms: 0, lost: null });
  expect(json.queues).toHaveLength(5);
});

test('a check says of a write that was cut off that nothing is lost', () => {
  const dataDir = crashed();
  spoil(dataDir, 4);
  const { code, out } = check(dataDir);
  expect(out).toMatch(
    /\n3 records of .*\na write to batches\.log of 4096 bytes that was cut off: nothing of it was confirmed\nsound\n$/,
  );
  expect(code).toBe(0);
});

const WHOLE = ['in the tables', 'q1', 'q2', 'q3', 'q4'];

/** What may be wrong, how it is said, which batches are lost, and which queues are there after a repair. */
const DAMAGES: Record<
  string,
  {
    readonly spoil: (dataDir: string) => void | Promise<void>;
    readonly what: RegExp;
    readonly batches: RegExp;
    readonly queues: readonly string[];
    readonly logCopy: boolean;
  }
> = {
  'a damaged record among others': {
    spoil: (dataDir) => spoil(dataDir, 2),
    what: /record (\d+) of \S+batches\.log is damaged, and 2 behind it cannot be used without it/,
    batches: /batches after record \d+, which were confirmed, are lost/,
    queues: WHOLE.slice(0, 2),
    logCopy: true,
  },
  'a file that is gone': {
    spoil: (dataDir) => rmSync(logOf(dataDir)),
    what: /\S+batches\.log is not there/,
    batches: /batches after record \d+, which were confirmed, are lost if there were any/,
    queues: WHOLE.slice(0, 1),
    logCopy: false,
  },
  'an empty file': {
    spoil: (dataDir) => writeFileSync(logOf(dataDir), ''),
    what: /\S+batches\.log is damaged at its beginning/,
    batches: /batches after record \d+, which were confirmed, are lost if there were any/,
    queues: WHOLE.slice(0, 1),
    logCopy: true,
  },
  'a file that was cut short': {
    spoil: (dataDir) => truncateSync(logOf(dataDir), 4 * BLOCK_BYTES),
    what: /\S+batches\.log has 16384 bytes of 16777216/,
    batches: /batches after record \d+, which were confirmed, are lost if there were any/,
    queues: WHOLE.slice(0, 4),
    logCopy: true,
  },
  'a file that is damaged at its beginning': {
    spoil: (dataDir) => spoil(dataDir, 0, 3),
    what: /\S+batches\.log is damaged at its beginning/,
    batches: /batches after record \d+, which were confirmed, are lost if there were any/,
    queues: WHOLE,
    logCopy: true,
  },
  'the file of another broker': {
    spoil: (dataDir) => cpSync(logOf(foreign), logOf(dataDir)),
    what: /\S+batches\.log belongs to other data/,
    batches: /batches after record \d+, which were confirmed, are lost if there were any/,
    queues: WHOLE.slice(0, 1),
    logCopy: true,
  },
  'a damaged row that says which records the tables have': {
    spoil: spoilPosition,
    what: /the row of the tables that says which records of \S+batches\.log they have is damaged/,
    batches: /batches that only the log had, which were confirmed, are lost if there were any/,
    queues: WHOLE.slice(0, 1),
    logCopy: true,
  },
};

for (const [name, { spoil: damage, what, batches, queues, logCopy }] of Object.entries(DAMAGES)) {
  test(`${name}: a start refuses, a check says so, a repair goes on without, a start serves`, async () => {
    const dataDir = crashed();
    await damage(dataDir);
    const refused = processes.spawn(['--data-dir', dataDir, '--port', '0']);
    expect((await refused.ended).code).toBe(1);
    expect(refused.stderr).toMatch(
      new RegExp(
        `^leveret: the last batches cannot be read: ${what.source}: bring .*leveret check --repair.*leveret restore.*\\n$`,
      ),
    );

    const before = readFileSync(join(dataDir, 'store', 'data.mdb'));
    const found = check(dataDir);
    expect(found.out).toMatch(
      new RegExp(`^damaged: log of batches: ${what.source}\\n.*--repair.*\\n$`),
    );
    expect(found.code).toBe(1);
    const json = JSON.parse(check(dataDir, '--json').out);
    expect(json).toMatchObject({ status: 'damaged', damage: [{ kind: 'log of batches' }] });
    expect(json.log.lost.batches).toMatch(new RegExp(`^${batches.source}$`));
    // A check of a damaged folder changes nothing in it.
    expect(readFileSync(join(dataDir, 'store', 'data.mdb')).equals(before)).toBe(true);

    const log = existsSync(logOf(dataDir)) ? readFileSync(logOf(dataDir)) : null;
    const repaired = check(dataDir, '--repair');
    expect(repaired.out).toMatch(new RegExp(`^damaged: log of batches: ${what.source}$`, 'm'));
    expect(repaired.out).toMatch(new RegExp(`^${batches.source}$`, 'm'));
    expect(repaired.out).toMatch(/^repaired: .* kept in \S+data\.mdb\.damaged-\d+/m);
    expect(repaired.code).toBe(1);
    const kept = readdirSync(dataDir).filter((each) => each.startsWith(`${LOG_FILE}.damaged-`));
    expect(kept).toHaveLength(logCopy ? 1 : 0);
    for (const each of kept) {
      expect(repaired.out).toContain(join(dataDir, each));
      expect(readFileSync(join(dataDir, each)).equals(log as Buffer)).toBe(true);
    }
    expect(check(dataDir)).toMatchObject({ code: 0, out: expect.stringMatching(/^sound$/m) });
    const broker = await processes.start(dataDir);
    expect(await queuesOf(broker)).toEqual(queues);
    expect((await broker.end('SIGTERM')).code).toBe(0);
  });
}

test('a copy by hand of a folder after a crash is restored with its log, and refused without it', async () => {
  const copy = crashed();
  const target = crashed(foreign);
  const settings = settingsOf('test', [['data_dir', target]]);
  expect(await restoreData(settings, copy, true)).toContain('store.before-');
  const broker = await processes.start(target);
  expect(await queuesOf(broker)).toEqual(WHOLE);
  expect((await broker.end('SIGTERM')).code).toBe(0);

  rmSync(logOf(copy));
  const all = [join(ROOT, 'bin', 'leveret'), 'restore', copy, '--data-dir', target, '--force'];
  const refused = spawnSync(process.execPath, all, { encoding: 'utf8' });
  expect(refused.stderr).toMatch(/is not restored: .*batches\.log is not there/);
  expect(refused.status).toBe(1);
});

test('a log is not brought into tables whose pages are damaged', async () => {
  const dataDir = crashed();
  const tables = await openLmdbStore(join(dataDir, 'store'));
  tables.put(200, Buffer.from('large'), Buffer.alloc(20_000, 'find me in the file '));
  await tables.close();
  const file = join(dataDir, 'store', 'data.mdb');
  const bytes = readFileSync(file);
  const page = Math.floor(bytes.indexOf('find me in the file ') / 4096) * 4096;
  // The page of this value says no longer in which transaction it was written.
  bytes[page + 8] = (bytes[page + 8] as number) ^ 1;
  writeFileSync(file, bytes);
  for (const args of [[], ['--repair']]) {
    const { code, out } = check(dataDir, ...args);
    expect(out).toMatch(/damaged: file: page \d+ is not the value that page \d+ means/);
    expect(out).not.toContain(LOG_FILE);
    expect(code).toBe(1);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  }
});

test('a folder of the format before has no log, and is of this one before anything is in its log', async () => {
  const dataDir = crashed();
  const setFormat = async (format: number | null): Promise<number> => {
    const tables = await openLmdbStore(join(dataDir, 'store'));
    const [row] = tables.range(TABLE_META, Buffer.from('format'), Buffer.from('formau'));
    const { key, value } = row as { key: Buffer; value: Buffer };
    const content = Buffer.from(value.subarray(0, -4));
    const before = content.readUInt32BE();
    if (format !== null) {
      content.writeUInt32BE(format);
      tables.put(TABLE_META, key, withChecksum(content));
      tables.remove(TABLE_LOG, Buffer.from('position'));
    }
    await tables.close();
    return before;
  };
  expect(await setFormat(FORMAT_VERSION - 1)).toBe(FORMAT_VERSION);
  rmSync(logOf(dataDir));
  // A look leaves it what it is: to go back takes a copy that the older Leveret reads.
  expect(check(dataDir).code).toBe(0);
  expect(await setFormat(null)).toBe(FORMAT_VERSION - 1);
  const broker = await processes.start(dataDir);
  expect(await queuesOf(broker)).toEqual(WHOLE.slice(0, 1));
  expect(existsSync(logOf(dataDir))).toBe(true);
  await broker.end('SIGKILL');
  expect(await setFormat(null)).toBe(FORMAT_VERSION);
});

test('a broker that is killed behind a confirm is compacted, looked at and started with what its log has', async () => {
  const dataDir = processes.folder();
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  await channel.assertQueue('q');
  for (let n = 0; n < 50; n++) {
    channel.sendToQueue('q', Buffer.from(String(n)), { persistent: true });
    await channel.waitForConfirms();
  }
  await broker.end('SIGKILL');
  const compacted = crashed(dataDir);
  const all = [join(ROOT, 'bin', 'leveret'), 'compact', '--data-dir', compacted];
  expect(spawnSync(process.execPath, all).status).toBe(0);
  for (const folder of [compacted, dataDir]) {
    expect(check(folder).out).toMatch(/1 durable queue, 50 messages in it\n(.*\n)?sound\n$/);
    const again = await processes.start(folder);
    expect((await (await processes.channel(again)).checkQueue('q')).messageCount).toBe(50);
    expect((await again.end('SIGTERM')).code).toBe(0);
  }
});
