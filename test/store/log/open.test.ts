import { randomInt } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/errors.ts';
import { markClean } from '../../../src/store/lmdb/mark-clean.ts';
import { openLmdbStore } from '../../../src/store/lmdb/open.ts';
import type { LoggedStore } from '../../../src/store/log/logged-store.ts';
import { applyLog, beginLog, type LogOptions, type Replay } from '../../../src/store/log/open.ts';
import { type LogPosition, putPosition, readPosition } from '../../../src/store/log/position.ts';
import { LOG_FILE } from '../../../src/store/log/ring/file.ts';
import { BLOCK_BYTES } from '../../../src/store/log/ring/format.ts';
import { openStore } from '../../../src/store/opened-store.ts';
import { TABLE_LOG } from '../../../src/store/tables.ts';
import { commit } from '../contract.ts';

const T = 7;
/** Nothing goes into the tables by itself. */
const HELD = { logBytes: 2 ** 20, directBytes: Infinity, applyMs: 600_000, applyBytes: Infinity };
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const folders: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-log-'));
  folders.push(folder);
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function open(
  folder: string,
  options: LogOptions = HELD,
): Promise<{ store: LoggedStore; replay: Replay }> {
  const tables = await openLmdbStore(folder, { reserveBytes: 0 });
  try {
    const replay = await applyLog(tables, folder, options);
    return { store: await beginLog(tables, folder, options, markClean), replay };
  } catch (error) {
    await tables.close(false);
    throw error;
  }
}

/** A folder as a crash leaves it, with so many batches in the log that the tables do not have. */
async function crashed(batches = 5): Promise<string> {
  const folder = newFolder();
  const { store } = await open(folder);
  for (let n = 1; n <= batches; n++) {
    store.put(T, bytes(`key ${n}`), bytes(`value ${n}`));
    store.put(T, bytes('last'), bytes(String(n)));
    await commit(store);
  }
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  await store.close();
  return copy;
}

async function flip(folder: string, at: number): Promise<void> {
  const file = join(folder, LOG_FILE);
  const content = await readFile(file);
  content[at] = (content[at] as number) ^ 1;
  writeFileSync(file, content);
}

const textOf = (store: LoggedStore, key: string): string | undefined =>
  store.get(T, bytes(key))?.toString();

test('a start after a crash has all that was durable, and the next one too', async () => {
  const folder = await crashed();
  const { store, replay } = await open(folder);
  expect(replay).toMatchObject({ records: 5, tornBytes: 0, lost: null });
  expect(textOf(store, 'last')).toBe('5');
  expect(textOf(store, 'key 1')).toBe('value 1');
  await store.close();
  const again = await open(folder);
  expect(again.replay.records).toBe(0);
  expect(textOf(again.store, 'key 5')).toBe('value 5');
  await again.store.close();
});

test('crash after crash, what was durable is there: also when a start is cut off', async () => {
  let folder = newFolder();
  for (let round = 1; round <= 6; round++) {
    const { store } = await open(folder);
    expect(textOf(store, 'last')).toBe(round === 1 ? undefined : String(round - 1));
    store.put(T, bytes('last'), bytes(String(round)));
    await commit(store);
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    await store.close();
    folder = copy;
  }
});

test('a write that was cut off is nothing: it was not acknowledged', async () => {
  const folder = await crashed();
  // The last record is the fifth; none behind it says that it was durable.
  await flip(folder, BLOCK_BYTES * 5 + 60);
  const { store, replay } = await open(folder);
  expect(replay).toMatchObject({ records: 4, tornBytes: BLOCK_BYTES, lost: null });
  expect(textOf(store, 'last')).toBe('4');
  await store.close();
});

test('damage in the midst is refused, and what is before it is kept on demand', async () => {
  const folder = await crashed();
  await flip(folder, BLOCK_BYTES * 3 + 60);
  const refused = await open(folder).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StoreError);
  expect((refused as StoreError).damaged).toBe(true);
  expect((refused as StoreError).message).toMatch(
    /^the last batches cannot be read: record 3 of .*batches\.log is damaged, and 2 behind it cannot be used without it: bring that file back/,
  );
  const { store, replay } = await open(folder, { ...HELD, withoutDamaged: true });
  expect(replay.lost?.what).toMatch(/record 3 of .* is damaged/);
  expect(textOf(store, 'last')).toBe('2');
  await store.close();
  const again = await open(folder);
  expect(textOf(again.store, 'last')).toBe('2');
  await again.store.close();
});

