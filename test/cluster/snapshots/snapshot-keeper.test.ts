import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  SnapshotKeeper,
  type SnapshotMeans,
} from '../../../src/cluster/snapshots/snapshot-keeper.ts';
import { StoreError } from '../../../src/store/errors.ts';
import { checkTrees } from '../../../src/store/lmdb/check-tree.ts';
import { placeOfCopy } from '../../../src/store/lmdb/place-of-copy.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { LOG, OTHER_LOG, placeAt, textIn, useFolder, writeTables } from './tables.ts';

const check = async (copy: string): Promise<void> => {
  const [wrong] = await checkTrees(copy);
  if (wrong !== undefined) throw new StoreError(`the copy is damaged (${wrong})`, 'look at it');
};

const folder = useFolder();

/** A keeper of snapshots of tables that are at `seq`, and what it has said. */
function keeperOf(path: string, means: Partial<SnapshotMeans> = {}, logId = LOG) {
  const said: { reason?: string; text: string }[] = [];
  const say = (fields: object, text: string): unknown => said.push({ ...fields, text });
  const tables = { seq: 1, checks: 0 };
  const all: SnapshotMeans = {
    copyTo: (to) => writeTables(to, placeAt(tables.seq), `at ${tables.seq}`),
    placeOf: placeOfCopy,
    check: async () => {
      tables.checks += 1;
    },
    ...means,
  };
  const keeper = new SnapshotKeeper(path, logId, all, systemClock, { info: say, warn: say });
  const make = (seq: number) => {
    tables.seq = seq;
    return keeper.make();
  };
  return { keeper, make, tables, said };
}

/** A folder with snapshots at these places. */
async function folderWith(...seqs: number[]): Promise<string> {
  const path = folder();
  const { keeper, make } = keeperOf(path);
  await keeper.start();
  for (const seq of seqs) await make(seq);
  return path;
}

/** The places that count, after a start. */
async function startOn(path: string, logId = LOG) {
  const { keeper, said } = keeperOf(path, {}, logId);
  await keeper.start();
  return { seqs: keeper.list.map(({ place }) => place.seq), said, keeper };
}

