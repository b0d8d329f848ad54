import { pbkdf2 } from 'node:crypto';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LostCommitError, StoreError } from '../../src/store/errors.ts';
import { openLmdbStore } from '../../src/store/lmdb/open.ts';
import buildDist from '../global-setup.ts';
import { type Child, startChild } from './children.ts';
import { commit, storeContract } from './contract.ts';

const T = 7;
const root = mkdtempSync(join(tmpdir(), 'leveret-lmdb-'));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, `${folders}.store`);
};
const children: Child[] = [];
const startCommits = (folder: string, bytes: number, keys: number, limits = ''): Child => {
  const child = startChild('commits.mjs', [folder, String(bytes), String(keys)], limits);
  children.push(child);
  return child;
};
afterAll(() => {
  for (const child of children) child.process.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

storeContract('the LMDB engine', () => openLmdbStore(newFolder(), { reserveBytes: 0 }));

beforeAll(buildDist);

test('what was committed is there after the store was closed and opened again', async () => {
  const folder = newFolder();
  const first = await openLmdbStore(folder);
  for (let i = 0; i < 100; i += 1) first.put(T, Buffer.from([i]), Buffer.alloc(10_000, i));
  await first.close();
  const second = await openLmdbStore(folder);
  expect(second.batch).toBe(1);
  for (let i = 0; i < 100; i += 1) {
    expect(second.get(T, Buffer.from([i]))?.equals(Buffer.alloc(10_000, i))).toBe(true);
  }
  await second.close();
});

test('a new data file gets its room, for this user only', async () => {
  const folder = newFolder();
  const store = await openLmdbStore(folder, { reserveBytes: 3 << 20 });
  expect(statSync(join(folder, 'data.mdb')).size).toBe(3 << 20);
  expect(statSync(join(folder, 'data.mdb')).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  store.put(T, Buffer.from('a'), Buffer.alloc(5 << 20));
  await commit(store);
  await store.close();
});

test('a store outgrows the address space it was opened with', async () => {
  const store = await openLmdbStore(newFolder(), { mapBytes: 1 << 20, reserveBytes: 0 });
  for (let i = 0; i < 40; i += 1) {
    store.put(T, Buffer.from([i]), Buffer.alloc(500_000, i));
    if (i % 10 === 9) await commit(store);
  }
  for (let i = 0; i < 40; i += 1) {
    expect(store.get(T, Buffer.from([i]))?.equals(Buffer.alloc(500_000, i))).toBe(true);
  }
  await store.close();
});

test('a steady stream of rows put and removed leaves the file as small as it is', async () => {
  const folder = newFolder();
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  const key = (i: number): Buffer => Buffer.from(String(i).padStart(8, '0'));
  for (let i = 0; i < 400; i += 1) {
    store.put(T, key(i), Buffer.alloc(65_472, i));
    store.remove(T, key(i - 10));
    for (const row of store.range(T, key(i - 5), key(i))) expect(row.value.length).toBe(65_472);
    await commit(store);
  }
  expect([...store.keys(T, key(0), key(1000))].length).toBe(10);
  expect(statSync(join(folder, 'data.mdb')).size).toBeLessThan(4 << 20);
  await store.close();
});

test('a process that opens the files of a store in use takes no commit of it back', async () => {
  const folder = newFolder();
  const lock = join(folder, 'lock.mdb');
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  const commitRow = (n: number): Promise<unknown> => {
    store.put(T, Buffer.from([n]), Buffer.from('here'));
    return commit(store);
  };
  await commitRow(1);
  const child = startChild('look.mjs', [folder]);
  children.push(child);
  await child.ended;
  expect(child.lines).toEqual(['rows 1']);
  // In the lock file that it found or made, opening has set the number of the last commit to that of the data as it had read
  // them. Here the next commit comes between the two.
  const found = readFileSync(lock).subarray(8, 16);
  await commitRow(2);
  const file = openSync(lock, 'r+');
  writeSync(file, found, 0, 8, 8);
  closeSync(file);
  await commitRow(3);
  for (const n of [1, 2, 3]) expect(store.get(T, Buffer.from([n]))?.toString()).toBe('here');
  await store.close();
});

test('a commit that takes the place of the one before ends the store, and says what to do', async () => {
  const folder = newFolder();
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  const put = async (n: number): Promise<void> => {
    store.put(T, Buffer.from([n]), Buffer.from('here'));
    await commit(store);
  };
  await put(1);
  // What changes nothing is no commit of LMDB, and says nothing against it.
  store.remove(T, Buffer.from([9]));
  await commit(store);
  const lock = join(folder, 'lock.in-use');
  const before = readFileSync(lock).subarray(8, 16);
  await put(2);
  const file = openSync(lock, 'r+');
  writeSync(file, before, 0, 8, 8);
  closeSync(file);
  store.put(T, Buffer.from([3]), Buffer.from('here'));
  const failure = new Promise<Error>((resolve) => store.onFailure(resolve));
  store.seal();
  const error = await failure;
  expect(error).toBeInstanceOf(LostCommitError);
  expect(error.message).toMatch(/has taken the place of the one before.*restore it from a backup/);
  await expect(store.close()).rejects.toThrow(LostCommitError);
});

test('the lock file is the same again after a close, and after a crash: a full disk has no room for another', async () => {
  const folder = newFolder();
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  const first = statSync(join(folder, 'lock.in-use')).ino;
  const crashed = newFolder();
  cpSync(folder, crashed, { recursive: true });
  await store.close();
  expect(readdirSync(folder).sort()).toEqual(['data.mdb', 'lock.mdb']);
  expect(statSync(join(folder, 'lock.mdb')).ino).toBe(first);
  const left = statSync(join(crashed, 'lock.in-use')).ino;
  const again = await openLmdbStore(crashed, { reserveBytes: 0 });
  expect(readdirSync(crashed).sort()).toEqual(['data.mdb', 'lock.in-use']);
  expect(statSync(join(crashed, 'lock.in-use')).ino).toBe(left);
  await again.close();
});

describe('a store that cannot be opened says so, with a way out', () => {
  const refusalOf = async (folder: string, mapBytes = 1 << 30): Promise<string> => {
    const error = await openLmdbStore(folder, { mapBytes }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(StoreError);
    expect(String(error)).toContain(`cannot open the store in ${folder}: `);
    expect(String(error)).toContain('restore the folder from a backup');
    return String(error);
  };

  /** A folder with a small store in it, whose data file the test may then spoil. */
  const spoiledFolder = async (spoil: (data: Buffer) => Buffer): Promise<string> => {
    const folder = newFolder();
    const store = await openLmdbStore(folder, { reserveBytes: 0 });
    for (let i = 0; i < 3; i += 1) {
      store.put(T, Buffer.from([i]), Buffer.alloc(30_000));
      await commit(store);
    }
    await store.close();
    const file = join(folder, 'data.mdb');
    writeFileSync(file, spoil(readFileSync(file)));
    return folder;
  };

  test('when its file is of another kind', async () => {
    expect(await refusalOf(await spoiledFolder(() => Buffer.alloc(8192, 0x5a)))).toContain(
      'damaged',
    );
  });

  test.each([0, 4096])('when the meta page at %i is damaged', async (at) => {
    const folder = await spoiledFolder((data) => data.fill(0x5a, at, at + 200));
    expect(await refusalOf(folder)).toContain('damaged');
  });

  test('when its file is cut short', async () => {
    const half = await spoiledFolder((data) => data.subarray(0, 3 * 4096));
    expect(await refusalOf(half)).toContain('cut short');
    const head = await spoiledFolder((data) => data.subarray(0, 100));
    expect(await refusalOf(head)).toContain('cut short');
  });

  test('when something else lies in place of a file', async () => {
    for (const name of ['data.mdb', 'lock.mdb']) {
      const folder = newFolder();
      mkdirSync(join(folder, name), { recursive: true });
      expect(await refusalOf(folder)).toContain('EISDIR');
    }
  });

  test('when a pipe or a device lies in place of a file', async () => {
    for (const name of ['data.mdb', 'lock.mdb']) {
      const folder = newFolder();
      mkdirSync(folder, { recursive: true });
      symlinkSync('/dev/zero', join(folder, name));
      expect(await refusalOf(folder)).toContain(`${name} is not a regular file`);
    }
  });
});

test('a closed store is not read: that would end the process', async () => {
  const store = await openLmdbStore(newFolder(), { reserveBytes: 0 });
  for (let i = 0; i < 100; i += 1) store.put(T, Buffer.from([i]), Buffer.alloc(0));
  await commit(store);
  const rows = store.range(T, Buffer.alloc(0), Buffer.from([255]))[Symbol.iterator]();
  rows.next();
  await store.close();
  expect(() => store.get(T, Buffer.from([1]))).toThrow('closed');
  expect(() => {
    while (!rows.next().done);
  }).toThrow('closed');
});

test('a data file that was made but never written is as good as new', async () => {
  const folder = newFolder();
  mkdirSync(folder);
  writeFileSync(join(folder, 'data.mdb'), '');
  const store = await openLmdbStore(folder);
  store.put(T, Buffer.from('a'), Buffer.from('b'));
  await store.close();
});

// lmdb starts to write a batch as large as the second one before it has been handed over wholly.
test.each([
  { bytes: 300, keys: 20, kills: 8 },
  { bytes: 30_000, keys: 150, kills: 4 },
])(
  'kill -9 leaves whole batches of $keys x $bytes bytes, all reported ones among them',
  async ({ bytes, keys, kills }) => {
    const folder = newFolder();
    for (let kill = 0; kill < kills; kill += 1) {
      const child = startCommits(folder, bytes, keys);
      const lines = 1 + Math.floor(Math.random() * 60);
      for (let i = 0; i < lines; i += 1) expect(await child.next()).toMatch(/^durable /);
      child.process.kill('SIGKILL');
      await child.ended;
      const reported = Number(child.lines.at(-1)?.slice('durable '.length));
      const store = await openLmdbStore(folder);
      const rows = [...store.range(T, Buffer.alloc(0), Buffer.alloc(8, 0xff))];
      await store.close();
      expect(rows.map((row) => row.key[0])).toEqual(Array.from({ length: keys }, (_, i) => i));
      expect(rows.every((row) => row.value.length === bytes)).toBe(true);
      const rounds = new Set(rows.map((row) => row.value.readUInt32BE()));
      expect(rounds.size).toBe(1);
      expect([...rounds][0]).toBeGreaterThanOrEqual(reported);
    }
  },
  60_000,
);

test('a failing commit is told once, nothing after it is durable, and closing rejects', async () => {
  const folder = newFolder();
  // 600 blocks of 512 bytes hold one round but not two: a write past them fails with "File too large".
  const child = startCommits(folder, 12_000, 20, 'ulimit -f 600;');
  await child.ended;
  const last = child.lines.at(-1);
  expect(last).toMatch(/^failed 1 not closed a commit has failed: /);
  const store = await openLmdbStore(folder);
  const rounds = [...store.range(T, Buffer.alloc(0), Buffer.from([20]))];
  expect(new Set(rounds.map((row) => row.value.readUInt32BE())).size).toBeLessThanOrEqual(1);
  expect(store.get(T, Buffer.from('after'))).toBeNull();
  await store.close();
});

test('a commit that does not settle in time is a failure', async () => {
  const store = await openLmdbStore(newFolder(), { commitTimeoutMs: 50, reserveBytes: 0 });
  const failures: Error[] = [];
  let durable = 0;
  store.onDurable((batch) => {
    durable = batch;
  });
  const failed = new Promise<void>((resolve) => {
    store.onFailure((error) => {
      failures.push(error);
      resolve();
    });
  });
  // lmdb writes on a thread of the pool of four: while all of them are busy, no commit settles.
  const busy = [1, 2, 3, 4, 5, 6, 7, 8].map(
    () =>
      new Promise<void>((resolve) => {
        pbkdf2('secret', 'salt', 300_000, 64, 'sha512', () => resolve());
      }),
  );
  store.put(T, Buffer.from('a'), Buffer.from('late'));
  store.seal();
  await failed;
  await Promise.all(busy);
  store.put(T, Buffer.from('b'), Buffer.from('later'));
  store.seal();
  await expect(store.close()).rejects.toThrow('a commit has not settled within 50 ms');
  expect(failures.length).toBe(1);
  expect(durable).toBe(0);
});
