import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, test } from 'vitest';
import { Batch } from '../../../src/store/batch.ts';
import { openLmdbStore } from '../../../src/store/lmdb/open.ts';
import { readChanges } from '../../../src/store/log/changes.ts';
import { LoggedStore, type LoggedStoreOptions } from '../../../src/store/log/logged-store.ts';
import { beginLog } from '../../../src/store/log/open.ts';
import { readPosition, SaltedMark } from '../../../src/store/log/position.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import type { Store } from '../../../src/store/port.ts';
import { ControlledStore, Disk } from '../../broker/controlled-store.ts';
import { commit, storeContract } from '../contract.ts';
import { MemoryLog } from './memory-log.ts';

const T = 7;
const SALT = '0123456789abcdef';
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const noCopy = (): Promise<void> => Promise.reject(new Error('no copy is made'));

function logged(inner: Store, log: MemoryLog, options: LoggedStoreOptions = {}): LoggedStore {
  return new LoggedStore(inner, log, 0, new SaltedMark(SALT), noCopy, options);
}

const never = { directBytes: Infinity };
storeContract('a log of memory before tables of memory', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog(), never)),
);
storeContract('the same, which applies each batch at once', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog(), { ...never, applyBytes: 0 })),
);
storeContract('the same, which hardly ever applies', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog(), { ...never, applyMs: 500 })),
);
storeContract('the same, with each batch committed directly where it can be', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog(), { directBytes: 0 })),
);
storeContract('the same, with a log that is soon full', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog([], 512), never)),
);
storeContract('the same, with one that has to have all', () =>
  Promise.resolve(logged(openMemoryStore(), new MemoryLog([], 512, true), { directBytes: 0 })),
);

const folders: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-log-'));
  folders.push(folder);
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function openFiles(folder: string, options: LoggedStoreOptions = {}): Promise<LoggedStore> {
  const tables = await openLmdbStore(folder, { reserveBytes: 0 });
  const small = { logBytes: 2 ** 20, ...options };
  return beginLog(tables, folder, small, noCopy);
}
storeContract('a log in a file before LMDB', () => openFiles(newFolder()));
storeContract('the same, with large batches committed directly', () =>
  openFiles(newFolder(), { directBytes: 4096, applyMs: 5 }),
);

/** A store whose tables and log do nothing until they are told to. */
function held({ disk = new Disk(), ...options }: LoggedStoreOptions & { disk?: Disk } = never): {
  tables: ControlledStore;
  log: MemoryLog;
  store: LoggedStore;
  told: string[];
} {
  const tables = new ControlledStore(disk);
  const log = new MemoryLog();
  log.quick = false;
  const store = logged(tables, log, { applyBytes: 0, ...options });
  const told: string[] = [];
  store.onDurable((batch) => told.push(`durable ${batch}`));
  store.onReadable((batch) => told.push(`readable ${batch}`));
  return { tables, log, store, told };
}

test('a batch is durable with the log, and readable with the tables', () => {
  const { tables, log, store, told } = held();
  store.put(T, bytes('a'), bytes('one'));
  store.seal();
  expect(told).toEqual([]);
  expect(store.get(T, bytes('a'))).toBeNull();
  log.sync();
  expect(told).toEqual(['durable 1']);
  expect(tables.get(T, bytes('a'))).toBeNull();
  expect(store.get(T, bytes('a'))).toEqual(bytes('one'));
  tables.sync();
  expect(told).toEqual(['durable 1', 'readable 1']);
  expect(tables.get(T, bytes('a'))).toEqual(bytes('one'));
});

test('the log lets go of no record before the tables have it durably', () => {
  const { tables, log, store } = held();
  for (const name of ['a', 'b', 'c']) {
    store.put(T, bytes(name), bytes(name));
    store.seal();
    log.sync();
    expect(log.records.map(({ number }) => number)).toContain(store.batch - 1);
  }
  // The first is on its way into the tables, the others wait for it.
  expect(log.records.map(({ number }) => number)).toEqual([1, 2, 3]);
  tables.sync();
  expect(log.records.map(({ number }) => number)).toEqual([2, 3]);
  tables.sync();
  expect(log.records).toEqual([]);
  expect(readPosition(tables)).toEqual({ number: 3, salt: SALT, clean: false });
});

test('buffers are read until their batch is readable, and may change then', () => {
  const { tables, log, store, told } = held();
  const value = Buffer.alloc(100_000, 'x');
  store.put(T, bytes('a'), value);
  store.seal();
  log.sync();
  expect(told).toEqual(['durable 1']);
  expect(store.get(T, bytes('a'))).toEqual(value);
  tables.sync();
  expect(told.at(-1)).toBe('readable 1');
  value.fill(0xdb);
  expect(store.get(T, bytes('a'))).toEqual(Buffer.alloc(100_000, 'x'));
});

