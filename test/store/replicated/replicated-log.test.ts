import { expect, test } from 'vitest';
import { LoggedStore, type LoggedStoreOptions } from '../../../src/store/log/logged-store.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import type { Store } from '../../../src/store/port.ts';
import { Appender } from '../../../src/store/replicated/appender.ts';
import { BATCH_BYTES_MAX, LOG_START, type Place } from '../../../src/store/replicated/chain.ts';
import { Follower } from '../../../src/store/replicated/follower.ts';
import { DeposedError, LogFullError } from '../../../src/store/replicated/log-client.ts';
import { readPlace } from '../../../src/store/replicated/place.ts';
import {
  BATCH,
  BEAT,
  DOWN,
  LEAD,
  PART,
  RECORD_HEAD_BYTES,
  readRecord,
} from '../../../src/store/replicated/record.ts';
import { type Leading, ReplicatedLog } from '../../../src/store/replicated/replicated-log.ts';
import { ControlledStore, Disk } from '../../broker/controlled-store.ts';
import { commit, storeContract } from '../contract.ts';
import {
  atOnce,
  type Courier,
  HeldCalls,
  LOG_ID,
  MemoryLogClient,
  SharedLog,
} from './memory-log-client.ts';
import { leadBehind, placeOfLead, TABLE } from './written.ts';

const SURE: Leading = { whenSure: (then) => then() };
const PART_BYTES = 16;
const key = (text: string): Buffer => Buffer.from(text);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const noCopy = (): Promise<void> => Promise.reject(new Error('no copy is made'));

/** A leader behind its LEAD at 1, with the clock standing at `nowMs`. */
function leader(courier: Courier = atOnce, leading = SURE, partBytes = PART_BYTES) {
  const log = new SharedLog();
  log.append(leadBehind(LOG_START), 0);
  const client = new MemoryLogClient(log, courier, RECORD_HEAD_BYTES + partBytes);
  const appender = new Appender(client, placeOfLead(LOG_START), turn);
  const clock = { nowMs: 5 };
  const { recordBytesMax } = client;
  const replicated = new ReplicatedLog(
    appender,
    leading,
    LOG_ID,
    recordBytesMax,
    () => clock.nowMs,
  );
  const kinds = (): number[] => log.records.map((bytes) => readRecord(bytes as Buffer)?.kind ?? 0);
  return { log, client, appender, clock, replicated, kinds };
}

function storeOf(
  replicated: ReplicatedLog,
  tables: Store,
  options: LoggedStoreOptions = {},
): Store {
  return new LoggedStore(tables, replicated, 0, replicated, noCopy, options);
}

for (const [name, bytes] of [
  ['large records', 2 ** 20],
  ['records that hold a part of a batch', 1000],
] as const) {
  storeContract(`tables in memory behind a replicated log with ${name}`, () =>
    Promise.resolve(storeOf(leader(atOnce, SURE, bytes).replicated, openMemoryStore())),
  );
}

/** Appends a body; resolves with what the store would be told. */
const append = (log: ReplicatedLog, number: number, ...parts: string[]): Promise<Error | null> =>
  new Promise((resolve) => {
    const buffers = parts.map((part) => Buffer.from(part));
    log.append(number, buffers, Buffer.concat(buffers).length, resolve);
  });

/** The batches that a node which follows gets. */
function bodies(log: SharedLog): string[] {
  const found: string[] = [];
  let open = '';
  for (const bytes of log.records) {
    const record = readRecord(bytes as Buffer);
    if (record?.kind === PART) open += record.body.toString();
    if (record?.kind !== BATCH) continue;
    found.push(open + record.body.toString());
    open = '';
  }
  return found;
}

test('a batch that is longer than a record goes in parts, each as long as it may be', async () => {
  const { log, replicated, kinds } = leader();
  const body = 'abcdefghijklmnopqrstuvwxyz0123456789';
  expect(await append(replicated, 1, body.slice(0, 3), '', body.slice(3))).toBeNull();
  expect(kinds()).toEqual([LEAD, PART, PART, BATCH]);
  expect(await append(replicated, 2, 'x'.repeat(PART_BYTES))).toBeNull();
  expect(await append(replicated, 3, 'x'.repeat(2 * PART_BYTES))).toBeNull();
  expect(kinds().slice(4)).toEqual([BATCH, PART, BATCH]);
  expect(bodies(log)).toEqual([body, 'x'.repeat(16), 'x'.repeat(32)]);
});

test('a BEAT goes behind the batch before it, and shows when the log took it', async () => {
  const { clock, replicated, kinds } = leader();
  const done = append(replicated, 1, 'x'.repeat(20));
  const beat = replicated.beat();
  const next = replicated.down();
  clock.nowMs = 7;
  expect(await done).toBeNull();
  await beat;
  await next;
  expect(kinds()).toEqual([LEAD, PART, BATCH, BEAT, DOWN]);
  expect(replicated.ackedMs).toBe(7);
});

