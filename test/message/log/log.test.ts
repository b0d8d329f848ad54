// Owns the tests of the message log: where records go, when segments go, what batches and restarts
// do to them. Never runs a broker.

import { expect, test } from 'vitest';
import { Chunk } from '../../../src/message/chunk.ts';
import { MessageLog } from '../../../src/message/log/log.ts';
import { SEGMENT_SPAN, type Segment, weightOf } from '../../../src/message/log/segment.ts';
import { ROW_BYTES_MAX } from '../../../src/message/log/segment-rows.ts';
import { buildRecord, RECORD_HEAD_BYTES } from '../../../src/message/record.ts';
import { CorruptRecordError } from '../../../src/store/errors.ts';
import { Scratch } from '../../../src/store/scratch.ts';
import { TABLE_SEGMENTS } from '../../../src/store/tables.ts';
import { viewOf } from '../../../src/util/bytes.ts';
import { ControlledStore, Disk } from '../../broker/controlled-store.ts';
import { segmentsOf } from '../../broker/inspect.ts';

const MIB = 1024 * 1024;
const KIB = 1024;

interface Bench {
  readonly disk: Disk;
  readonly store: ControlledStore;
  readonly log: MessageLog;
}

/** A log over a disk, started as a broker starts it. */
function open(residentBytesMax = MIB, disk = new Disk()): Bench {
  const store = new ControlledStore(disk);
  const log = new MessageLog(store, residentBytesMax);
  store.onDurable((batch) => log.durable(batch));
  store.onReadable((batch) => log.unpinUpTo(batch));
  return { disk, store, log };
}

/** A content header without properties, for a body of so many bytes. */
function headerOf(bodyBytes: number): Buffer {
  const payload = Buffer.alloc(14);
  payload.writeUInt16BE(60);
  payload.writeUIntBE(bodyBytes, 6, 6);
  return payload;
}

/** How long a record without a body is, and with one of a byte. */
const BARE_BYTES = buildRecord('', '', headerOf(0), Buffer.alloc(0)).length;
const SMALLEST_BYTES = buildRecord('', '', headerOf(1), Buffer.alloc(1)).length;

/** A record of that length, with a body that differs by `mark`. */
function recordOf(length: number, mark: number): Buffer {
  const body = Buffer.alloc(length - SMALLEST_BYTES + 1);
  for (let i = 0; i < body.length; i++) body[i] = (i * 7 + mark) & 0xff;
  const record = buildRecord('', '', headerOf(body.length), body);
  record.fill(mark & 0xff, 0, RECORD_HEAD_BYTES);
  return record;
}

/** Appends a record with one reference. */
function append(log: MessageLog, record: Buffer, persistent = true): number {
  const position = log.append(record, viewOf(record), 0, record.length, persistent);
  log.placed.addRefs(1, record.length);
  return position;
}

function readBack(log: MessageLog, position: number, length: number): Buffer {
  const { bytes, offset } = log.read(position);
  return Buffer.from(bytes.subarray(offset, offset + length));
}

function commit({ store, log }: Bench): void {
  log.sealInto();
  store.seal();
  store.sync();
}

/** The segments that hold something or may come to. */
const count = (log: MessageLog): number => segmentsOf(log).size;

function fill(log: MessageLog, segments: number, persistent = true): number[] {
  const positions: number[] = [];
  for (let n = 0; n < segments * 64; n++) {
    positions.push(append(log, recordOf(KIB, n), persistent));
  }
  return positions;
}

function unref(log: MessageLog, position: number, bodyBytes = KIB): void {
  log.unref(log.segmentOf(position), bodyBytes);
}

test('records read back as they were, from one segment to the next', () => {
  const { log } = open();
  for (const persistent of [false, true]) {
    const records = Array.from({ length: 300 }, (_, n) => recordOf(SMALLEST_BYTES + n * 3, n));
    const positions = records.map((record) => append(log, record, persistent));
    positions.forEach((position, n) => {
      const record = records[n] as Buffer;
      expect(readBack(log, position, record.length).equals(record)).toBe(true);
    });
    const used = new Set(positions.map((position) => log.segmentOf(position).id));
    expect(used.size, 'segments of 64 KiB').toBe(3);
  }
});

