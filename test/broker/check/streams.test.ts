// Owns the tests of `leveret check` on streams: what is damaged is named, and a repair takes out that alone, so that offsets
// and the rest stay as they are.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { type CheckReport, checkStore } from '../../../src/broker/check/check-store.ts';
import { repairStore } from '../../../src/broker/check/repair-store.ts';
import { trialStart } from '../../../src/broker/check/trial-start.ts';
import { SPAN_ENTRIES } from '../../../src/broker/queue/stream/entries/span.ts';
import { KIND_SPAN, StreamRows } from '../../../src/broker/queue/stream/entries/stream-rows.ts';
import { NOT_ASIDE } from '../../../src/store/row.ts';
import {
  TABLE_MARKS,
  TABLE_PAGES,
  TABLE_SEGMENTS,
  TABLE_STREAMS,
} from '../../../src/store/tables.ts';
import { ControlledStore, type Disk } from '../controlled-store.ts';
import { limitPages, wrongReferences } from '../inspect.ts';
import {
  append,
  declareStream,
  numbered,
  readAll,
  StreamReader,
  streamOf,
} from '../queue/stream/stream-reader.ts';
import { SmallBroker } from '../small-broker.ts';

const PAGE = 256;
const COUNT = SPAN_ENTRIES + PAGE + 10;
const text = (value: string): Field => ({ type: 'S', value });

/** A broker with a stream of more than a span, of which one message has a filter value and a publisher, and a group's place in it. */
function prepared(count = COUNT): SmallBroker {
  const small = new SmallBroker();
  const stream = declareStream(small);
  const headers = new Map([
    ['x-stream-filter-value', text('a')],
    ['x-stream-publisher', text('p')],
  ]);
  headers.set('x-stream-publishing-id', { type: 'l', value: 1 });
  small.publish({ routingKey: 's', properties: { deliveryMode: 2, headers } }, Buffer.from('0'));
  append(small, 1, count - 1);
  small.run();
  const reader = new StreamReader(small, stream, { group: 'g' }, 10);
  small.run();
  reader.ack(5);
  reader.leave();
  small.run();
  return small;
}

function check(disk: Disk): CheckReport {
  return checkStore(new ControlledStore(disk));
}

/** What is wrong, and what a trial start would say beyond that. */
function found(small: SmallBroker): string[] {
  const { damage } = check(small.disk);
  const start = trialStart(new ControlledStore(small.disk), damage);
  return [...damage, ...start].map(({ kind, what, queue }) => `${queue}: ${kind}: ${what}`);
}

/** Repairs until nothing is left to repair, as the command does; returns the broker that starts then. */
function repaired(small: SmallBroker): SmallBroker {
  for (let round = 0; round < 5; round++) {
    const store = new ControlledStore(small.disk);
    if (repairStore(store, checkStore(store)) === 0) break;
    store.seal();
    store.sync();
  }
  expect(found(small)).toEqual([]);
  return small.crashed();
}

function spoil(small: SmallBroker, table: number, is: (key: Buffer) => boolean): void {
  const key = small.disk.keys(table).find(is) as Buffer;
  const spoilt = Buffer.from(small.disk.table(table).get(key) as Buffer);
  spoilt[2] = (spoilt[2] as number) ^ 1;
  small.disk.table(table).put(key, spoilt);
}

test('a sound stream is sound, and each row of it that is damaged is named, and can be repaired', () => {
  const small = prepared();
  expect(found(small)).toEqual([]);
  expect(check(small.disk).queues).toMatchObject([{ name: 's', messages: COUNT, lost: 0 }]);
  const keys = small.disk.keys(TABLE_STREAMS);
  expect(keys.map((key) => key[4])).toEqual([1, 2, 3, 4]);
  for (const key of keys) spoil(small, TABLE_STREAMS, (each) => each.equals(key));
  expect(found(small)).toEqual(
    [
      'span of a stream',
      'filter column of a stream',
      'place of a group',
      'publisher of a stream',
    ].map((kind) => expect.stringContaining(`//s: ${kind}: its checksum`)),
  );
  const after = repaired(small);
  expect(wrongReferences(after.broker, after.vhost.queues.values())).toBeNull();
  after.run();
  expect(readAll(after)).toEqual(numbered(0, COUNT));
  // The span and its column were made again of the pages.
  expect(after.disk.keys(TABLE_STREAMS).map((key) => key[4])).toEqual([1, 2]);
});

