import { expect, test } from 'vitest';
import { withChecksum } from '../../../src/store/checksum.ts';
import { CorruptRecordError } from '../../../src/store/errors.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import { putPlace, readPlace, removePlace } from '../../../src/store/replicated/place.ts';
import { TABLE_LOG } from '../../../src/store/tables.ts';
import { commit } from '../contract.ts';
import { LOG_ID } from './memory-log-client.ts';

const KEY = Buffer.from('place');

test('tables say how far they are in which log, up to the largest place', async () => {
  const tables = openMemoryStore();
  expect(readPlace(tables)).toBeNull();
  const most = 2 ** 48 - 1;
  for (const n of [0, 1, most]) {
    const place = { logId: LOG_ID, seq: n, epoch: n, number: n, digest: n % 2 ** 32 };
    putPlace(tables, place);
    await commit(tables);
    expect(readPlace(tables)).toEqual(place);
  }
  expect(() =>
    putPlace(tables, { logId: LOG_ID, seq: most + 1, epoch: 0, number: 0, digest: 0 }),
  ).toThrow(RangeError);
  removePlace(tables);
  await commit(tables);
  expect(readPlace(tables)).toBeNull();
});

test('a damaged place is told', async () => {
  const tables = openMemoryStore();
  putPlace(tables, { logId: LOG_ID, seq: 7, epoch: 1, number: 6, digest: 5 });
  await commit(tables);
  const row = tables.get(TABLE_LOG, KEY) as Buffer;
  for (let at = 0; at < row.length; at += 1) {
    const other = Buffer.from(row);
    other[at] = (row[at] as number) ^ 1;
    tables.put(TABLE_LOG, KEY, other);
    await commit(tables);
    expect(() => readPlace(tables)).toThrow(CorruptRecordError);
  }
  tables.put(TABLE_LOG, KEY, withChecksum(Buffer.alloc(34)));
  await commit(tables);
  expect(() => readPlace(tables)).toThrow('its length is not that of a place');
});
