// Two nodes over one log in memory, without brokers: what each is, and what is durable, as the ways to the log are cut.

import { afterEach, expect, test, vi } from 'vitest';
import { Leadership } from '../../src/cluster/leadership.ts';
import { LogRoom } from '../../src/cluster/log-room.ts';
import { Standby, type StandbyEnd } from '../../src/cluster/standby.ts';
import { Timing } from '../../src/cluster/timing.ts';
import { FORMAT_VERSION, putFormat } from '../../src/store/format.ts';
import { LoggedStore } from '../../src/store/log/logged-store.ts';
import { openMemoryStore } from '../../src/store/memory/engine.ts';
import type { Store } from '../../src/store/port.ts';
import { Appender } from '../../src/store/replicated/appender.ts';
import { LOG_START } from '../../src/store/replicated/chain.ts';
import type { HeldLease } from '../../src/store/replicated/lease.ts';
import { readPlace } from '../../src/store/replicated/place.ts';
import { BEAT, DOWN, LEAD, readRecord } from '../../src/store/replicated/record.ts';
import { ReplicatedLog } from '../../src/store/replicated/replicated-log.ts';
import { TABLE_META } from '../../src/store/tables.ts';
import { MovableClock } from '../../src/util/clock.ts';
import {
  type Call,
  LOG_ID,
  MemoryLogClient,
  SharedLog,
} from '../store/replicated/memory-log-client.ts';

const T = 7;
const LEASE_MS = 10_000;
const RENEW_MS = 2_000;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The way to the log of one node: open, cut, or holding what is sent until it is open again. */
class Way {
  state: 'open' | 'cut' | 'held' = 'open';
  private held: Call[] = [];

  readonly courier = (call: Call): void => {
    if (this.state === 'open') call.pass();
    else if (this.state === 'cut') call.lose();
    else this.held.push(call);
  };

  /** Lets all through that was held, of which the callers hear nothing. */
  release(): void {
    for (const call of this.held.splice(0)) {
      call.lose();
      call.arrive();
    }
    this.state = 'open';
  }
}

class Node {
  readonly name: string;
  readonly way = new Way();
  readonly client: MemoryLogClient;
  readonly tables: Store = openMemoryStore();
  readonly durable: number[] = [];
  standby: Standby | null = null;
  store: LoggedStore | null = null;
  lease: HeldLease | null = null;
  leadership: Leadership | null = null;
  failure: Error | null = null;
  end: StandbyEnd | null = null;
  private readonly timing: Timing;

  constructor(name: string, log: SharedLog, timing: Timing) {
    this.name = name;
    this.timing = timing;
    this.client = new MemoryLogClient(log, this.way.courier);
  }

  /** Follows, and leads once it can. */
  async run(): Promise<void> {
    const place = readPlace(this.tables) ?? { ...LOG_START, logId: LOG_ID };
    const settings = { node: this.name, version: '1', format: FORMAT_VERSION };
    const times = { leaseMs: LEASE_MS, renewMs: RENEW_MS };
    const standby = new Standby(
      this.tables,
      place,
      this.client,
      { ...settings, ...times },
      this.timing,
    );
    this.standby = standby;
    const end = await standby.run();
    this.end = end;
    if (end.is !== 'leads') return;
    this.standby = null;
    this.lease = end.lease;
    const appender = new Appender(this.client, end.place, this.timing.pause);
    const nowMs = (): number => this.timing.clock.monotonicMs();
    const log = new ReplicatedLog(appender, end.lease, LOG_ID, 2 ** 20, nowMs);
    const noCopy = (): Promise<void> => Promise.reject(new Error('no copy is made'));
    this.leadership = new Leadership(end.lease, log, times, this.timing);
    this.store = new LoggedStore(this.tables, log, 0, log, noCopy);
    this.store.onDurable((batch) => this.durable.push(batch));
    this.store.onFailure((error) => {
      this.failure = error;
    });
  }

  put(key: string, value: string): void {
    this.store?.put(T, bytes(key), bytes(value));
    this.store?.seal();
  }

  value(key: string): string | null {
    return this.tables.get(T, bytes(key))?.toString('latin1') ?? null;
  }
}

const timings: Timing[] = [];
afterEach(() => {
  for (const timing of timings.splice(0)) timing.stop();
});

function cluster(): { log: SharedLog; clock: MovableClock; a: Node; b: Node; failed: unknown[] } {
  const clock = new MovableClock();
  const failed: unknown[] = [];
  const timing = new Timing(clock, (error) => failed.push(error));
  timings.push(timing);
  const log = new SharedLog();
  return { log, clock, failed, a: new Node('a', log, timing), b: new Node('b', log, timing) };
}

/** Two nodes, of which the first leads. */
async function led() {
  const all = cluster();
  const { a, b } = all;
  await a.run();
  expect(a.end?.is).toBe('leads');
  void b.run();
  return all;
}

