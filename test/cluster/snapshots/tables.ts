// Tables of a replicated log in folders, as small as can be, for the tests of snapshots.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openLmdbStore } from '../../../src/store/lmdb/open.ts';
import { type LogPlace, putPlace } from '../../../src/store/replicated/place.ts';
import { TABLE_DEFINITIONS } from '../../../src/store/tables.ts';

export const LOG = 'ab'.repeat(16);
export const OTHER_LOG = 'cd'.repeat(16);

const ROW = Buffer.from('row');

/** A folder that is gone when the tests of the file are over. */
export function useFolder(): () => string {
  const made = mkdtempSync(join(tmpdir(), 'leveret-snapshots-'));
  let count = 0;
  afterAll(() => rmSync(made, { recursive: true, force: true }));
  return () => join(made, String(count++));
}

export const placeAt = (seq: number, logId = LOG): LogPlace => ({
  logId,
  seq,
  epoch: 1,
  number: seq,
  digest: 0,
});

/** Writes tables with one row of text, at a place of the log; null: of no log. */
export async function writeTables(
  folder: string,
  place: LogPlace | null,
  text: string,
): Promise<void> {
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  store.put(TABLE_DEFINITIONS, ROW, Buffer.from(text));
  if (place !== null) putPlace(store, place);
  await store.close();
}

/** The text in tables. */
export async function textIn(folder: string): Promise<string | undefined> {
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  const text = store.get(TABLE_DEFINITIONS, ROW)?.toString();
  await store.close();
  return text;
}