test('a batch that is committed directly waits for what is on its way, and is not logged', () => {
  const { tables, log, store, told } = held({ directBytes: 1000 });
  store.put(T, bytes('a'), bytes('logged'));
  store.seal();
  log.sync();
  tables.sync();
  told.length = 0;
  store.put(T, bytes('a'), Buffer.alloc(2000, 'd'));
  store.seal();
  expect(log.busy).toBe(false);
  expect(told).toEqual([]);
  tables.sync();
  expect(told).toEqual(['durable 2', 'readable 2']);
  expect(readPosition(tables)?.number).toBe(2);
});

test('a large batch goes into the log while the tables are busy', () => {
  const { tables, log, store, told } = held({ directBytes: 1000 });
  store.put(T, bytes('a'), bytes('logged'));
  store.seal();
  log.sync();
  store.put(T, bytes('b'), Buffer.alloc(2000, 'd'));
  store.seal();
  expect(log.busy).toBe(true);
  log.sync();
  expect(told).toEqual(['durable 1', 'durable 2']);
  tables.sync();
  tables.sync();
  expect(told.at(-1)).toBe('readable 2');
});

test('what no log takes waits until the tables are free', () => {
  const { tables, log, store, told } = held();
  store.put(T, bytes('a'), bytes('logged'));
  store.seal();
  log.sync();
  store.put(T, bytes('b'), Buffer.alloc(log.bodyBytesMax + 1));
  store.seal();
  expect(log.busy).toBe(false);
  tables.sync();
  tables.sync();
  expect(told).toEqual(['durable 1', 'readable 1', 'durable 2', 'readable 2']);
});

test('each key goes into the tables once, with its last word', () => {
  const { tables, log, store } = held({ applyBytes: 10_000, applyMs: 60_000 });
  const seen: string[] = [];
  const { put, remove } = tables;
  tables.put = (table, key, value) => {
    if (table === T) seen.push(`put ${key}`);
    put.call(tables, table, key, value);
  };
  tables.remove = (table, key) => {
    seen.push(`remove ${key}`);
    remove.call(tables, table, key);
  };
  for (let n = 0; n < 5; n++) {
    store.put(T, bytes('same'), Buffer.of(n));
    store.put(T, bytes(`gone ${n}`), Buffer.of(n));
    if (n > 0) store.remove(T, bytes(`gone ${n - 1}`));
    store.seal();
    log.sync();
  }
  store.removeRange(T, bytes('gone 3'), bytes('gone 5'));
  store.put(T, bytes('large'), Buffer.alloc(10_000));
  store.seal();
  log.sync();
  tables.sync();
  const removed = [0, 1, 2, 3, 4].map((n) => `remove gone ${n}`);
  expect(seen.sort()).toEqual(['put large', 'put same', ...removed]);
  expect(tables.get(T, bytes('same'))).toEqual(Buffer.of(4));
});

test('thousands of changes go into the tables in pieces, the position with the last', () => {
  const { tables, log, store, told } = held();
  for (let n = 0; n < 5000; n++) store.put(T, bytes(`key ${n}`), bytes(String(n)));
  store.seal();
  log.sync();
  tables.sync();
  expect(readPosition(tables)).toBeNull();
  expect([...store.keys(T, bytes(''), bytes('z'))]).toHaveLength(5000);
  expect(told).toEqual(['durable 1']);
  tables.sync();
  tables.sync();
  expect(readPosition(tables)?.number).toBe(1);
  expect(told.at(-1)).toBe('readable 1');
});

/** What a start finds: the tables of a disk, and the log's records behind their position, applied. */
function afterCrash(disk: Disk, log: MemoryLog): ControlledStore {
  const tables = new ControlledStore(disk);
  const applied = readPosition(tables)?.number ?? 0;
  for (const { number, body } of log.records) {
    if (number <= applied) continue;
    const batch = new Batch();
    expect(readChanges(body, batch)).toBe(true);
    batch.putInto(tables);
    tables.seal();
  }
  tables.sync();
  return tables;
}

test('direct batches of which a crash keeps the first alone: it is there wholly, over what was logged', () => {
  const disk = new Disk();
  const { tables, log, store } = held({ directBytes: 1000, applyBytes: 10_000, disk });
  store.put(T, bytes('page of one'), bytes('has it'));
  store.seal();
  // They wait behind it, and go into the tables together: one moves what the log has, the other is large.
  store.remove(T, bytes('page of one'));
  store.put(T, bytes('page of two'), bytes('has it'));
  store.seal();
  store.put(T, bytes('large'), Buffer.alloc(2000));
  store.seal();
  log.sync();
  expect(log.busy).toBe(false);
  for (let synced = 0; synced < 3; synced++) {
    const copy = disk.copy();
    const { records } = log;
    const start = afterCrash(copy, new MemoryLog([...records]));
    const found = ['page of one', 'page of two'].filter((key) => start.get(T, bytes(key)) !== null);
    expect(found, `after ${synced} batches`).toHaveLength(1);
    tables.sync(1);
  }
});

