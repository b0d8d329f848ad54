import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { markData } from '../../../src/store/has-data.ts';
import { closeStore, openStore, type StorePlace } from '../../../src/store/opened-store.ts';
import { LOG_START } from '../../../src/store/replicated/chain.ts';
import { putPlace, readPlace } from '../../../src/store/replicated/place.ts';
import { LOG_ID } from '../../store/replicated/memory-log-client.ts';

let dataDir = '';
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'leveret-member-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = (more: Partial<StorePlace>) =>
  openStore({ dataDir, memory: false, commitTimeoutMs: 30_000, ...more }, '1.0.0');

/** Makes the folder that of a node of a cluster. */
async function makeMember(): Promise<void> {
  const opened = await open({ replicated: true });
  putPlace(opened.store, { ...LOG_START, seq: 7, logId: LOG_ID });
  await closeStore(opened);
}

test('the folder of a node of a cluster is changed by none but a node of it', async () => {
  await makeMember();
  const refused = /is the folder of a node of a cluster.*start it with cluster\.log/;
  await expect(open({})).rejects.toThrow(refused);
  // As the verbs for a stopped broker open it.
  await expect(open({ withoutLog: true })).rejects.toThrow(refused);
  const again = await open({ replicated: true });
  expect(readPlace(again.store)?.seq).toBe(7);
  await closeStore(again, false);
});

test('a node whose data is gone begins anew, since the log has it', async () => {
  await makeMember();
  await markData(dataDir);
  rmSync(join(dataDir, 'store'), { recursive: true });
  await expect(open({})).rejects.toThrow(/the data of the broker .* is gone/);
  const again = await open({ replicated: true });
  expect(readPlace(again.store)).toBeNull();
  await closeStore(again, false);
});