test('what the tables are noted to have is the place of the last batch that they have', async () => {
  const { replicated } = leader();
  const tables = openMemoryStore();
  const noted = async (number: number): Promise<Place | null> => {
    replicated.put(tables, number);
    await commit(tables);
    return readPlace(tables);
  };
  expect(await noted(0)).toBeNull();
  await append(replicated, 1, 'x'.repeat(20));
  const { place } = replicated;
  await replicated.beat();
  await append(replicated, 2, 'y');
  expect(await noted(1)).toEqual({ ...place, logId: LOG_ID });
  expect(replicated.usedBytes).toBe(21);
  replicated.letGo(1);
  expect(replicated.usedBytes).toBe(1);
  expect(await noted(2)).toEqual({ ...replicated.place, logId: LOG_ID });
  replicated.letGo(2);
  expect(replicated.usedBytes).toBe(0);
  // With none, what was said last is true still.
  expect(await noted(2)).toEqual({ ...replicated.place, logId: LOG_ID });
});

test('it has room for one of any length, and for others up to what memory may hold', async () => {
  const { replicated } = leader(atOnce, SURE, 2 ** 30);
  expect(replicated.hasRoom(2 ** 30)).toBe(true);
  await append(replicated, 1, 'x');
  expect(replicated.hasRoom(replicated.bytes - 1)).toBe(true);
  expect(replicated.hasRoom(replicated.bytes)).toBe(false);
});

test('a batch longer than followers could hold is not written, and is the end', async () => {
  const { replicated, kinds } = leader();
  const error = await new Promise((resolve) => {
    replicated.append(1, [], BATCH_BYTES_MAX + 1, resolve);
  });
  expect(String(error)).toContain('cannot be replicated');
  expect(kinds()).toEqual([LEAD]);
});

test('a leader that is deposed while nothing is under way says so to its store', async () => {
  const { replicated, kinds } = leader();
  const told: Error[] = [];
  replicated.onFailure((error) => told.push(error));
  const error = new DeposedError('another node has taken the lease');
  replicated.depose(error);
  replicated.depose(new DeposedError('again'));
  await replicated.beat();
  expect(told).toEqual([error]);
  expect(kinds()).toEqual([LEAD]);
});

test('one that is deposed amid an append fails that, and nothing else that was asked for', async () => {
  const held = new HeldCalls();
  const { replicated, kinds } = leader(held.courier);
  const done = append(replicated, 1, 'a');
  replicated.onFailure(() => expect.unreachable());
  const beat = replicated.beat();
  await turn();
  const error = new DeposedError('another node has taken the lease');
  replicated.depose(error);
  expect(await done).toBe(error);
  held.next('append').pass();
  await beat;
  await replicated.close();
  expect(kinds()).toEqual([LEAD, BATCH]);
  expect(held.calls).toEqual([]);
});

test('another LEAD in the log, and a log that is full, fail the append', async () => {
  const deposed = leader();
  deposed.log.append(leadBehind(placeOfLead(LOG_START)), 1);
  expect(await append(deposed.replicated, 1, 'a')).toBeInstanceOf(DeposedError);
  const full = leader();
  full.log.bytesMax = full.log.bytes;
  expect(await append(full.replicated, 1, 'a')).toBeInstanceOf(LogFullError);
});

test('nothing is durable before the leader is sure that it leads, and never where it is not', async () => {
  const waiting: (() => void)[] = [];
  const { replicated, kinds } = leader(atOnce, { whenSure: (then) => waiting.push(then) });
  const done = append(replicated, 1, 'a');
  let told = false;
  void done.then(() => {
    told = true;
  });
  await turn();
  expect(kinds()).toEqual([LEAD, BATCH]);
  expect(told).toBe(false);
  // Signs that the log takes records go on meanwhile.
  await replicated.beat();
  for (const then of waiting.splice(0)) then();
  expect(await done).toBeNull();
  const never = append(replicated, 2, 'b');
  await turn();
  const error = new DeposedError('the lease is lost');
  replicated.depose(error);
  for (const then of waiting.splice(0)) then();
  expect(await never).toBe(error);
});

test('once closed it appends nothing, and tells of no failure', async () => {
  const held = new HeldCalls();
  const { replicated } = leader(held.courier);
  replicated.onFailure(() => expect.unreachable());
  const beat = replicated.beat();
  await turn();
  const closed = replicated.close();
  held.next('append').lose();
  await closed;
  await beat;
  await replicated.beat();
  expect(held.calls).toEqual([]);
});

test('a node that follows has the tables of the leader, and the same place, whatever the parts', async () => {
  const { log, replicated } = leader();
  const disk = new Disk();
  const store = storeOf(replicated, openMemoryStore());
  const tables = new ControlledStore(disk);
  const failed = (error: Error): void => expect.unreachable(error.message);
  const place = { ...LOG_START, logId: LOG_ID };
  const follower = new Follower(tables, place, 1, { failed, behind: () => expect.unreachable() });
  new MemoryLogClient(log).follow(1, follower);
  for (let i = 0; i < 30; i += 1) {
    store.put(TABLE, key(`k${i % 7}`), Buffer.alloc(i * 5, i));
    if (i % 10 === 9) store.removeRange(TABLE, key('k2'), key('k4'));
    if (i % 4 === 0) void replicated.beat();
    await commit(store);
  }
  while (follower.place.seq < log.last) await turn();
  const settled = follower.settled();
  tables.sync();
  await settled;
  const rows = [...store.range(TABLE, key(''), key('z'))].map((row) => [`${row.key}`, row.value]);
  const theirs = [...tables.range(TABLE, key(''), key('z'))].map((r) => [`${r.key}`, r.value]);
  expect(rows.length).toBeGreaterThan(3);
  expect(theirs).toEqual(rows);
  expect(follower.applied.digest).toBe(replicated.place.digest);
  await store.close();
});