test('persistent and transient records never share a segment', () => {
  const { log } = open();
  const position = append(log, recordOf(60, 1), true);
  const other = append(log, recordOf(60, 2), false);
  expect(log.segmentOf(position).persistent).toBe(true);
  expect(log.segmentOf(other).persistent).toBe(false);
});

test('a record too large to share a segment has one of its own', () => {
  const { log } = open();
  for (const length of [SEGMENT_SPAN / 4 + 1, SEGMENT_SPAN, 5 * SEGMENT_SPAN + 3]) {
    const record = recordOf(length, length);
    const position = append(log, record);
    expect(position % SEGMENT_SPAN).toBe(0);
    expect(readBack(log, position, length).equals(record)).toBe(true);
    expect(log.segmentOf(position).end).toBe(length);
    const known = count(log);
    unref(log, position, length);
    expect(count(log), 'freed with its only record').toBe(known - 1);
  }
});

test('a large chunk becomes a segment itself, its records uncopied', () => {
  const bench = open();
  const { log } = bench;
  const bytes = Buffer.alloc(20 * KIB);
  for (const n of [0, 1, 2]) recordOf(5_000, n).copy(bytes, 100 + n * 5_000);
  const chunk = new Chunk();
  chunk.load(bytes, true);
  const positions = [0, 1, 2].map((n) => {
    const position = log.place(chunk, 100 + n * 5_000, 100 + n * 5_000 + 5_000, true);
    log.placed.addRefs(1, 0);
    return position;
  });
  expect(log.segmentOf(positions[0] as number).bytes).toBe(bytes);
  positions.forEach((position, n) => {
    expect(position % SEGMENT_SPAN).toBe(100 + n * 5_000);
  });
  log.release(chunk);
  commit(bench);
  const restarted = open(MIB, bench.disk);
  positions.forEach((position, n) => {
    const start = 100 + n * 5_000;
    const expected = bytes.subarray(start, start + 5_000);
    expect(readBack(restarted.log, position, 5_000).equals(expected)).toBe(true);
  });
});

test('of a chunk that has become a segment, records for the other log are copied', () => {
  const { log } = open();
  const bytes = recordOf(20 * KIB, 1);
  const chunk = new Chunk();
  chunk.load(bytes, true);
  const kept = log.place(chunk, 0, 9_000, true);
  log.placed.addRefs(1, 0);
  const passing = log.place(chunk, 9_000, 18_000, false);
  log.placed.addRefs(1, 0);
  expect(log.segmentOf(kept).bytes).toBe(bytes);
  expect(log.segmentOf(passing).bytes).not.toBe(bytes);
  expect(readBack(log, passing, 9_000).equals(bytes.subarray(9_000, 18_000))).toBe(true);
});

test('a small chunk, or one that somebody else owns, is copied from', () => {
  const { log } = open();
  for (const [length, owned] of [
    [8 * KIB, true],
    [20 * KIB, false],
  ] as const) {
    const bytes = recordOf(length, 1);
    const chunk = new Chunk();
    chunk.load(bytes, owned);
    const position = log.place(chunk, 0, 100, true);
    log.placed.addRefs(1, 0);
    log.release(chunk);
    const expected = Buffer.from(bytes.subarray(0, 100));
    bytes.fill(0);
    expect(readBack(log, position, 100).equals(expected)).toBe(true);
  }
});

test('after a chunk that held few records the next one is copied from, and then not again', () => {
  const { log } = open();
  const chunk = new Chunk();
  const adopted = [1_000, 19_000, 19_000].map((used) => {
    const bytes = recordOf(20 * KIB, 1);
    chunk.load(bytes, true);
    // As records of a body frame cut in two would leave it: little of the chunk is a record.
    const position = log.place(chunk, 0, used, false);
    log.placed.addRefs(1, 0);
    const { bytes: held } = log.segmentOf(position);
    log.release(chunk);
    return held === bytes;
  });
  expect(adopted).toEqual([true, false, true]);
});

