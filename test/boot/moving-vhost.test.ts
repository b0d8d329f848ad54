// Owns the test of a vhost that comes out of a folder of LMDB into a broker over another one, with its log of batches.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import { checkStore } from '../../src/broker/check/check-store.ts';
import { dropContents } from '../../src/broker/moving/drop-contents.ts';
import { takeVhost } from '../../src/broker/moving/take-vhost.ts';
import {
  closeStore,
  type OpenedStore,
  openStore,
  type StorePlace,
} from '../../src/store/opened-store.ts';
import type { Store } from '../../src/store/port.ts';
import { TABLE_LOG, TABLE_META } from '../../src/store/tables.ts';
import { systemClock } from '../../src/util/clock.ts';
import { Disk } from '../broker/controlled-store.ts';
import { paceTurns } from '../broker/inspect.ts';
import { after, filled, NAME, toldOf } from '../broker/moving/full-vhost.ts';
import type { SmallBroker } from '../broker/small-broker.ts';

const TABLES = Array.from({ length: 15 }, (_, n) => n + 1);
const OF_THE_FOLDER: readonly number[] = [TABLE_META, TABLE_LOG];

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'leveret-moving-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (name: string, more: Partial<StorePlace> = {}): Promise<OpenedStore> =>
  openStore(
    { dataDir: join(root, name), memory: false, commitTimeoutMs: 30_000, ...more },
    '1.0.0',
  );

const lookAt = (name: string): Promise<OpenedStore> =>
  open(name, { lookedAt: true, withoutLog: true });

/** A disk with all rows of a store, but for those that are of its folder. */
function diskOf(store: Store): Disk {
  const disk = new Disk();
  for (const table of TABLES) {
    if (OF_THE_FOLDER.includes(table)) continue;
    for (const { key, value } of store.range(table, Buffer.alloc(0), Buffer.alloc(1024, 0xff))) {
      disk.table(table).put(key, value);
    }
  }
  return disk;
}

/** A folder with the rows of a disk. */
async function written(name: string, disk: Disk): Promise<void> {
  const opened = await open(name);
  for (const table of TABLES) {
    for (const key of disk.keys(table)) {
      opened.store.put(table, key, disk.table(table).get(key) as Buffer);
    }
  }
  await closeStore(opened);
}

/** A broker over a store, whose turns come by themselves. */
function brokerOver(store: Store, nowMs: number): Broker {
  let scheduled = false;
  const want = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (broker.core.deliver()) want();
      if (broker.core.sealable) broker.core.seal();
    });
  };
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const listener = { turnWanted: want, durable: want, connectionsForced: () => {} };
  const broker: Broker = new Broker(store, clock, listener);
  paceTurns(broker, systemClock);
  broker.recover({ vhost: '/', user: null });
  return broker;
}

test('a vhost comes from one folder into another, back, and is the same', async () => {
  const { disk, nowMs } = filled();
  const expected = toldOf(after({ disk: disk.copy(), nowMs, jumpedMs: 0 } as SmallBroker));
  await written('a', disk);
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const looked = await lookAt(from);
    const opened = await open(to);
    const broker = brokerOver(opened.store, nowMs);
    const vhost = broker.putVhost(NAME);
    if (vhost.queues.size > 0) await dropContents(broker, vhost);
    await takeVhost(broker, vhost, looked.store, { gatheredBytesMax: 50_000 });
    await closeStore(opened);
    await closeStore(looked, false);
    const closed = await lookAt(to);
    expect(checkStore(closed.store).damage).toEqual([]);
    const there = diskOf(closed.store);
    await closeStore(closed, false);
    expect(toldOf(after({ disk: there, nowMs, jumpedMs: 0 } as SmallBroker))).toEqual(expected);
  }
});
