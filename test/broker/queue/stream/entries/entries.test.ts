// Owns the tests of what a stream keeps on the disk and in memory: offsets that never change, over pages and spans, after
// restarts and crashes at any moment, and what of it the log holds.

import { expect, test } from 'vitest';
import type { Field } from '../../../../../src/amqp/field-table.ts';
import { SPAN_ENTRIES } from '../../../../../src/broker/queue/stream/entries/span.ts';
import { TABLE_MARKS, TABLE_PAGES, TABLE_STREAMS } from '../../../../../src/store/tables.ts';
import { limitPages, wrongReferences } from '../../../inspect.ts';
import { SmallBroker } from '../../../small-broker.ts';
import {
  append,
  declareStream,
  numbered,
  readAll,
  StreamReader,
  streamOf,
} from '../stream-reader.ts';

const PAGE = 256;
const HOUR_MS = 3_600_000;
const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });

const wrong = (small: SmallBroker): string | null =>
  wrongReferences(small.broker, small.vhost.queues.values());

const again = [
  ['a restart', (small: SmallBroker) => small.restarted()],
  ['a crash', (small: SmallBroker) => small.crashed()],
] as const;

test('more than a span is read back by its spans', () => {
  let small = new SmallBroker();
  declareStream(small);
  const count = SPAN_ENTRIES + 3 * PAGE + 7;
  append(small, 0, count);
  small.commit();
  expect(small.disk.keys(TABLE_STREAMS)).toHaveLength(1);
  const reads = { bodyBytes: streamOf(small).entries.bodyBytes };
  small = small.crashed();
  const { entries } = streamOf(small);
  // The pages of the span that is full are not looked at.
  expect(small.broker.core.queueRows.loaded.count).toBe(0);
  expect(entries).toMatchObject({ first: 0, tail: count, durableTail: count, ...reads });
  expect(wrong(small)).toBeNull();
  append(small, count, 3);
  small.commit();
  expect(readAll(small)).toEqual(numbered(0, count + 3));
});

test('of a span whose first pages are gone the others are counted one by one, and let go of', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-length': int(SPAN_ENTRIES) });
  append(small, 0, SPAN_ENTRIES + 10 * PAGE + 5);
  small.run();
  expect(streamOf(small).entries.first).toBe(10 * PAGE);
  small = small.crashed();
  expect(wrong(small)).toBeNull();
  expect(streamOf(small).entries).toMatchObject({
    first: 10 * PAGE,
    tail: SPAN_ENTRIES + 10 * PAGE + 5,
  });
  append(small, SPAN_ENTRIES + 10 * PAGE + 5, SPAN_ENTRIES);
  small.run();
  // The first span is gone with its row.
  expect(small.disk.keys(TABLE_STREAMS)).toHaveLength(1);
  expect(wrong(small)).toBeNull();
  small = small.crashed();
  expect(wrong(small)).toBeNull();
  const { first, tail } = streamOf(small).entries;
  expect(readAll(small)).toEqual(numbered(first, tail));
});

test('offsets of what no batch had are given out again, and no others', () => {
  let small = new SmallBroker();
  declareStream(small);
  append(small, 0, PAGE + 3);
  small.commit();
  append(small, PAGE + 3, 2 * PAGE);
  small.broker.core.seal();
  append(small, 3 * PAGE + 3, 5);
  expect(streamOf(small).entries).toMatchObject({ tail: 3 * PAGE + 8, durableTail: PAGE + 3 });
  expect(readAll(small)).toEqual(numbered(0, PAGE + 3));
  small = small.crashed();
  expect(streamOf(small).entries.tail).toBe(PAGE + 3);
  append(small, PAGE + 3, 2 * PAGE);
  small.commit();
  expect(readAll(small)).toEqual(numbered(0, 3 * PAGE + 3));
  expect(wrong(small)).toBeNull();
});

test('several batches under way become durable one after another, and are read so', () => {
  const small = new SmallBroker();
  const stream = declareStream(small);
  small.commit();
  const reader = new StreamReader(small, stream);
  for (const from of [0, 100, 200, 300]) {
    append(small, from, 100);
    small.broker.core.seal();
  }
  for (const durable of [100, 200, 300, 400]) {
    small.store.sync(1);
    small.broker.core.deliver();
    expect(reader.given).toEqual(numbered(0, durable));
  }
});

test.each(again)(
  'an idle stream grows old to its last message, and its next offset stays after %s',
  (_, restart) => {
    let small = new SmallBroker();
    declareStream(small, 's', { 'x-max-age': text('1h') });
    append(small, 0, PAGE + 10);
    small.pass(HOUR_MS);
    expect(streamOf(small).entries).toMatchObject({
      first: PAGE + 10,
      tail: PAGE + 10,
      bodyBytes: 0,
    });
    expect(small.disk.keys(TABLE_PAGES)).toEqual([]);
    expect(wrong(small)).toBeNull();
    small = restart(small);
    append(small, PAGE + 10, 3 * PAGE);
    small.run();
    expect(readAll(small)).toEqual(numbered(PAGE + 10, 4 * PAGE + 10));
    small = restart(small);
    expect(readAll(small)).toEqual(numbered(PAGE + 10, 4 * PAGE + 10));
    expect(wrong(small)).toBeNull();
    small.pass(HOUR_MS);
    expect(streamOf(small).entries).toMatchObject({ first: 4 * PAGE + 10, tail: 4 * PAGE + 10 });
  },
);