test('a segment goes with its last reference, once nothing can be appended to it', () => {
  const { log } = open();
  const empty = count(log);
  const positions = fill(log, 3, false);
  const held = log.segmentOf(positions[0] as number);
  expect(held.liveWeight).toBe(64 * weightOf(KIB));
  for (const position of positions.slice(1)) unref(log, position);
  expect(count(log)).toBe(empty + 1);
  unref(log, positions[0] as number);
  expect(count(log), 'all but the one appended to').toBe(empty);
});

test('what was consumed before its batch is sealed is not written', () => {
  const bench = open();
  const { disk, log } = bench;
  for (const position of fill(log, 2)) unref(log, position);
  const large = append(log, recordOf(40 * KIB, 1));
  unref(log, large, 40 * KIB);
  commit(bench);
  expect(disk.keys(TABLE_SEGMENTS)).toHaveLength(0);
  expect(log.unsealedBytes).toBe(0);
});

test('a freed segment leaves the disk in the batch in which it is freed', () => {
  const bench = open();
  const { disk, store, log } = bench;
  const position = append(log, recordOf(40 * KIB, 1));
  commit(bench);
  expect(disk.keys(TABLE_SEGMENTS)).toHaveLength(1);
  unref(log, position, 40 * KIB);
  log.sealInto();
  store.seal();
  expect(disk.keys(TABLE_SEGMENTS)).toHaveLength(1);
  store.sync();
  expect(disk.keys(TABLE_SEGMENTS)).toHaveLength(0);
});

test('a segment freed while its batch is under way keeps its bytes until then', () => {
  const bench = open();
  const { store, log } = bench;
  const positions = fill(log, 2);
  log.sealInto();
  store.seal();
  for (const position of positions) unref(log, position);
  fill(log, 3);
  // The store compares what it was handed with what it finds now, and fails if they differ.
  store.sync();
});

test('only what was added since the last batch is handed to the store', () => {
  const bench = open();
  const { disk, log } = bench;
  append(log, recordOf(1_000, 1));
  commit(bench);
  append(log, recordOf(500, 2));
  commit(bench);
  const lengths = disk.keys(TABLE_SEGMENTS).map((key) => key.readUInt32BE(10));
  expect(lengths).toEqual([1_000, 500]);
});

test('after a restart the log reads what was durable and appends elsewhere', () => {
  const bench = open();
  const records = [60, 20_000, ROW_BYTES_MAX, ROW_BYTES_MAX + 1, 300_000, 60].map(recordOf);
  const positions = records.map((record) => append(bench.log, record));
  commit(bench);
  const lost = append(bench.log, recordOf(60, 5));
  bench.log.sealInto();
  bench.store.seal();

  const { log } = open(MIB, bench.disk);
  positions.forEach((position, n) => {
    const record = records[n] as Buffer;
    log.recoverRef(position, record.length);
    expect(readBack(log, position, record.length).equals(record)).toBe(true);
  });
  const fresh = append(log, recordOf(60, 9));
  for (const position of positions) {
    expect(log.segmentOf(fresh)).not.toBe(log.segmentOf(position));
  }
  expect(fresh).toBeGreaterThan(lost);
});

test('a restart drops segments that no queue refers to', () => {
  const bench = open();
  const kept = append(bench.log, recordOf(20_000, 1));
  append(bench.log, recordOf(20_000, 2));
  commit(bench);
  const restarted = open(MIB, bench.disk);
  restarted.log.recoverRef(kept, 20_000);
  restarted.log.dropUnreferenced();
  commit(restarted);
  expect(bench.disk.keys(TABLE_SEGMENTS)).toHaveLength(1);
  expect(readBack(restarted.log, kept, 20_000).equals(recordOf(20_000, 1))).toBe(true);
});