describe('snapshots', () => {
  test('are made with their place, checked, and found again by a start', async () => {
    const path = folder();
    const { keeper, make, tables } = keeperOf(path);
    await keeper.start();
    expect(keeper.newest).toBeNull();
    const made = await make(5);
    expect(made.place).toEqual(placeAt(5));
    expect(tables.checks).toBe(1);
    const { keeper: again } = await startOn(path);
    expect(again.list).toEqual([made]);
    expect(await textIn(made.folder)).toBe('at 5');
  });

  test('are kept two at a time, the newest', async () => {
    const path = await folderWith(9, 10, 11);
    expect((await startOn(path)).seqs).toEqual([11, 10]);
    expect(readdirSync(path)).toHaveLength(2);
  });

  test('are not made again where the tables are no further', async () => {
    const { keeper, make, tables } = keeperOf(folder());
    await keeper.start();
    const first = await make(5);
    expect(await make(5)).toBe(first);
    expect(tables.checks).toBe(1);
  });

  test('are made one at a time', async () => {
    const { keeper } = keeperOf(folder());
    await keeper.start();
    const [first, second] = await Promise.all([keeper.make(), keeper.make()]);
    expect(first).toBe(second);
  });

  test('that fail their check, or cannot be copied, leave nothing', async () => {
    const wrong = new StoreError('a row is damaged', 'see the disk');
    const path = folder();
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const nothing = { placeOf: () => Promise.resolve(null) };
    const foreign = { placeOf: () => Promise.resolve(placeAt(1, OTHER_LOG)) };
    for (const [means, why] of [
      [{ check: () => Promise.reject(wrong) }, 'a row is damaged'],
      [{ copyTo: () => Promise.reject(full) }, 'no space'],
      [nothing, 'the tables have nothing of the log yet'],
      [foreign, 'the tables are not those of the log'],
    ] as const) {
      const { keeper } = keeperOf(path, means);
      await keeper.start();
      const made = keeper.make();
      await expect(made).rejects.toThrow(StoreError);
      await expect(made).rejects.toThrow(why);
      expect(keeper.list).toEqual([]);
      expect(readdirSync(path)).toEqual([]);
    }
  });

  test('whose pages are not what they should be are not kept', async () => {
    const path = folder();
    const sound = keeperOf(path, { check });
    await sound.keeper.start();
    await sound.make(5);
    const spoil = async (copy: string): Promise<void> => {
      const file = join(copy, 'data.mdb');
      const bytes = readFileSync(file);
      // Each page behind the two of the head begins with its own number.
      for (let at = 2 * 4096; at < bytes.length; at += 4096) bytes.writeUInt8(0xee, at);
      writeFileSync(file, bytes);
      await check(copy);
    };
    const { keeper, tables } = keeperOf(path, { check: spoil });
    await keeper.start();
    tables.seq = 6;
    await expect(keeper.make()).rejects.toThrow(/is damaged/);
    expect(readdirSync(path)).toEqual(['000000000000005']);
  });

  test('that did not come to their end are dropped by a start', async () => {
    const path = await folderWith(5, 6);
    await writeTables(join(path, 'making'), placeAt(7), 'half');
    rmSync(join(path, '000000000000006', 'snapshot.json'));
    const { seqs, said } = await startOn(path);
    expect(seqs).toEqual([5]);
    expect(said.map(({ text }) => text)).toEqual(['snapshot dropped', 'snapshot dropped']);
    expect(readdirSync(path)).toEqual(['000000000000005']);
  });

  test.each(['', 'null', '{"seq":6', '\u0000'.repeat(100), 'x'.repeat(100_000)])(
    'with a damaged head are dropped with a warning (%#)',
    async (text) => {
      const path = await folderWith(5, 6);
      writeFileSync(join(path, '000000000000006', 'snapshot.json'), text);
      const { seqs, said } = await startOn(path);
      expect(seqs).toEqual([5]);
      expect(said[0]?.reason).toBe('its snapshot.json is damaged');
    },
  );

  test('of another length than was written are dropped', async () => {
    const path = await folderWith(5, 6);
    appendFileSync(join(path, '000000000000006', 'data.mdb'), 'x');
    expect((await startOn(path)).seqs).toEqual([5]);
  });

  test('of another log do not count', async () => {
    const path = await folderWith(5);
    const { seqs, said } = await startOn(path, OTHER_LOG);
    expect(seqs).toEqual([]);
    expect(said[0]?.reason).toBe('it is of another log');
  });

  test('that turn out damaged are dropped', async () => {
    const { keeper } = await startOn(await folderWith(5, 6));
    const { newest } = keeper;
    if (newest === null) throw new Error('there is none');
    await keeper.damaged(newest);
    expect(keeper.newest?.place.seq).toBe(5);
    expect(existsSync(newest.folder)).toBe(false);
  });

  test('are due after so many bytes, and after hours in which anything was logged', () => {
    const hours = 3_600_000;
    expect(SnapshotKeeper.isDue(100, 0, 100)).toBe(true);
    expect(SnapshotKeeper.isDue(99, 5 * hours, 100)).toBe(false);
    expect(SnapshotKeeper.isDue(1, 6 * hours, 100)).toBe(true);
    expect(SnapshotKeeper.isDue(0, 60 * hours, 100)).toBe(false);
    // The time of day was set back.
    expect(SnapshotKeeper.isDue(1, -6 * hours, 100)).toBe(true);
    expect(SnapshotKeeper.isDue(1, -5 * hours, 100)).toBe(false);
  });

  test('say which folder cannot be used', async () => {
    const path = folder();
    writeFileSync(path, 'a file');
    await expect(keeperOf(path).keeper.start()).rejects.toThrow(/folder of snapshots/);
  });
});
