// Owns the tests of rows of streams that are damaged: readers pass by what is lost, nothing else is, offsets stay, and the
// operator is told.

import { expect, test } from 'vitest';
import type { Field } from '../../../../../src/amqp/field-table.ts';
import { ENTRY_SETTLED, Page } from '../../../../../src/broker/queue/messages/pages/page.ts';
import { QueueRows } from '../../../../../src/broker/queue/messages/queue-rows.ts';
import { SPAN_ENTRIES, SPAN_PAGES } from '../../../../../src/broker/queue/stream/entries/span.ts';
import { TABLE_MARKS, TABLE_PAGES, TABLE_STREAMS } from '../../../../../src/store/tables.ts';
import { limitPages, wrongReferences } from '../../../inspect.ts';
import { damage } from '../../../set-aside/damage.ts';
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

/** Spoils the row of a table that is so; the key's last bytes tell which. */
function spoil(small: SmallBroker, table: number, is: (key: Buffer) => boolean): void {
  const rows = small.disk.table(table);
  const key = small.disk.keys(table).find(is) as Buffer;
  const spoilt = Buffer.from(rows.get(key) as Buffer);
  spoilt[5] = (spoilt[5] as number) ^ 1;
  rows.put(key, spoilt);
}

const spoilPage = (small: SmallBroker, page: number): void =>
  spoil(small, TABLE_PAGES, (key) => key.readUIntBE(4, 6) === page);

const pageRows = (small: SmallBroker): number[] =>
  small.disk
    .keys(TABLE_PAGES)
    .filter((key) => key.readUInt32BE(0) === streamOf(small).id)
    .map((key) => key.readUIntBE(4, 6));

const asideIn = (small: SmallBroker): string[] =>
  [...small.broker.core.setAsideRows.list()].map(({ kind }) => kind);

const wrong = (small: SmallBroker): string | null =>
  wrongReferences(small.broker, small.vhost.queues.values());

/** All offsets up to one, but for those of some pages. */
const without = (to: number, ...pages: number[]): [number, string][] =>
  numbered(0, to).filter(([offset]) => !pages.includes(Math.floor(offset / PAGE)));

/** A broker whose stream has nearly all its pages on the disk alone. */
function prepared(count: number, args: Record<string, Field> = {}): SmallBroker {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  declareStream(small, 's', args);
  append(small, 0, count);
  small.run();
  small.declare('other');
  small.fill('other', 3 * PAGE);
  small.run();
  return small;
}

test.each([0, 2])('readers pass by page %i, and so they do after the next start', (page) => {
  let small = prepared(4 * PAGE + 10);
  spoilPage(small, page);
  const wanted = without(4 * PAGE + 10, page);
  for (let n = 0; n < 2; n++) expect(readAll(small)).toEqual(wanted);
  expect(asideIn(small)).toEqual(['page of messages']);
  small = small.crashed();
  expect(readAll(small)).toEqual(wanted);
  expect(asideIn(small)).toEqual(['page of messages']);
  expect(pageRows(small)).toContain(page);
});

test('where the last page is damaged the next one begins, and no offset of it is given out again', () => {
  for (const found of ['by a push', 'by a start', 'by a start, and taken away then'] as const) {
    let small = prepared(PAGE + 10);
    if (found === 'by a push') small = small.crashed();
    spoilPage(small, 1);
    if (found !== 'by a push') small = small.crashed();
    small.run();
    if (found === 'by a start, and taken away then') {
      for (const row of [...small.broker.core.setAsideRows.list()]) {
        small.broker.core.setAsideRows.drop(row);
      }
      small.commit();
      small = small.crashed();
    }
    append(small, 2 * PAGE, 10);
    small.commit();
    const wanted = [...numbered(0, PAGE), ...numbered(2 * PAGE, 2 * PAGE + 10)];
    expect(readAll(small)).toEqual(wanted);
    small = small.crashed();
    expect(readAll(small)).toEqual(wanted);
    append(small, 2 * PAGE + 10, 1);
    small.commit();
    expect(readAll(small)).toEqual([...wanted, [2 * PAGE + 10, String(2 * PAGE + 10)]]);
  }
});