test.each([
  ['a byte that changed', (value: Buffer) => value.fill(0xee, 7, 8)],
  ['a value cut short', (value: Buffer) => value.subarray(0, 100)],
  ['a value gone', () => null],
])('reading a segment with %s throws CorruptRecordError', (_, damage) => {
  const bench = open();
  const position = append(bench.log, recordOf(20_000, 1));
  commit(bench);
  const [key] = bench.disk.keys(TABLE_SEGMENTS) as [Buffer];
  const table = bench.disk.table(TABLE_SEGMENTS);
  const damaged = damage(table.get(key) as Buffer);
  const { log } = open(MIB, bench.disk);
  if (damaged === null) table.remove(key);
  else table.put(key, damaged);
  expect(() => log.readable(position)).toThrow(CorruptRecordError);
});

test('where a row of a segment is gone each record is right or noticed, never cut', () => {
  const lengths = [BARE_BYTES, 300, 2_000, 60, 100_000, 500, BARE_BYTES, 60, 200_000, 40_000];
  const records = lengths.map((length, n) =>
    length === BARE_BYTES ? buildRecord('', '', headerOf(0), Buffer.alloc(0)) : recordOf(length, n),
  );
  const bench = open();
  const positions: number[] = [];
  // Each commit ends a row: small records share a segment of many rows, large ones have several of their own.
  for (const record of records) {
    positions.push(append(bench.log, record));
    if (positions.length % 2 === 0) commit(bench);
  }
  commit(bench);
  const keys = bench.disk.keys(TABLE_SEGMENTS);
  expect(keys.length).toBeGreaterThan(8);
  let noticed = 0;
  for (const gone of keys) {
    const table = bench.disk.table(TABLE_SEGMENTS);
    const value = table.get(gone) as Buffer;
    table.remove(gone);
    const { log } = open(MIB, bench.disk);
    positions.forEach((position, n) => {
      if (!log.recoverRef(position, lengths[n] as number)) {
        noticed += 1;
        return;
      }
      try {
        const record = records[n] as Buffer;
        expect(readBack(log, position, record.length).equals(record), `record ${n}`).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptRecordError);
        noticed += 1;
      }
    });
    table.put(gone, value);
  }
  expect(noticed).toBeGreaterThanOrEqual(keys.length);
});

test('segments the store holds leave memory past the limit, and come back when read', () => {
  const bench = open(4 * SEGMENT_SPAN);
  const { log } = bench;
  const positions = fill(log, 20);
  commit(bench);
  const away = [...segmentsOf(log).values()].filter(({ bytes }) => bytes === null);
  expect(away.length).toBeGreaterThan(15);
  positions.forEach((position, n) => {
    expect(readBack(log, position, KIB).equals(recordOf(KIB, n)), `record ${n}`).toBe(true);
  });
});

test('segments that are not durable yet stay in memory past the limit', () => {
  const { log, store } = open(4 * SEGMENT_SPAN);
  fill(log, 20);
  log.sealInto();
  store.seal();
  log.unpinUpTo(0);
  expect([...segmentsOf(log).values()].every(({ bytes }) => bytes !== null)).toBe(true);
});

test('a segment that came back and is freed does not lend its buffer to a new one', () => {
  const bench = open(4 * SEGMENT_SPAN);
  const { log } = bench;
  // Records of this size leave room at the end of each segment, so one read back is shorter.
  const records = Array.from({ length: 60 }, (_, n) => recordOf(15_000, n));
  const positions = records.map((record) => append(log, record));
  commit(bench);
  for (const position of positions) log.readable(position);
  for (const position of positions) unref(log, position, 15_000);
  commit(bench);
  const small = Array.from({ length: 20 * 64 }, (_, n) => append(log, recordOf(KIB, n)));
  small.forEach((position, n) => {
    expect(readBack(log, position, KIB).equals(recordOf(KIB, n)), `record ${n}`).toBe(true);
  });
});

async function withScratch(
  residentBytesMax: number,
): Promise<Bench & { scratch: ControlledStore }> {
  const scratchStore = new ControlledStore(new Disk());
  const scratch = new Scratch(() => Promise.resolve(scratchStore));
  const disk = new Disk();
  const store = new ControlledStore(disk);
  const log = new MessageLog(store, residentBytesMax, residentBytesMax, scratch);
  store.onDurable((batch) => log.durable(batch));
  store.onReadable((batch) => log.unpinUpTo(batch));
  fill(log, 20, false);
  log.maintain();
  // The first need opens it, which takes a turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  return { disk, store, log, scratch: scratchStore };
}