/** Moves the clock on in steps in which a leader can show that it is there. */
async function pass(clock: MovableClock, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += RENEW_MS) {
    clock.skip(RENEW_MS);
    // Longer than a tick of the wheel, whatever the machine does.
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

const kindsOf = (log: SharedLog): (number | undefined)[] =>
  log.records.map((each) => (each === null ? undefined : readRecord(each)?.kind));

test('the first node leads, and the other has what it writes', async () => {
  const { a, b } = await led();
  a.put('k', 'one');
  await vi.waitFor(() => expect(a.durable).toEqual([1]));
  await vi.waitFor(() => expect(b.value('k')).toBe('one'));
  expect(b.standby?.follower.place.seq).toBe(2);
  expect(b.standby?.follower.lead?.node).toBe('a');
});

test('the tables of a leader are in the format that it writes, though it never reads its own beginning', async () => {
  const { a } = cluster();
  a.client.flows = false;
  putFormat(a.tables, FORMAT_VERSION - 1, '0.9.0');
  await a.run();
  a.put('k', 'one');
  await vi.waitFor(() => expect(a.value('k')).toBe('one'));
  const row = a.tables.get(TABLE_META, bytes('format'));
  expect(row?.readUInt32BE()).toBe(FORMAT_VERSION);
});

test('a leader that shows it is there keeps the lead', async () => {
  const { log, clock, a, b, failed } = await led();
  await pass(clock, 3 * LEASE_MS);
  expect(a.lease?.sure).toBe(true);
  expect(b.end).toBeNull();
  expect(kindsOf(log)).toContain(BEAT);
  expect(failed).toEqual([]);
});

test('a leader whose way to the log is cut confirms nothing, and gives way to another', async () => {
  const { clock, a, b } = await led();
  a.put('k', 'one');
  await vi.waitFor(() => expect(b.value('k')).toBe('one'));
  a.way.state = 'cut';
  a.put('k', 'two');
  await pass(clock, 2 * LEASE_MS);
  await vi.waitFor(() => expect(b.end?.is).toBe('leads'));
  expect(a.durable).toEqual([1]);
  expect(a.lease?.sure).toBe(false);
  b.put('k', 'three');
  await vi.waitFor(() => expect(b.durable).toEqual([1]));
  a.way.state = 'open';
  await pass(clock, RENEW_MS);
  await vi.waitFor(() => expect(a.failure?.message).toBe('b leads since record 3 of the log'));
  expect(a.durable).toEqual([1]);
});

test('what a leader had under way when another took its place counts nowhere', async () => {
  const { log, clock, a, b } = await led();
  a.way.state = 'held';
  a.put('k', 'late');
  await pass(clock, 2 * LEASE_MS);
  await vi.waitFor(() => expect(b.end?.is).toBe('leads'));
  // As where nothing is refused: what was held comes behind the record by which the other leads.
  log.obeys = false;
  a.way.release();
  b.put('k', 'right');
  await vi.waitFor(() => expect(b.durable).toEqual([1]));
  await vi.waitFor(() => expect(a.failure?.name).toBe('DeposedError'));
  expect(a.durable).toEqual([]);
  const again = new Node('c', log, timings[0] as Timing);
  void again.run();
  await vi.waitFor(() => expect(again.value('k')).toBe('right'));
  expect(again.standby?.follower.ignored).toBeGreaterThan(0);
});

test('an outage of the log that all nodes see changes no leader', async () => {
  const { clock, a, b } = await led();
  a.way.state = 'cut';
  b.way.state = 'cut';
  await pass(clock, 3 * LEASE_MS);
  expect(a.lease?.sure).toBe(false);
  b.way.state = 'open';
  a.way.state = 'open';
  await pass(clock, LEASE_MS);
  expect(a.lease?.sure).toBe(true);
  expect(b.end).toBeNull();
  a.put('k', 'one');
  await vi.waitFor(() => expect(a.durable).toEqual([1]));
});

test('a leader whose log takes no records gives the lead away, though it could renew the lease', async () => {
  const { clock, a, b } = await led();
  const { courier } = a.way;
  a.client.courier = (call) => (call.kind === 'append' ? call.lose() : courier(call));
  await pass(clock, 3 * LEASE_MS);
  await vi.waitFor(() => expect(b.end?.is).toBe('leads'));
  expect(a.durable).toEqual([]);
});

test('a leader that steps down is followed at once', async () => {
  const { log, a, b } = await led();
  a.put('k', 'one');
  await a.store?.close();
  await a.leadership?.end();
  await vi.waitFor(() => expect(b.end?.is).toBe('leads'), { timeout: 20_000 });
  expect(kindsOf(log).filter((kind) => kind === DOWN || kind === LEAD)).toEqual([LEAD, DOWN, LEAD]);
  expect(b.value('k')).toBe('one');
});

test('batches wait while the log is nearly full, and signs of the leader do not', async () => {
  const { log, clock, a } = await led();
  const timing = timings[0] as Timing;
  const room = new LogRoom(a.client, timing);
  await pass(clock, RENEW_MS);
  log.bytesMax = 1000;
  log.bytes = 950;
  await pass(clock, RENEW_MS);
  expect(room.isFull).toBe(true);
  const taken: string[] = [];
  room.take(10, () => taken.push('one'));
  room.take(10, () => taken.push('two'));
  expect(taken).toEqual([]);
  log.bytes = 100;
  await pass(clock, RENEW_MS);
  expect(taken).toEqual(['one', 'two']);
  room.stop();
});
