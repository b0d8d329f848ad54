import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StoreError } from '../../src/store/errors.ts';
import { openDataFolder } from '../../src/store/folder.ts';
import buildDist from '../global-setup.ts';
import { type Child, startChild } from './children.ts';

const root = mkdtempSync(join(tmpdir(), 'leveret-folder-'));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, 'deep', `folder-${folders}`);
};
const children: Child[] = [];
const startHolder = (path: string): Child => {
  const child = startChild('lock.mjs', [path]);
  children.push(child);
  return child;
};

beforeAll(buildDist);
afterAll(() => {
  for (const child of children) child.process.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

test('the folder is made for this user only', async () => {
  const path = newFolder();
  const folder = await openDataFolder(path);
  expect(folder.path).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  await folder.release();
});

test('a folder that others may read, or own, is used with a warning', async () => {
  const path = newFolder();
  await (await openDataFolder(path)).release();
  const warningsWith = async (mode: number): Promise<readonly string[]> => {
    chmodSync(path, mode);
    const folder = await openDataFolder(path);
    await folder.release();
    return folder.warnings;
  };
  expect(await warningsWith(0o700)).toEqual([]);
  for (const mode of [0o750, 0o701, 0o755]) {
    expect(await warningsWith(mode)).toEqual([
      expect.stringContaining(`(mode ${mode.toString(8)}), where messages and passwords lie`),
    ]);
  }
  if (process.getuid?.() !== 0) return;
  chownSync(path, 65_534, 65_534);
  expect(await warningsWith(0o700)).toEqual([
    expect.stringContaining('belongs to the user with id 65534, and the broker runs as 0'),
  ]);
});

test('a folder is refused while it is in use, naming the process', async () => {
  const path = newFolder();
  const folder = await openDataFolder(path);
  await expect(openDataFolder(path)).rejects.toThrow(StoreError);
  await expect(openDataFolder(path)).rejects.toThrow(
    `the data folder ${path} is in use by another broker, process ${process.pid}: stop that one`,
  );
  await folder.release();
  const again = await openDataFolder(path);
  await again.release();
});

test('one of twenty that start at once gets the folder, again and again', async () => {
  const path = newFolder();
  for (let round = 0; round < 2; round += 1) {
    const racers = Array.from({ length: 20 }, () => startHolder(path));
    const said = await Promise.all(racers.map((racer) => racer.next()));
    const holders = said.filter((line) => line?.startsWith('held '));
    expect(holders.length).toBe(1);
    const pid = holders[0]?.slice('held '.length);
    const refused = said.filter((line) => line?.includes('in use by another broker'));
    expect(refused.length).toBe(19);
    const winner = racers[said.findIndex((line) => line?.startsWith('held '))] as Child;
    expect(String(winner.process.pid)).toBe(pid);
    // The next round meets the lock of a dead process.
    winner.process.kill('SIGKILL');
    await winner.ended;
  }
});

test('twenty tries within one process at a dead lock leave one holder', async () => {
  const path = newFolder();
  for (let round = 0; round < 5; round += 1) {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => openDataFolder(path)));
    const held = tries.filter((result) => result.status === 'fulfilled');
    expect(held.length).toBe(1);
    await held[0]?.value.release();
  }
  expect((await readdir(join(path, 'lock'))).length).toBe(1);
});

test('the next start succeeds after kill -9 of the holder, and the holder is named before', async () => {
  const path = newFolder();
  const holder = startHolder(path);
  expect(await holder.next()).toBe(`held ${holder.process.pid}`);
  await expect(openDataFolder(path)).rejects.toThrow(`process ${holder.process.pid}:`);
  holder.process.kill('SIGKILL');
  await holder.ended;
  const folder = await openDataFolder(path);
  await folder.release();
});

test('a holder that is stopped still holds the folder', async () => {
  const path = newFolder();
  const holder = startHolder(path);
  await holder.next();
  holder.process.kill('SIGSTOP');
  await expect(openDataFolder(path)).rejects.toThrow('in use by another broker:');
  holder.process.kill('SIGKILL');
});

test('plain files in place of the lock do no harm', async () => {
  const path = newFolder();
  await (await openDataFolder(path)).release();
  writeFileSync(join(path, 'lock', '7'), 'no socket');
  writeFileSync(join(path, 'lock', 'note.txt'), 'no number');
  const folder = await openDataFolder(path);
  await expect(openDataFolder(path)).rejects.toThrow('in use');
  await folder.release();
});

test.runIf(process.platform === 'linux')('paths too long for a socket are locked too', async () => {
  const path = join(newFolder(), 'x'.repeat(120), 'y'.repeat(120));
  const folder = await openDataFolder(path);
  await expect(openDataFolder(path)).rejects.toThrow(`process ${process.pid}:`);
  await folder.release();
  await (await openDataFolder(path)).release();
});

test('a file in place of the folder is named', async () => {
  const path = join(root, 'file');
  writeFileSync(path, '');
  await expect(openDataFolder(path)).rejects.toThrow(
    `cannot use the data folder ${path}: a file is in its place: name another folder`,
  );
});

test.runIf(process.getuid?.() !== 0)('a folder without the right to write is named', async () => {
  const path = newFolder();
  await (await openDataFolder(path)).release();
  chmodSync(join(path, 'lock'), 0o500);
  await expect(openDataFolder(path)).rejects.toThrow(
    /permission denied: give the user with id \d+/,
  );
  chmodSync(join(path, 'lock'), 0o700);
});

test('a lock with the highest number, after which none can follow, is named and not waited for', async () => {
  const path = newFolder();
  await (await openDataFolder(path)).release();
  writeFileSync(join(path, 'lock', '999999999999999'), '');
  await expect(openDataFolder(path)).rejects.toThrow('999999999999999 is no lock of a broker');
});
