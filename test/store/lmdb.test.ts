import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openLmdbStore } from '../../src/store/lmdb/engine.ts';
import { storeContract } from './contract.ts';

const root = mkdtempSync(join(tmpdir(), 'leveret-lmdb-'));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, `${folders}.store`);
};
afterAll(() => rmSync(root, { recursive: true, force: true }));

storeContract('the LMDB engine', () => openLmdbStore(newFolder(), { reserveBytes: 0 }));
