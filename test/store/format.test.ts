import { expect, test } from 'vitest';
import { withChecksum } from '../../src/store/checksum.ts';
import { CorruptRecordError, TooNewError } from '../../src/store/errors.ts';
import { checkFormat, FORMAT_VERSION, putFormat, refuseNewer } from '../../src/store/format.ts';
import { openMemoryStore } from '../../src/store/memory/engine.ts';
import type { Store } from '../../src/store/port.ts';
import { TABLE_META, TABLE_PAGES } from '../../src/store/tables.ts';
import { commit } from './contract.ts';

const KEY = Buffer.from('format');

async function storeOfFormat(format: number, writer: string): Promise<Store> {
  const store = openMemoryStore();
  const content = Buffer.alloc(4 + writer.length);
  content.writeUInt32BE(format);
  content.write(writer, 4);
  store.put(TABLE_META, KEY, withChecksum(content));
  await commit(store);
  return store;
}

test('an empty store is given the format with its first change', async () => {
  const store = openMemoryStore();
  checkFormat(store, '1.2.3');
  expect(store.dirty).toBe(true);
  await commit(store);
  expect(store.get(TABLE_META, KEY)?.toString('latin1')).toContain('1.2.3');
  checkFormat(store, '1.3.0');
  expect(store.dirty).toBe(false);
});

test('a store of this format is opened', async () => {
  const store = await storeOfFormat(FORMAT_VERSION, '1.0.0');
  checkFormat(store, '1.2.3');
  expect(store.dirty).toBe(false);
});

test('a store of an older format is opened, and is of this one with its next change', async () => {
  const store = await storeOfFormat(FORMAT_VERSION - 1, '0.9.0');
  checkFormat(store, '1.2.3');
  await commit(store);
  expect(store.get(TABLE_META, KEY)?.readUInt32BE()).toBe(FORMAT_VERSION);
});

test('an older format may stay, until one is put', async () => {
  const store = await storeOfFormat(FORMAT_VERSION - 1, '0.9.0');
  checkFormat(store, '1.2.3', true);
  expect(store.dirty).toBe(false);
  putFormat(store, FORMAT_VERSION, '1.3.0');
  await commit(store);
  checkFormat(store, '1.2.3');
  expect(store.dirty).toBe(false);
});

test('a copy of a newer format is refused by its name', async () => {
  refuseNewer(openMemoryStore(), 'the copy');
  refuseNewer(await storeOfFormat(FORMAT_VERSION, '1.0.0'), 'the copy');
  const store = await storeOfFormat(FORMAT_VERSION + 1, '9.9.9');
  expect(() => refuseNewer(store, 'the copy')).toThrow(
    'the copy was written by a newer Leveret, 9.9.9 (format 7, this one reads up to 6): start Leveret 9.9.9 or later on it',
  );
});

test('a store of a newer format is refused, naming who can read it', async () => {
  const store = await storeOfFormat(FORMAT_VERSION + 1, '9.9.9');
  expect(() => checkFormat(store, '1.2.3')).toThrow(TooNewError);
  expect(() => checkFormat(store, '1.2.3')).toThrow(
    /newer Leveret, 9\.9\.9 \(format 7, this one reads up to 6\): start Leveret 9\.9\.9 or later/,
  );
});

test('a store with records but no format is refused', async () => {
  const store = openMemoryStore();
  store.put(TABLE_PAGES, Buffer.from('page'), Buffer.alloc(0));
  await commit(store);
  expect(() => checkFormat(store, '1.2.3')).toThrow('does not say in which format');
});

test('a damaged format record is not trusted', async () => {
  const store = openMemoryStore();
  store.put(TABLE_META, KEY, Buffer.from('nonsense'));
  await commit(store);
  expect(() => checkFormat(store, '1.2.3')).toThrow(CorruptRecordError);
});