test('a row of a span that says too little is found, since the log would let go of messages that are kept', () => {
  const small = prepared();
  const store = new ControlledStore(small.disk);
  const rows = new StreamRows(store, NOT_ASIDE);
  const { id } = streamOf(small);
  const [{ name, value } = { name: Buffer.alloc(0), value: Buffer.alloc(0) }] = rows.all(
    id,
    KIND_SPAN,
  );
  // One segment less, and another one with less weight.
  const short = Buffer.from(value.subarray(0, -14));
  short.writeUInt32BE(short.readUInt32BE(20) - 1, 20);
  short.writeUInt32BE(short.readUInt32BE(30) - 1, 30);
  rows.put(id, KIND_SPAN, name, short);
  store.seal();
  store.sync();
  expect(found(small)).toEqual([
    '//s: span of a stream: it says too little of 2 segments that its pages need',
  ]);
  const after = repaired(small);
  expect(wrongReferences(after.broker, after.vhost.queues.values())).toBeNull();
  expect(readAll(after)).toHaveLength(COUNT);
});

test('a page that is taken out leaves the offsets of all others, and is given to none again', () => {
  let small = prepared(2 * PAGE + 10);
  spoil(small, TABLE_PAGES, (key) => key.readUIntBE(4, 6) === 1);
  spoil(small, TABLE_PAGES, (key) => key.readUIntBE(4, 6) === 2);
  expect(found(small)).toHaveLength(2);
  small = repaired(small);
  append(small, 3 * PAGE, 5);
  small.commit();
  const wanted = [...numbered(0, PAGE), ...numbered(3 * PAGE, 3 * PAGE + 5)];
  expect(readAll(small)).toEqual(wanted);
  small = small.crashed();
  expect(readAll(small)).toEqual(wanted);
  expect([...small.broker.core.setAsideRows.list()]).toEqual([]);
});

test('messages whose bytes are lost are taken out of their pages, and the times of these stay', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-age': text('1h') });
  for (let n = 0; n < 20; n++) {
    const body = Buffer.alloc(20_000, String(n));
    small.publish({ routingKey: 's', properties: { deliveryMode: 2 } }, body);
  }
  small.commit();
  const segments = small.disk.keys(TABLE_SEGMENTS);
  for (const at of [0, 7, 19])
    spoil(small, TABLE_SEGMENTS, (key) => key.equals(segments[at] as Buffer));
  expect(check(small.disk).queues).toMatchObject([{ messages: 17, lost: 3 }]);
  small = repaired(small);
  const left = Array.from({ length: 20 }, (_, n) => n).filter((n) => ![0, 7, 19].includes(n));
  expect(readAll(small).map(([offset]) => offset)).toEqual(left);
  small.pass(3_599_999);
  expect(streamOf(small).entries.first).toBe(1);
  small.pass(1);
  expect(streamOf(small).entries).toMatchObject({ first: 20, tail: 20 });
  expect(small.disk.keys(TABLE_MARKS)).toHaveLength(1);
});

test('a stream that is being deleted is sound, and rows of one that is not there are taken out', () => {
  const small = prepared(50 * PAGE);
  limitPages(small.broker, 100, 1);
  const { id } = streamOf(small);
  small.vhost.removeQueue(streamOf(small));
  small.commit();
  expect(found(small)).toEqual([]);
  small.run();
  expect(small.disk.keys(TABLE_STREAMS)).toEqual([]);
  const store = new ControlledStore(small.disk);
  new StreamRows(store, NOT_ASIDE).put(id, 3, Buffer.from('g'), Buffer.alloc(14));
  store.seal();
  store.sync();
  expect(found(small)).toEqual(['null: place of a group: it is of a stream that is not there']);
  repaired(small);
});