const rowsIn = (store: ControlledStore): Buffer[] => [
  ...store.keys(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(20, 0xff)),
];

test('transient segments leave memory for the scratch store, and come back when read', async () => {
  const { disk, log, scratch } = await withScratch(4 * SEGMENT_SPAN);
  const positions = fill(log, 20, false);
  log.maintain();
  const there = (): Segment[] =>
    [...segmentsOf(log).values()].filter(({ bytes }) => bytes !== null);
  expect(there().length, 'nothing leaves before it is written').toBeGreaterThan(30);
  scratch.sync();
  fill(log, 20, false);
  log.maintain();
  scratch.sync();
  expect(there().length).toBeLessThan(30);
  expect(disk.keys(TABLE_SEGMENTS), 'the store that lasts').toHaveLength(0);
  positions.forEach((position, n) => {
    expect(readBack(log, position, KIB).equals(recordOf(KIB, n)), `record ${n}`).toBe(true);
  });
});

test('what was consumed leaves the scratch store too', async () => {
  const { log, scratch } = await withScratch(4 * SEGMENT_SPAN);
  fill(log, 20, false);
  const before = [...segmentsOf(log).values()];
  log.maintain();
  scratch.sync();
  expect(rowsIn(scratch).length).toBeGreaterThan(10);
  for (const segment of before) {
    while (segment.liveWeight > 0) log.unref(segment, KIB);
  }
  log.maintain();
  scratch.sync();
  log.maintain();
  scratch.sync();
  expect(rowsIn(scratch)).toHaveLength(0);
});

test('a log without a scratch store keeps transient segments in memory', () => {
  const { log } = open(4 * SEGMENT_SPAN);
  fill(log, 20, false);
  log.maintain();
  expect([...segmentsOf(log).values()].every(({ bytes }) => bytes !== null)).toBe(true);
});

test('a packed segment reads as before where records are kept, after a restart too', () => {
  const bench = open();
  const { disk, log } = bench;
  const positions = fill(log, 2);
  commit(bench);
  const segment = log.segmentOf(positions[0] as number);
  const kept = [3, 4, 40];
  for (const [n, position] of positions.slice(0, 64).entries()) {
    if (!kept.includes(n)) unref(log, position);
  }
  expect([...log.sparse], 'sparse').toContain(segment);
  log.pack(segment, log.bytesOf(segment), [3 * KIB, 2 * KIB, 40 * KIB, KIB]);
  expect([...log.sparse]).not.toContain(segment);
  expect(log.isStored(segment), 'it is on its way').toBe(false);
  commit(bench);
  expect(log.isStored(segment)).toBe(true);
  const [key] = disk.keys(TABLE_SEGMENTS) as [Buffer];
  expect(disk.table(TABLE_SEGMENTS).get(key)?.length).toBe(3 * KIB + 2 + 2 * 4);
  const restarted = open(MIB, disk);
  for (const n of kept) {
    const position = positions[n] as number;
    expect(restarted.log.recoverRef(position, KIB)).toBe(true);
    expect(readBack(restarted.log, position, KIB).equals(recordOf(KIB, n)), `${n}`).toBe(true);
  }
});

test('a packed row that is damaged is noticed', () => {
  const bench = open();
  const positions = fill(bench.log, 1);
  append(bench.log, recordOf(KIB, 1));
  commit(bench);
  const segment = bench.log.segmentOf(positions[0] as number);
  bench.log.pack(segment, bench.log.bytesOf(segment), [0, KIB]);
  commit(bench);
  const table = bench.disk.table(TABLE_SEGMENTS);
  const [key] = bench.disk.keys(TABLE_SEGMENTS) as [Buffer];
  table.put(key, Buffer.from(table.get(key) as Buffer).fill(0xff, 2, 6));
  const restarted = open(MIB, bench.disk);
  expect(() => restarted.log.read(positions[0] as number)).toThrow(CorruptRecordError);
});
