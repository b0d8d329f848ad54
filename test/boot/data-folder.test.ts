// Owns the tests of who may work on the data folder of a stopped broker.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { checkData, compactData, openBroker, restoreData } from '../../src/boot/data-folder.ts';
import { settingsOf } from '../../src/config/load.ts';

const root = mkdtempSync(join(tmpdir(), 'leveret-owner-'));
const folder = join(root, 'data');
const settingsAt = (dataDir: string) => settingsOf('test', [['data_dir', dataDir]]);
const settings = settingsAt(folder);

/** Lets this process take itself for that of another user. */
const runAs = (id: number) => vi.spyOn(process, 'geteuid').mockReturnValue(id);

beforeAll(async () => (await openBroker(settings)).close());
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.skipIf(process.geteuid === undefined)(
  'whatever works on the data of another user is refused before it leaves a file there',
  async () => {
    const owner = process.geteuid?.() as number;
    const before = readdirSync(folder, { recursive: true }).sort();
    runAs(owner + 1);
    for (const act of [
      () => restoreData(settings, folder, true),
      () => checkData(settings, false, () => {}),
      () => checkData(settings, true, () => {}),
      () => compactData(settings),
      () => openBroker(settings),
    ]) {
      await expect(act()).rejects.toMatchObject({
        name: 'ForeignFolderError',
        advice: expect.stringContaining(`sudo -u '#${owner}' leveret`),
      });
    }
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
  },
);

test.skipIf(process.geteuid === undefined)(
  'a copy is restored by the owner of the data, and into a folder of a group by its users',
  async () => {
    expect(await restoreData(settings, folder, true)).toContain('store.before-');
    const empty = mkdtempSync(join(root, 'empty-'));
    runAs((process.geteuid?.() as number) + 1);
    expect(await restoreData(settingsAt(empty), folder, false)).toBeNull();
  },
);