test('retention goes over a damaged page as over others, and lets go of its row', () => {
  let small = prepared(6 * PAGE, { 'x-max-length': int(6 * PAGE) });
  spoilPage(small, 1);
  readAll(small);
  append(small, 6 * PAGE, PAGE);
  small.run();
  expect(streamOf(small).entries.first).toBe(PAGE);
  append(small, 7 * PAGE, 2 * PAGE);
  small.run();
  expect(streamOf(small).entries.first).toBe(3 * PAGE);
  expect(pageRows(small)).not.toContain(1);
  expect(asideIn(small)).toEqual([]);
  small = small.crashed();
  expect(streamOf(small).entries.first).toBe(3 * PAGE);
  expect(readAll(small)).toEqual(numbered(3 * PAGE, 9 * PAGE));
  expect(wrong(small)).toBeNull();
});

test.each([false, true])(
  'bytes are counted without a damaged page; found by a start: %s',
  (restart) => {
    const bodies = 6 * PAGE * 4;
    let small = new SmallBroker();
    limitPages(small.broker, 1, 1);
    declareStream(small, 's', { 'x-max-length-bytes': int(bodies) });
    const big = { routingKey: 's', properties: { deliveryMode: 2 } };
    for (let n = 0; n < PAGE; n++) small.publish(big, Buffer.alloc(4));
    for (let n = 0; n < PAGE; n++) small.publish(big, Buffer.alloc(16));
    for (let n = 0; n < PAGE; n++) small.publish(big, Buffer.alloc(4));
    small.run();
    small.declare('other');
    small.fill('other', 3 * PAGE);
    small.run();
    spoilPage(small, 1);
    if (restart) small = small.crashed();
    readAll(small);
    // The second page goes, and its bytes with it; of one that a start has found nothing was counted.
    for (let n = 0; n < 5 * PAGE; n++) small.publish(big, Buffer.alloc(4));
    small.run();
    const { entries } = streamOf(small);
    expect(entries.bodyBytes).toBe(bodies);
    expect(entries.count).toBe((restart ? 7 : 6) * PAGE);
  },
);

test('bytes are counted anew over spans, too', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  declareStream(small);
  const { entries } = streamOf(small);
  for (let n = 0; n < 2 * SPAN_ENTRIES + 3 * PAGE + 9; n++) {
    small.publish({ routingKey: 's', properties: { deliveryMode: 2 } }, Buffer.alloc(n % 7));
    if (n % (20 * PAGE) === 0) small.commit();
  }
  small.commit();
  spoilPage(small, 1);
  entries.dropHead();
  entries.dropHead();
  const bodyBytes = Array.from({ length: entries.count }, (_, n) => (n + 2 * PAGE) % 7);
  expect(entries.bodyBytes).toBe(bodyBytes.reduce((sum, bytes) => sum + bytes, 0));
});

test('a damaged page at the head is not taken for one that is too old', () => {
  const small = prepared(2 * PAGE, { 'x-max-age': text('2h') });
  small.pass(HOUR_MS);
  append(small, 2 * PAGE, PAGE);
  spoilPage(small, 0);
  readAll(small);
  small.run();
  expect(streamOf(small).entries.first).toBe(0);
  small.pass(HOUR_MS);
  expect(streamOf(small).entries.first).toBe(2 * PAGE);
});

test('the offset of a time is found beside damaged pages', () => {
  let small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  declareStream(small);
  const times: number[] = [];
  for (let page = 0; page < 12; page++) {
    times.push(small.nowMs);
    append(small, page * PAGE, PAGE);
    small.run();
    small.pass(HOUR_MS);
  }
  small.declare('other');
  small.fill('other', 3 * PAGE);
  small.run();
  for (const page of [4, 5, 6]) spoilPage(small, page);
  for (let n = 0; n < 2; n++) {
    for (const [page, ms] of times.entries()) {
      const offset = streamOf(small).startOf({ kind: 'time', ms });
      const reader = new StreamReader(small, streamOf(small), {
        start: { kind: 'offset', offset },
      });
      small.run();
      const lost = page >= 4 && page <= 6;
      expect(reader.offsets[0]).toBe(lost ? 7 * PAGE : page * PAGE);
      reader.leave();
    }
    small = small.crashed();
  }
});

