// Owns the tests of batches that are committed in parts: whole or not at all, wherever the process ends.

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { afterAll, expect, test } from 'vitest';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import type { Store } from '../../src/store/port.ts';
import { commit, durable, storeContract } from './contract.ts';

const SMALL = 7;
const LARGE = 8;
const HIGH = Buffer.alloc(8, 0xff);
const root = mkdtempSync(join(tmpdir(), 'leveret-wide-'));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, `${folders}.store`);
};
afterAll(() => rmSync(root, { recursive: true, force: true }));

const WIDE = { reserveBytes: 0, wideChanges: 4 };

storeContract('the LMDB engine with wide batches', () =>
  openLmdbStore(newFolder(), { reserveBytes: 0, wideChanges: 512 }),
);

const key = (i: number): Buffer => Buffer.from([i]);

/** Ten rows of one table become others, one goes, and the rows of a table of large ones change. */
function change(store: Store, round: number): void {
  store.remove(SMALL, key(0));
  for (let i = 1; i < 10; i++) store.put(SMALL, key(i), Buffer.from([round]));
  store.put(SMALL, key(10 + round), Buffer.alloc(0));
  store.put(LARGE, key(1), Buffer.alloc(5000, round));
  store.put(LARGE, key(2), Buffer.from([round]));
  store.put(SMALL, key(1), Buffer.from([round + 100]));
}

function seen(store: Store): string[] {
  return [SMALL, LARGE].flatMap((table) =>
    [...store.range(table, Buffer.alloc(0), HIGH)].map(
      ({ key: name, value }) => `${table} ${name.toString('hex')} ${value.toString('hex')}`,
    ),
  );
}

async function filled(folder: string): Promise<Store> {
  const store = await openLmdbStore(folder, WIDE);
  store.put(SMALL, key(0), Buffer.from('goes'));
  await commit(store);
  change(store, 1);
  await commit(store);
  return store;
}

/** Has only so many more commits begin; returns how many were asked for. The first look is at the end of one. */
function cutAfter(store: Store, commits: number): { begun: number; quiet: Promise<void> } {
  const { db } = store as unknown as { db: RootDatabase<Buffer, Buffer> };
  const batch = db.batch.bind(db);
  const cut = { begun: 0, quiet: Promise.resolve() };
  let pairs = 0;
  cut.quiet = new Promise((resolve) => {
    db.batch = ((write: () => void) => {
      // Each commit of the engine asks twice.
      pairs += 1;
      cut.begun = Math.ceil(pairs / 2);
      if (cut.begun <= commits) return batch(write);
      resolve();
      return new Promise(() => {});
    }) as typeof db.batch;
  });
  return cut;
}

test('a wide batch is there wholly or not at all, whichever of its commits is the last', async () => {
  const expected = await filled(newFolder());
  const before = seen(expected);
  change(expected, 2);
  await commit(expected);
  const after = seen(expected);
  await expected.close();
  let commits = 0;
  for (; ; commits++) {
    const folder = newFolder();
    const store = await filled(folder);
    const cut = cutAfter(store, commits);
    change(store, 2);
    const done = durable(store, store.batch).then(() => 'durable');
    store.seal();
    const outcome = await Promise.race([done, cut.quiet]);
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    const crashed = await openLmdbStore(copy, WIDE);
    expect(seen(crashed), `after ${commits} commits`).toEqual(commits === 0 ? before : after);
    await commit(crashed);
    await crashed.close();
    const again = await openLmdbStore(copy, WIDE);
    expect(seen(again), 'it is made anew once').toEqual(commits === 0 ? before : after);
    await again.close();
    if (outcome === 'durable') break;
  }
  expect(commits, 'its row, and three parts of 4 of its 12 changes').toBe(4);
});

test('what was sealed behind a wide batch comes behind all of it', async () => {
  const folder = newFolder();
  const store = await filled(folder);
  const cut = cutAfter(store, 2);
  change(store, 2);
  store.seal();
  store.put(SMALL, key(1), Buffer.from('later'));
  store.seal();
  await cut.quiet;
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  const crashed = await openLmdbStore(copy, WIDE);
  expect(crashed.get(SMALL, key(1))).toEqual(Buffer.from([102]));
  expect(crashed.get(SMALL, key(9))).toEqual(Buffer.from([2]));
  await crashed.close();
});

test('a copy of the folder taken amid a wide batch has all of it', async () => {
  const folder = newFolder();
  const store = await filled(folder);
  const cut = cutAfter(store, 2);
  change(store, 2);
  store.seal();
  await cut.quiet;
  const copy = newFolder();
  mkdirSync(copy);
  await store.copyTo(copy);
  const opened = await openLmdbStore(copy, WIDE);
  expect(opened.get(SMALL, key(9))).toEqual(Buffer.from([2]));
  expect(opened.get(SMALL, key(0))).toBeNull();
  await opened.close();
});

test('the changes of a wide batch are handed over in parts, each of bounded size', async () => {
  const store = await filled(newFolder());
  const { db } = store as unknown as { db: RootDatabase<Buffer, Buffer> };
  const parts: number[] = [];
  let handedOver = 0;
  const [put, remove, batch] = [db.put.bind(db), db.remove.bind(db), db.batch.bind(db)];
  db.put = ((...all: Parameters<typeof put>) => {
    handedOver += 1;
    return put(...all);
  }) as typeof db.put;
  db.remove = ((...all: Parameters<typeof remove>) => {
    handedOver += 1;
    return remove(...all);
  }) as typeof db.remove;
  db.batch = ((write: () => void) => {
    handedOver = 0;
    const done = batch(write);
    if (handedOver > 0) parts.push(handedOver);
    return done;
  }) as typeof db.batch;
  change(store, 2);
  await commit(store);
  expect(parts, 'the row with two large ones; 12 changes; the row goes').toEqual([3, 4, 4, 5]);
  await store.close();
});