test('a log that is not there, or belongs to other data, is refused by name', async () => {
  const folder = await crashed();
  const other = await crashed();
  cpSync(join(other, LOG_FILE), join(folder, LOG_FILE));
  await expect(open(folder)).rejects.toThrow(/batches\.log belongs to other data/);
  truncateSync(join(folder, LOG_FILE), 2 ** 19);
  await expect(open(folder)).rejects.toThrow(/batches\.log has 524288 bytes of 1048576/);
  await flip(folder, 3);
  await expect(open(folder)).rejects.toThrow(/batches\.log is damaged at its beginning/);
  rmSync(join(folder, LOG_FILE));
  mkdirSync(join(folder, LOG_FILE));
  await expect(open(folder)).rejects.toThrow(/batches\.log is no file, and cannot be the log/);
  rmSync(join(folder, LOG_FILE), { recursive: true });
  writeFileSync(join(folder, LOG_FILE), '');
  truncateSync(join(folder, LOG_FILE), 2 ** 40);
  await expect(open(folder)).rejects.toThrow(/batches\.log has 1099511627776 bytes, and cannot/);
  rmSync(join(folder, LOG_FILE));
  await expect(open(folder)).rejects.toThrow(/batches\.log is not there/);
  const { store, replay } = await open(folder, { ...HELD, withoutDamaged: true });
  expect(replay.lost?.what).toMatch(/is not there/);
  expect(textOf(store, 'last')).toBeUndefined();
  await store.close();
});

test('a file that is cut short is refused, though what is left of it is whole', async () => {
  const folder = await crashed();
  const file = join(folder, LOG_FILE);
  truncateSync(file, BLOCK_BYTES * 4);
  await expect(open(folder)).rejects.toThrow(/batches\.log has 16384 bytes of 1048576: bring/);
  const { store, replay } = await open(folder, { ...HELD, withoutDamaged: true });
  expect(replay).toMatchObject({ records: 3 });
  expect(textOf(store, 'last')).toBe('3');
  await store.close();
});

test('a damaged beginning takes no record away from a repair', async () => {
  const folder = await crashed();
  await flip(folder, 20);
  await expect(open(folder)).rejects.toThrow(/batches\.log is damaged at its beginning/);
  const { store, replay } = await open(folder, { ...HELD, withoutDamaged: true });
  expect(replay.lost?.what).toMatch(/damaged at its beginning/);
  expect(textOf(store, 'last')).toBe('5');
  await store.close();
});

test.each([
  ['damaged', (value: Buffer) => Buffer.concat([value.subarray(0, 9), Buffer.alloc(12)])],
  ['damaged', () => Buffer.alloc(3)],
  ['not there', () => null],
])('where the row of the position is %s, a start is refused by name', async (wrong, spoil) => {
  const folder = await crashed();
  const tables = await openLmdbStore(folder, { reserveBytes: 0 });
  const row = [...tables.range(TABLE_LOG, Buffer.alloc(0), Buffer.alloc(9, 0xff))];
  expect(row).toHaveLength(1);
  for (const { key, value } of row) {
    const spoilt = spoil(value);
    if (spoilt === null) tables.remove(TABLE_LOG, key);
    else tables.put(TABLE_LOG, key, spoilt);
  }
  await tables.close();
  const refused = await open(folder).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StoreError);
  expect((refused as StoreError).damaged).toBe(true);
  expect((refused as StoreError).message).toMatch(
    new RegExp(`which records of .*batches\\.log they have is ${wrong}: `),
  );
  const { store, replay } = await open(folder, { ...HELD, withoutDamaged: true });
  expect(replay.lost?.what).toMatch(new RegExp(`is ${wrong}$`));
  store.put(T, bytes('last'), bytes('anew'));
  await commit(store);
  await store.close();
  const again = await open(folder);
  expect(textOf(again.store, 'last')).toBe('anew');
  await again.store.close();
});

test('a log whose tables are gone is refused, and stays', async () => {
  const dataDir = newFolder();
  const path = join(dataDir, 'store');
  cpSync(await crashed(), path, { recursive: true });
  rmSync(join(path, 'data.mdb'));
  const place = { dataDir, memory: false, commitTimeoutMs: 30_000 };
  for (let n = 0; n < 2; n++) {
    await expect(openStore(place, 'test')).rejects.toThrow(/batches\.log says that there was data/);
  }
});

