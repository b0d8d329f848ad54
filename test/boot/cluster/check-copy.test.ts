import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkCopy } from '../../../src/boot/cluster/check-copy.ts';
import { checkFormat } from '../../../src/store/format.ts';
import { openLmdbStore } from '../../../src/store/lmdb/open.ts';
import type { Store } from '../../../src/store/port.ts';
import { LOG_START } from '../../../src/store/replicated/chain.ts';
import { putPlace } from '../../../src/store/replicated/place.ts';
import { TABLE_MARKS } from '../../../src/store/tables.ts';
import { LOG_ID } from '../../store/replicated/memory-log-client.ts';

const LEVERET = join(fileURLToPath(new URL('../../..', import.meta.url)), 'bin/leveret');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-copy-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The tables of a node of a cluster, with what `more` puts into them. */
async function tables(more: (store: Store) => void = () => {}): Promise<void> {
  const store = await openLmdbStore(folder, { reserveBytes: 0 });
  checkFormat(store, '1.0.0');
  putPlace(store, { ...LOG_START, seq: 5, logId: LOG_ID });
  more(store);
  await store.close();
}

test('a copy of sound tables passes, and nothing is left beside it', async () => {
  await tables();
  const before = readFileSync(join(folder, 'data.mdb'));
  await checkCopy(folder, LEVERET);
  expect(readdirSync(folder).sort()).toEqual(['data.mdb', 'lock.mdb']);
  expect(readFileSync(join(folder, 'data.mdb')).equals(before)).toBe(true);
});

test('a copy with a row that is not what was written does not pass', async () => {
  await tables((store) => store.put(TABLE_MARKS, Buffer.from('k'), Buffer.from('no mark')));
  await expect(checkCopy(folder, LEVERET)).rejects.toThrow(/^a copy of the tables is damaged: /);
});

test('a copy with pages that are not what they should be does not pass', async () => {
  await tables();
  const file = join(folder, 'data.mdb');
  const bytes = readFileSync(file);
  // Each page behind the two of the head begins with its own number.
  for (let at = 2 * 4096; at < bytes.length; at += 4096) bytes.writeUInt8(0xee, at);
  writeFileSync(file, bytes);
  await expect(checkCopy(folder, LEVERET)).rejects.toThrow(/^a copy of the tables is damaged: /);
});
