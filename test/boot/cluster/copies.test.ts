// When a node makes snapshots, trims the log and fetches a snapshot: each though another of these cannot go on.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { Copies } from '../../../src/boot/cluster/copies.ts';
import { PeerClient } from '../../../src/cluster/peers/peer-client.ts';
import type { SeenNode } from '../../../src/cluster/presence.ts';
import { Timing } from '../../../src/cluster/timing.ts';
import { StoreError, TooNewError } from '../../../src/store/errors.ts';
import { FORMAT_VERSION, putFormat } from '../../../src/store/format.ts';
import { openLmdbStore } from '../../../src/store/lmdb/open.ts';
import { MovableClock } from '../../../src/util/clock.ts';
import { LOG_ID, MemoryLogClient, SharedLog } from '../../store/replicated/memory-log-client.ts';

const MIB = 2 ** 20;
const NEVER = new Promise<never>(() => {});
/** A log that is half full, of records of 64 KiB. */
const HALF_FULL = { id: LOG_ID, first: 1, last: 512, bytes: 32 * MIB, bytesMax: 64 * MIB };

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function seen(node: string, row: Partial<SeenNode>): SeenNode {
  return {
    ...{ node, role: 'follower', version: '1', epoch: 1, applied: 512, last: 512, ignored: 0 },
    ...{
      amqp: null,
      peers: null,
      snapshots: [],
      upMs: 0,
      timeMs: null,
      silentMs: 0,
      running: true,
    },
    ...row,
  } as SeenNode;
}

/** The copies of node a, of a cluster with these nodes. */
function copiesOf(nodes: SeenNode[]) {
  const dataDir = mkdtempSync(join(tmpdir(), 'leveret-copies-'));
  const clock = new MovableClock();
  const timing = new Timing(clock, () => {});
  const client = new MemoryLogClient(new SharedLog());
  vi.spyOn(client, 'state').mockResolvedValue(HALF_FULL);
  const purge = vi.spyOn(client, 'purge').mockResolvedValue();
  const logger = pino({ level: 'silent' });
  const around = { dataDir, node: 'a', snapshotBytes: 4 * MIB, client, timing, logger };
  const copies = new Copies({ ...around, key: Buffer.alloc(32), nodes: () => nodes }, LOG_ID);
  ends.push(() => {
    copies.stop();
    timing.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  /** Time goes by in steps, until something is so. */
  const pass = (isSo: () => boolean): Promise<void> =>
    vi.waitFor(
      () => {
        clock.skip(1000);
        expect(isSo()).toBe(true);
      },
      { timeout: 60_000, interval: 25 },
    );
  return { copies, purge, pass, nodes };
}

const leads = { leads: true, copyTo: (): Promise<void> => NEVER };
const follows = { leads: false, copyTo: (): Promise<void> => NEVER };

test('the log is trimmed while a snapshot is made, however long that takes', async () => {
  const two = [seen('a', { role: 'leader', snapshots: [400] }), seen('b', { snapshots: [450] })];
  const { copies, purge, pass } = copiesOf(two);
  const make = vi.spyOn(copies.keeper, 'make').mockReturnValue(NEVER);
  copies.copies(leads);
  await pass(() => make.mock.calls.length > 0 && purge.mock.calls.length > 0);
  expect(purge.mock.calls[0]?.[0]).toBeLessThanOrEqual(401);
});

test('a node that could not make a snapshot as it lost the lead makes one as a follower', async () => {
  const { copies, pass } = copiesOf([seen('a', {}), seen('b', { role: 'leader' })]);
  const make = vi.spyOn(copies.keeper, 'make');
  let fail = (_error: Error): void => {};
  make.mockReturnValueOnce(new Promise((_, reject) => (fail = reject))).mockReturnValue(NEVER);
  copies.copies(leads);
  await pass(() => make.mock.calls.length === 1);
  copies.copies(null);
  fail(new StoreError('another node leads', 'none'));
  copies.copies(follows);
  let steps = 0;
  await pass(() => {
    steps += 1;
    return make.mock.calls.length === 2;
  });
  // A snapshot that fails for want of room on the disk is not tried again as soon.
  expect(steps).toBeLessThan(60);
});

test('a node that needs a snapshot looks for one until it may stop', async () => {
  const { copies, pass } = copiesOf([]);
  let [asked, stopping] = [0, false];
  const fetched = copies.fetch(400, () => {
    asked += 1;
    return stopping;
  });
  await pass(() => asked > 2);
  stopping = true;
  let ended = false;
  void fetched.then(() => {
    ended = true;
  });
  await pass(() => ended);
});

test('a node that is too old for the snapshots of others says so at once', async () => {
  const peers = { host: '127.0.0.1', port: 1 };
  const others = ['b', 'c'].map((node) => seen(node, { peers, snapshots: [450] }));
  const { copies } = copiesOf(others);
  const fetch = vi.spyOn(PeerClient.prototype, 'fetchSnapshot').mockImplementation(async (path) => {
    const store = await openLmdbStore(path, { reserveBytes: 0 });
    putFormat(store, FORMAT_VERSION + 1, '9.9.9');
    await store.close();
    return {} as never;
  });
  ends.push(() => fetch.mockRestore());
  const fetched = copies.fetch(400, () => false);
  await expect(fetched).rejects.toThrow(TooNewError);
  await expect(fetched).rejects.toThrow(/a newer Leveret, 9\.9\.9 \(format/);
  expect(fetch).toHaveBeenCalledTimes(1);
});

test('a node that finds no snapshot for long says so', async () => {
  const { copies, pass } = copiesOf([]);
  let said = '';
  copies
    .fetch(400, () => false)
    .catch((error: StoreError) => {
      said = error.message;
    });
  await pass(() => said !== '');
  expect(said).toMatch(/^the log begins at record 400, .* no node that runs has one: /);
});