test('what retention takes before it is durable frees the log, and keeps its offsets', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-length': int(PAGE) });
  append(small, 0, 5 * PAGE + 1);
  small.commit();
  expect(streamOf(small).entries).toMatchObject({ first: 4 * PAGE, tail: 5 * PAGE + 1 });
  expect(wrong(small)).toBeNull();
  small = small.crashed();
  expect(readAll(small)).toEqual(numbered(4 * PAGE, 5 * PAGE + 1));
  expect(wrong(small)).toBeNull();
});

test('pages leave memory, also the one that the next message goes to, and each message is read as it was', () => {
  let small = new SmallBroker();
  limitPages(small.broker, 3, 1);
  for (const name of ['s', 't']) declareStream(small, name);
  for (let n = 0; n < 40; n++) {
    for (const name of ['s', 't']) {
      append(small, n * 100, 100, name);
      small.commit();
    }
    if (n % 5 === 0) expect(readAll(small, 's')).toEqual(numbered(0, (n + 1) * 100));
  }
  expect(small.broker.core.queueRows.loaded.count).toBeLessThan(10);
  for (const name of ['s', 't']) expect(readAll(small, name)).toEqual(numbered(0, 4_000));
  small = small.crashed();
  for (const name of ['s', 't']) expect(readAll(small, name)).toEqual(numbered(0, 4_000));
  expect(wrong(small)).toBeNull();
});

test('the page of a stream that was idle is read again for its next message, among others that took its memory', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  declareStream(small, 's');
  append(small, 0, 10);
  small.commit();
  small.declare('q');
  small.fill('q', 10 * PAGE);
  small.commit();
  small.fill('q', 10 * PAGE);
  const queue = small.queue('q');
  append(small, 10, 10);
  small.commit();
  expect(readAll(small)).toEqual(numbered(0, 20));
  expect(small.readyNow(queue)).toEqual(Array(20 * PAGE).fill('body'));
});

test('the log keeps what a stream has of segments that a queue shares, and compaction too', () => {
  let small = new SmallBroker();
  small.broker.core.log.sparse.bytesMin = 0;
  declareStream(small, 's', { 'x-max-length': int(PAGE) });
  small.declare('q');
  // Each message of the stream lies among many of the queue.
  for (let n = 0; n < 2 * PAGE; n++) {
    append(small, n, 1);
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2 } }, Buffer.alloc(2_000));
  }
  small.commit();
  small.readyNow(small.queue('q'));
  small.commit();
  for (let turns = 0; small.broker.core.maintain() || turns < 10; turns++) small.commit();
  expect(small.broker.core.compaction.done.segments).toBeGreaterThan(2);
  expect(wrong(small)).toBeNull();
  expect(readAll(small)).toEqual(numbered(PAGE, 2 * PAGE));
  small = small.crashed();
  expect(readAll(small)).toEqual(numbered(PAGE, 2 * PAGE));
});

test('compaction passes over spans that need none of the sparse segments', () => {
  const small = new SmallBroker();
  const stream = declareStream(small);
  append(small, 0, SPAN_ENTRIES + 10);
  small.commit();
  const visited: number[] = [];
  const walk = (wanted: (segment: number) => boolean): number => {
    let steps = 0;
    for (let cursor = 0; cursor >= 0; steps++) {
      cursor = stream.visitPage(cursor, (position) => visited.push(position), wanted);
    }
    return steps;
  };
  expect(walk(() => false)).toBeLessThan(5);
  expect(visited).toHaveLength(10);
  expect(walk(() => true)).toBeGreaterThan(SPAN_ENTRIES / PAGE);
  expect(visited).toHaveLength(SPAN_ENTRIES + 20);
});

test('a deleted stream leaves no row, whenever the broker ends, and its number is not given out meanwhile', () => {
  for (let crashAfter = 0; crashAfter < 8; crashAfter++) {
    let small = new SmallBroker();
    limitPages(small.broker, 2, 2);
    const { id } = declareStream(small, 's', { 'x-max-age': text('1h') });
    append(small, 0, 5);
    small.pass(HOUR_MS);
    append(small, 5, 20 * PAGE);
    small.commit();
    const reader = new StreamReader(small, streamOf(small), { group: 'g' }, 10);
    small.run();
    reader.ack();
    // This place is in a batch that is under way.
    small.broker.core.seal();
    small.vhost.removeQueue(streamOf(small));
    reader.ack();
    for (let n = 0; n < crashAfter; n++) small.commit();
    expect(wrong(small)).toBeNull();
    if (crashAfter % 2 === 0) small = small.crashed();
    const next = declareStream(small, 'next');
    expect(next.id).toBeGreaterThan(id);
    small.run();
    if (crashAfter === 0) continue;
    expect(rowsOf(small, id)).toEqual([]);
    expect(wrong(small)).toBeNull();
  }
});

test('a deleted stream with thousands of places is swept in as many steps as that takes', () => {
  let small = new SmallBroker();
  const stream = declareStream(small);
  for (let n = 0; n < 3_000; n++) stream.movePlace(`group ${n}`, 0);
  small.commit();
  expect(small.disk.keys(TABLE_STREAMS)).toHaveLength(3_000);
  limitPages(small.broker, 100, 1);
  small.vhost.removeQueue(stream);
  small.commit();
  small.commit();
  expect(small.disk.keys(TABLE_STREAMS).length).toBeGreaterThan(2_000);
  small = small.crashed();
  small.run();
  expect(rowsOf(small, stream.id)).toEqual([]);
});

function rowsOf(small: SmallBroker, id: number): string[] {
  const found: string[] = [];
  for (const table of [TABLE_MARKS, TABLE_PAGES, TABLE_STREAMS]) {
    for (const key of small.disk.keys(table)) {
      if (key.readUInt32BE(0) === id) found.push(`${table} ${key.toString('hex')}`);
    }
  }
  return found;
}