test('a copy of the tables is never one between two pieces', async () => {
  const { tables, log, store } = held();
  const seen: number[] = [];
  tables.copyTo = () => {
    const tell = (): number => seen.push([...tables.keys(T, bytes(''), bytes('z'))].length);
    tell();
    // What is sealed while it is made.
    many('b');
    log.sync();
    tables.sync(1);
    tell();
    return Promise.resolve();
  };
  function many(name: string): void {
    for (let n = 0; n < 5000; n++) store.put(T, bytes(`${name} ${n}`), bytes(String(n)));
    store.seal();
  }
  many('a');
  log.sync();
  tables.sync(1);
  const copied = store.copyTo('').catch((error: Error) => error.message);
  while (log.busy || tables.busy) tables.sync(1);
  expect(await copied).toBe('no copy is made');
  expect(seen).toEqual([5000, 10_000]);
});

test('a copy of the tables waits for nothing that is on its way to the log, but for the commit under way', async () => {
  const { tables, log, store } = held();
  const seen: string[][] = [];
  tables.copyTo = () => {
    seen.push([...tables.keys(T, bytes(''), bytes('z'))].map(String));
    return Promise.resolve();
  };
  store.put(T, bytes('a'), bytes('1'));
  store.seal();
  log.sync();
  store.put(T, bytes('b'), bytes('2'));
  store.seal();
  const copied = store.copyTables('');
  await Promise.resolve();
  expect(seen).toEqual([]);
  // The log takes the second one much later, if ever.
  while (tables.busy) tables.sync(1);
  await copied;
  expect(seen).toEqual([['a']]);
  expect(log.busy).toBe(true);
});

test('after a failure nothing is durable any more, and closing rejects', async () => {
  const { log, store, told } = held();
  const failures: Error[] = [];
  store.onFailure((error) => failures.push(error));
  log.append = (_number, _parts, _bytes, done) => done(new Error('the disk is gone'));
  store.put(T, bytes('a'), bytes('one'));
  store.seal();
  store.put(T, bytes('b'), bytes('two'));
  store.seal();
  expect(failures.map(({ message }) => message)).toEqual(['the disk is gone']);
  expect(told).toEqual([]);
  await expect(store.close()).rejects.toThrow('the disk is gone');
});

test('an append that ends after it has failed makes nothing durable', () => {
  const { log, store, told } = held();
  const failures: string[] = [];
  store.onFailure(({ message }) => failures.push(message));
  let end: (error: Error | null) => void = () => {};
  log.append = (_number, _parts, _bytes, done) => {
    end = done;
  };
  store.put(T, bytes('a'), bytes('one'));
  store.seal();
  end(new Error('it takes too long'));
  end(null);
  expect(failures).toEqual(['it takes too long']);
  expect(told).toEqual([]);
  expect(store.get(T, bytes('a'))).toBeNull();
});

test('where the tables fail, the log keeps what was durable, and nothing more becomes durable', async () => {
  const disk = new Disk();
  const tables = new ControlledStore(disk);
  let failTables: (error: Error) => void = () => {};
  tables.onFailure = (listener?: (error: Error) => void) => {
    if (listener !== undefined) failTables = listener;
  };
  const log = new MemoryLog();
  log.quick = false;
  const store = logged(tables, log, { ...never, applyBytes: 0 });
  const told: string[] = [];
  store.onDurable((batch) => told.push(`durable ${batch}`));
  store.onFailure(({ message }) => told.push(message));
  store.put(T, bytes('a'), bytes('one'));
  store.seal();
  log.sync();
  expect(tables.busy).toBe(true);
  store.put(T, bytes('b'), bytes('two'));
  store.seal();
  failTables(new Error('no room'));
  log.sync();
  store.seal();
  expect(told).toEqual(['durable 1', 'no room']);
  await expect(store.close()).rejects.toThrow('no room');
  expect(afterCrash(disk, log).get(T, bytes('a'))).toEqual(bytes('one'));
});

it('has all in the tables after it was closed, and a log that is not needed', async () => {
  const tables = openMemoryStore();
  const store = logged(tables, new MemoryLog(), { ...never, applyMs: 60_000 });
  store.put(T, bytes('a'), bytes('one'));
  await commit(store);
  store.put(T, bytes('b'), bytes('two'));
  await store.close();
  expect([...tables.keys(T, bytes(''), bytes('z'))]).toEqual([bytes('a'), bytes('b')]);
  expect(readPosition(tables)).toEqual({ number: 2, salt: SALT, clean: true });
});

test('where the log has failed, a close ends what goes into the tables, and then closes them', async () => {
  const { tables, log, store } = held();
  const failures: Error[] = [];
  store.onFailure((error) => failures.push(error));
  store.put(T, bytes('a'), bytes('one'));
  store.seal();
  log.sync();
  store.put(T, bytes('a'), bytes('two'));
  store.seal();
  log.fail(new Error('another leads'));
  expect(failures.map(({ message }) => message)).toEqual(['another leads']);
  let closed = false;
  const closing = store.close(false).finally(() => {
    closed = true;
  });
  closing.catch(() => undefined);
  await new Promise(setImmediate);
  expect(closed).toBe(false);
  tables.sync();
  await expect(closing).rejects.toThrow('another leads');
  expect(tables.get(T, bytes('a'))).toEqual(bytes('one'));
});
