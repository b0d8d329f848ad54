// Owns the tests of a folder whose data is gone: no broker starts there as if it were new, and each verb says so.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { headerBlock } from '../../src/store/log/ring/format.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
let dataDir = '';

const dataFile = (): string => join(dataDir, 'store', 'data.mdb');

beforeEach(async () => {
  dataDir = processes.folder();
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  await channel.assertQueue('kept');
  channel.sendToQueue('kept', Buffer.from('kept'), { persistent: true });
  await channel.waitForConfirms();
  expect((await broker.end('SIGTERM')).code).toBe(0);
});

interface Said {
  readonly code: number | null;
  readonly text: string;
}

function leveret(...args: string[]): Said {
  const all = [join(ROOT, 'bin', 'leveret'), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

/** A start, and all verbs for a stopped broker, refuse and leave the folder as it is. */
function expectRefusedEverywhere(found: RegExp): void {
  const before = readdirSync(dataDir, { recursive: true }).filter((name) => !isLock(name));
  const verbs = [
    ['start', '--port', '0'],
    ['check'],
    ['check', '--repair'],
    ['compact'],
    ['list_users'],
    ['add_user', 'somebody', 'secret'],
  ];
  for (const verb of verbs) {
    const said = leveret(...verb, '--data-dir', dataDir);
    expect(said, verb.join(' ')).toMatchObject({ code: 1 });
    expect(said.text.trimEnd().split('\n'), verb.join(' ')).toHaveLength(1);
    expect(said.text).toMatch(/the data of the broker in .* is gone/);
    expect(said.text).toMatch(found);
    expect(said.text).toMatch(/leveret restore.*begin anew/);
  }
  const after = readdirSync(dataDir, { recursive: true }).filter((name) => !isLock(name));
  expect(after).toEqual(before);
}

const isLock = (name: unknown): boolean => String(name).startsWith('lock');

describe('a folder that has held data is not taken for a new one', () => {
  test('when data.mdb is empty', () => {
    truncateSync(dataFile(), 0);
    expectRefusedEverywhere(/data\.mdb is empty/);
    expect(statSync(dataFile()).size).toBe(0);
  });

  test('when data.mdb is not there', () => {
    rmSync(dataFile());
    expectRefusedEverywhere(/data\.mdb is not there/);
  });

  test('when the folder store is not there', () => {
    rmSync(join(dataDir, 'store'), { recursive: true });
    expectRefusedEverywhere(/store is not there/);
  });

  test('when data.mdb is that of a store in which nothing was written', async () => {
    const other = processes.folder();
    const { openLmdbStore } = await import('../../src/store/lmdb/open.ts');
    await (await openLmdbStore(other, { reserveBytes: 0 })).close();
    cpSync(join(other, 'data.mdb'), dataFile());
    const said = leveret('start', '--port', '0', '--data-dir', dataDir);
    expect(said).toMatchObject({ code: 1 });
    expect(said.text).toMatch(/data\.mdb holds nothing/);
    // The first refusal has not made it look like one that is sound.
    expect(leveret('check', '--data-dir', dataDir)).toMatchObject({
      code: 1,
      text: said.text.slice(9),
    });
  });

  test('when it is of before the note has-data was written, by what LMDB has noted', () => {
    rmSync(join(dataDir, 'has-data'));
    truncateSync(dataFile(), 0);
    expectRefusedEverywhere(/lock\.mdb says that there was data/);
  });

  test('when all that is left is the log of batches', () => {
    for (const name of ['has-data', 'store/data.mdb', 'store/lock.mdb'])
      rmSync(join(dataDir, name));
    expectRefusedEverywhere(/data\.mdb is not there, and .*batches\.log says that there was data/);
  });

  test('when a restore was cut short between its two renames', () => {
    rmSync(join(dataDir, 'has-data'));
    renameSync(join(dataDir, 'store'), join(dataDir, 'store.before-1'));
    expectRefusedEverywhere(/store\.before-1 says that there was data/);
  });
});

test('a data.mdb that is cut anywhere in its head is refused by the start and by check', () => {
  for (const bytes of [8191, 4096, 200, 100, 1]) {
    truncateSync(dataFile(), bytes);
    for (const verb of [['start', '--port', '0'], ['check']]) {
      const said = leveret(...verb, '--data-dir', dataDir);
      expect(said, `${verb} ${bytes}`).toMatchObject({ code: 1 });
      expect(said.text).toMatch(/^[^\n]*data\.mdb is cut short[^\n]*\n$/);
    }
    expect(statSync(dataFile()).size).toBe(bytes);
  }
});

test('a folder whose data is gone takes a copy back', async () => {
  const copy = processes.folder();
  cpSync(join(dataDir, 'store'), join(copy, 'store'), { recursive: true });
  rmSync(join(dataDir, 'store'), { recursive: true });
  expect(leveret('restore', copy, '--data-dir', dataDir)).toMatchObject({ code: 0 });
  const channel = await processes.channel(await processes.start(dataDir));
  expect((await channel.checkQueue('kept')).messageCount).toBe(1);
});

test('what a restore, a repair and a compaction left that were killed is cleared away by the next start', async () => {
  for (const name of ['store.restoring', 'store.compacting']) {
    mkdirSync(join(dataDir, name));
    writeFileSync(join(dataDir, name, 'data.mdb'), 'half');
  }
  writeFileSync(join(dataDir, 'data.mdb.copying'), 'half');
  const broker = await processes.start(dataDir);
  const channel = await processes.channel(broker);
  expect((await channel.checkQueue('kept')).messageCount).toBe(1);
  expect(readdirSync(dataDir).sort()).toEqual(['control', 'has-data', 'lock', 'store']);
});

describe('a folder is new', () => {
  test('when a start was killed before its first batch: locks, an empty store, no commit', async () => {
    for (const name of ['has-data', 'store']) rmSync(join(dataDir, name), { recursive: true });
    mkdirSync(join(dataDir, 'store'));
    writeFileSync(join(dataDir, 'store', 'lock.mdb'), Buffer.alloc(8192));
    const log = Buffer.alloc(2 ** 20);
    headerBlock({ fileBytes: log.length, salt: 'ab'.repeat(8) }).copy(log);
    writeFileSync(join(dataDir, 'store', 'batches.log'), log);
    writeFileSync(dataFile(), '');
    const broker = await processes.start(dataDir);
    expect(await broker.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(existsSync(join(dataDir, 'has-data'))).toBe(true);
  });

  test('to verbs for a stopped broker, which make nothing there', () => {
    const fresh = join(processes.folder(), 'fresh');
    for (const verb of [['list_users'], ['compact']]) {
      const said = leveret(...verb, '--data-dir', fresh);
      expect(said).toMatchObject({ code: 1 });
      expect(said.text).toMatch(/^leveret: there is no data of a broker in [^\n]+\n$/);
    }
    expect(leveret('check', '--data-dir', fresh)).toMatchObject({ code: 2 });
    expect(existsSync(fresh)).toBe(false);
  });
});