test('a damaged row of a span is made again of its pages', () => {
  let small = new SmallBroker();
  declareStream(small);
  const count = SPAN_ENTRIES + PAGE + 1;
  append(small, 0, count);
  small.commit();
  const [key] = small.disk.keys(TABLE_STREAMS);
  const row = Buffer.from(small.disk.table(TABLE_STREAMS).get(key as Buffer) as Buffer);
  spoil(small, TABLE_STREAMS, () => true);
  small = small.crashed();
  expect(asideIn(small)).toEqual(['span of a stream']);
  expect(wrong(small)).toBeNull();
  expect(streamOf(small).entries).toMatchObject({ first: 0, tail: count });
  small.run();
  expect(small.disk.table(TABLE_STREAMS).get(key as Buffer)).toEqual(row);
  expect(asideIn(small)).toEqual([]);
  // A page that is damaged as well is lost, and no other.
  spoil(small, TABLE_STREAMS, () => true);
  spoilPage(small, SPAN_PAGES - 1);
  small = small.crashed();
  small.run();
  expect(readAll(small)).toEqual(without(count, SPAN_PAGES - 1));
  append(small, count, 2 * PAGE);
  small.run();
  expect(small.disk.keys(TABLE_STREAMS)).toHaveLength(1);
  expect(readAll(small)).toEqual(without(count + 2 * PAGE, SPAN_PAGES - 1));
});

test('a group whose place is damaged begins anew, and others stay where they were', () => {
  let small = new SmallBroker();
  const stream = declareStream(small);
  append(small, 0, 100);
  small.run();
  for (const [group, acked] of [
    ['a', 10],
    ['b', 20],
  ] as const) {
    const reader = new StreamReader(small, stream, { group }, 50);
    small.run();
    reader.ack(acked);
    reader.leave();
  }
  small.run();
  spoil(small, TABLE_STREAMS, (key) => key.toString('latin1', 5) === 'a');
  small = small.crashed();
  expect(asideIn(small)).toEqual(['place of a group']);
  for (const [group, first] of [
    ['a', 0],
    ['b', 20],
  ] as const) {
    const reader = new StreamReader(small, streamOf(small), { group }, 5);
    small.run();
    expect(reader.offsets[0]).toBe(first);
    reader.ack();
    reader.leave();
  }
  small.run();
  // Its new place took the row of the old one: an operator has nothing to decide any more.
  expect(asideIn(small)).toEqual([]);
  small = small.crashed();
  expect([...streamOf(small).places.all].map(([group, { offset }]) => [group, offset])).toEqual([
    ['a', 5],
    ['b', 25],
  ]);
});

test('a mark is not needed where there are pages', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-age': text('1h') });
  append(small, 0, 10);
  small.pass(HOUR_MS);
  append(small, 10, PAGE);
  small.run();
  spoil(small, TABLE_MARKS, () => true);
  small = small.crashed();
  expect(readAll(small)).toEqual(numbered(10, PAGE + 10));
  expect(asideIn(small)).toEqual(['row']);
});

test('a message that cannot be read is set aside once, whatever comes by, and after a start', () => {
  let small = new SmallBroker();
  declareStream(small);
  for (const letter of 'abc') {
    small.publish(
      { routingKey: 's', properties: { deliveryMode: 2 } },
      Buffer.alloc(20_000, letter),
    );
  }
  small.run();
  damage(small, 'b');
  for (let n = 0; n < 3; n++) {
    small = small.restarted();
    for (let readers = 0; readers < 2; readers++) {
      expect(readAll(small).map(([offset, body]) => [offset, body[0]])).toEqual([
        [0, 'a'],
        [2, 'c'],
      ]);
    }
    expect([...small.broker.core.setAside.list()].map(({ queue, seq }) => [queue, seq])).toEqual([
      ['s', 1],
    ]);
    small.run();
    expect(wrong(small)).toBeNull();
  }
});

test('what a repair took out of a page is passed by, and weighs nothing', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-age': text('1h') });
  append(small, 0, 3 * PAGE);
  small.run();
  const gone = new Set([0, 1, 100, 255, 256, 300, 511, 700]);
  for (let number = 0; number < 3; number++) {
    const rows = new QueueRows(small.store);
    const page = new Page(number);
    rows.readPage(streamOf(small).id, 0, page);
    for (let slot = 0; slot < PAGE; slot++) {
      if (!gone.has(number * PAGE + slot)) continue;
      page.states[slot] = ENTRY_SETTLED;
      page.storedLive -= 1;
    }
    rows.putPage(streamOf(small).id, 0, page);
  }
  small.commit();
  small = small.crashed();
  expect(wrong(small)).toBeNull();
  expect(readAll(small)).toEqual(numbered(0, 3 * PAGE).filter(([offset]) => !gone.has(offset)));
  expect(streamOf(small).entries.first).toBe(2);
  small.pass(HOUR_MS - 1);
  expect(streamOf(small).entries.first).toBe(2);
  small.pass(1);
  expect(streamOf(small).entries).toMatchObject({ first: 3 * PAGE, bodyBytes: 0 });
  expect(wrong(small)).toBeNull();
});
