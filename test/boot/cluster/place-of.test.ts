import { expect, test } from 'vitest';
import { placeOnceAnswered } from '../../../src/boot/cluster/place-of.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import type { OpenedStore } from '../../../src/store/opened-store.ts';
import { LOG_START } from '../../../src/store/replicated/chain.ts';
import { TABLE_MARKS } from '../../../src/store/tables.ts';
import { commit } from '../../store/contract.ts';
import { LOG_ID, MemoryLogClient, SharedLog } from '../../store/replicated/memory-log-client.ts';

const opened = (): OpenedStore => ({
  store: openMemoryStore(),
  folder: null,
  scratch: null,
  replay: null,
});

/** A log that leaves the first calls without an answer. */
function silentFor(calls: number): MemoryLogClient {
  let left = calls;
  return new MemoryLogClient(new SharedLog(), (call) => {
    left -= 1;
    if (left >= 0) call.lose();
    else call.pass();
  });
}

test('a node between two roles waits for a log that does not answer', async () => {
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
  };
  const place = await placeOnceAnswered(opened(), silentFor(3), 'shop', pause, () => false);
  expect(place).toEqual({ ...LOG_START, logId: LOG_ID });
  expect(pauses).toBe(3);
});

test('a node that is stopped meanwhile waits no longer', async () => {
  let stopping = false;
  const pause = async (): Promise<void> => {
    stopping = true;
  };
  const silent = silentFor(Infinity);
  expect(await placeOnceAnswered(opened(), silent, 'shop', pause, () => stopping)).toBeNull();
});

test('data of another broker is refused at once', async () => {
  const other = opened();
  other.store.put(TABLE_MARKS, Buffer.from('k'), Buffer.from('v'));
  await commit(other.store);
  const pause = (): Promise<void> => expect.unreachable();
  const found = placeOnceAnswered(other, silentFor(0), 'shop', pause, () => false);
  await expect(found).rejects.toThrow(/holds the data of a broker that was in no cluster/);
});
