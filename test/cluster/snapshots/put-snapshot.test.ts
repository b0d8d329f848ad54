import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type PutPlace, putSnapshot } from '../../../src/cluster/snapshots/put-snapshot.ts';
import { StoreError } from '../../../src/store/errors.ts';
import { signOfData } from '../../../src/store/has-data.ts';
import { placeOfCopy } from '../../../src/store/lmdb/place-of-copy.ts';
import { LOG, OTHER_LOG, placeAt, textIn, useFolder, writeTables } from './tables.ts';

const folder = useFolder();

/** Where a snapshot is put; the tables there are at `old`, undefined: there are none, null: of no log. */
async function put(old: ReturnType<typeof placeAt> | null | undefined, means: Partial<PutPlace>) {
  const dataDir = folder();
  mkdirSync(dataDir);
  const store = join(dataDir, 'store');
  if (old !== undefined) await writeTables(store, old, 'old');
  const fetched = join(dataDir, 'snapshots', 'fetching');
  await writeTables(fetched, placeAt(50), 'new');
  const place: PutPlace = {
    dataDir,
    logId: LOG,
    placeOf: placeOfCopy,
    isEmpty: async () => false,
    check: async () => {},
    ...means,
  };
  return { dataDir, store, fetched, put: () => putSnapshot(fetched, place) };
}

describe('a snapshot', () => {
  test('takes the place of older tables of the same log, and of none', async () => {
    for (const old of [undefined, placeAt(10), placeAt(50)]) {
      const { put: putIt, store, dataDir, fetched } = await put(old, {});
      mkdirSync(store, { recursive: true });
      writeFileSync(join(store, 'batches.log'), 'of a broker alone');
      expect(await putIt()).toEqual(placeAt(50));
      expect(await textIn(store)).toBe('new');
      expect(existsSync(fetched)).toBe(false);
      expect(existsSync(join(store, 'batches.log'))).toBe(false);
      expect(await signOfData(dataDir)).toBe(join(dataDir, 'has-data'));
    }
  });

  test('takes the place of tables without a log that hold nothing', async () => {
    const { put: putIt, store } = await put(null, { isEmpty: async () => true });
    await putIt();
    expect(await textIn(store)).toBe('new');
  });

  test.each([
    ['of another log', placeAt(10), { logId: OTHER_LOG }, /not of the log/],
    ['where the data is of another log', placeAt(10, OTHER_LOG), {}, /is not replaced/],
    ['where the data is of a broker of its own', null, {}, /is not replaced/],
    ['older than the tables', placeAt(51), {}, /has all up to 51/],
    [
      'that is damaged',
      placeAt(10),
      { check: () => Promise.reject(new StoreError('a row is damaged', 'try another peer')) },
      /a row is damaged/,
    ],
  ])('%s changes nothing', async (_what, old, means: Partial<PutPlace>, text) => {
    const { put: putIt, store } = await put(old, means);
    await expect(putIt()).rejects.toThrow(text);
    expect(await textIn(store)).toBe('old');
  });
});