test('a row that is older than the log says is refused: what lies between was applied, and written over', async () => {
  const folder = newFolder();
  const options = { ...HELD, logBytes: 2 ** 16, applyMs: 1 };
  const { store } = await open(folder, options);
  for (let n = 1; n <= 40; n++) {
    store.put(T, bytes('last'), bytes(String(n)));
    await commit(store);
  }
  await store.copyTo(newFolder());
  store.put(T, bytes('last'), bytes('end'));
  await commit(store);
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  await store.close();
  const tables = await openLmdbStore(copy, { reserveBytes: 0 });
  const now = readPosition(tables) as LogPosition;
  putPosition(tables, { ...now, number: 2 });
  await tables.close();
  await expect(open(copy, options)).rejects.toThrow(/record 3 of .* is damaged/);
});

test('after a clean stop no log is needed, and a wrong one does no harm', async () => {
  const folder = newFolder();
  const { store } = await open(folder);
  store.put(T, bytes('a'), bytes('one'));
  await commit(store);
  await store.close();
  cpSync(join(await crashed(), LOG_FILE), join(folder, LOG_FILE));
  const again = await open(folder);
  expect(textOf(again.store, 'a')).toBe('one');
  await again.store.close();
  rmSync(join(folder, LOG_FILE));
  const third = await open(folder);
  expect(textOf(third.store, 'a')).toBe('one');
  await third.store.close();
});

test('a copy needs no log, and has what only the log had', async () => {
  const folder = newFolder();
  const { store } = await open(folder);
  store.put(T, bytes('a'), bytes('one'));
  await commit(store);
  const copy = newFolder();
  await store.copyTo(copy);
  store.put(T, bytes('b'), bytes('later'));
  await commit(store);
  const copied = await open(copy);
  expect(textOf(copied.store, 'a')).toBe('one');
  expect(textOf(copied.store, 'b')).toBeUndefined();
  await copied.store.close();
  await store.close();
});

test('a log of another size is made anew', async () => {
  const folder = newFolder();
  const { store } = await open(folder);
  store.put(T, bytes('a'), bytes('one'));
  await store.close();
  const larger = await open(folder, { ...HELD, logBytes: 2 ** 21 });
  expect(larger.store.logCounts.logBytes).toBe(2 ** 21);
  larger.store.put(T, bytes('b'), Buffer.alloc(300_000));
  await commit(larger.store);
  await larger.store.close();
});

test('random batches, crashes and clean stops agree with a plain map', async () => {
  let seed = Number(process.env['SEED'] ?? randomInt(1, 2 ** 31));
  console.log(`log and tables: SEED=${seed}`);
  const random = (below: number): number => {
    seed = (seed * 48271 + 11) % 2147483647;
    return seed % below;
  };
  const durable = new Map<string, string>();
  let folder = newFolder();
  for (let life = 0; life < 12; life++) {
    const options = { logBytes: 2 ** 18, directBytes: 4096, applyMs: 1 + random(20) };
    const { store } = await open(folder, options);
    const rows = [...store.range(T, bytes(''), bytes('~'))];
    expect(rows.map(({ key, value }) => [key.toString(), value.toString()])).toEqual(
      [...durable].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    for (let n = random(60); n > 0; n--) {
      for (let changes = random(12); changes >= 0; changes--) {
        const key = `key ${String(random(300)).padStart(3, '0')}`;
        const kind = random(10);
        if (kind < 6) {
          const value = `${n} `.repeat(random(random(5) === 0 ? 3000 : 20));
          store.put(T, bytes(key), bytes(value));
          durable.set(key, value);
        } else if (kind < 9) {
          store.remove(T, bytes(key));
          durable.delete(key);
        } else {
          const to = `key ${String(random(300)).padStart(3, '0')}`;
          if (to < key) continue;
          store.removeRange(T, bytes(key), bytes(to));
          for (const each of [...durable.keys()])
            if (each >= key && each < to) durable.delete(each);
        }
      }
      await commit(store);
      expect([...store.keys(T, bytes(''), bytes('~'))].map((key) => key.toString())).toEqual(
        [...durable.keys()].sort(),
      );
    }
    if (random(3) === 0) {
      await store.close();
      continue;
    }
    // Nothing is appended meanwhile; the tables may be, as they may be when a process is killed.
    const crash = newFolder();
    cpSync(folder, crash, { recursive: true });
    await store.close();
    folder = crash;
  }
});
