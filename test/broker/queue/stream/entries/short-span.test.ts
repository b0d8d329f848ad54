// Owns the tests of a row of a span that is sound by its checksum and says less than its pages need: what the log let go of
// is missed where it is read, the operator is told, and the broker goes on.

import { expect, test } from 'vitest';
import { PUSH_STORED } from '../../../../../src/broker/queue/push-flags.ts';
import { SPAN_ENTRIES, SPAN_PAGES } from '../../../../../src/broker/queue/stream/entries/span.ts';
import { weightOf } from '../../../../../src/message/log/segment.ts';
import { buildRecord, NO_EXPIRY, writeRecordHead } from '../../../../../src/message/record.ts';
import { verifyChecksum, withChecksum } from '../../../../../src/store/checksum.ts';
import { TABLE_STREAMS } from '../../../../../src/store/tables.ts';
import { viewOf } from '../../../../../src/util/bytes.ts';
import { limitPages } from '../../../inspect.ts';
import { SmallBroker } from '../../../small-broker.ts';
import { append, declareStream, readAll, streamOf } from '../stream-reader.ts';

const HEAD_BYTES = 24;
const SHARE_BYTES = 14;
/** So large that a record has a segment of its own. */
const BODY_BYTES = 20_000;
/** Of so many entries at the beginning each other one lies in the first segment, and all else in the second. */
const MIXED = 100;
const COUNT = SPAN_ENTRIES + 10;

const inFirst = (offset: number): boolean => offset < MIXED && offset % 2 === 0;

/** A broker whose stream has a full span and some messages more, in two segments. */
function prepared(): SmallBroker {
  const small = new SmallBroker();
  const stream = declareStream(small);
  const { log } = small.broker.core;
  const [first, second] = ['a', 'b'].map((letter) => {
    const body = Buffer.alloc(BODY_BYTES, letter);
    const record = buildRecord(
      '',
      's',
      Buffer.from('003c0000000000000000000000000000', 'hex'),
      body,
    );
    writeRecordHead(viewOf(record), 0, 1, 0, small.nowMs, NO_EXPIRY);
    return log.append(record, viewOf(record), 0, record.length, true);
  }) as [number, number];
  for (let offset = 0; offset < COUNT; offset++) {
    const position = inFirst(offset) ? first : second;
    log.retain(position, BODY_BYTES);
    stream.push(position, BODY_BYTES, PUSH_STORED);
  }
  small.run();
  return small;
}

/** The broker after a crash, and after the row of the span was changed; its checksum is right again. */
function changed(small: SmallBroker, how: (row: Buffer) => Buffer): SmallBroker {
  const [key] = small.disk.keys(TABLE_STREAMS) as [Buffer];
  const rows = small.disk.table(TABLE_STREAMS);
  const row = verifyChecksum(TABLE_STREAMS, key, rows.get(key) as Buffer);
  rows.put(key, withChecksum(how(Buffer.from(row))));
  const after = small.crashed();
  limitPages(after.broker, 1, 1);
  return after;
}

/** A row without the first of its segments. */
function withoutFirst(row: Buffer): Buffer {
  row.writeUInt32BE(row.readUInt32BE(20) - 1, 20);
  return Buffer.concat([row.subarray(0, HEAD_BYTES), row.subarray(HEAD_BYTES + SHARE_BYTES)]);
}

/** A row that says of its first segment that one message needs it. */
function light(row: Buffer): Buffer {
  row.writeUInt32BE(weightOf(BODY_BYTES), HEAD_BYTES + 6);
  return row;
}

const offsetsIn = (small: SmallBroker): number[] => readAll(small).map(([offset]) => offset);
const asideIn = (small: SmallBroker): string[] =>
  [...small.broker.core.setAsideRows.list()].map(({ kind }) => kind);
const all = Array.from({ length: COUNT }, (_, offset) => offset);

test('what a span keeps quiet of is set aside where it is read, and so is its row', () => {
  let small = changed(prepared(), withoutFirst);
  const sound = all.filter((offset) => !inFirst(offset));
  for (let n = 0; n < 2; n++) expect(offsetsIn(small)).toEqual(sound);
  expect(asideIn(small)).toEqual(['span of a stream']);
  const aside = [...small.broker.core.setAside.list()].map(({ seq }) => seq);
  expect(aside).toEqual(all.filter(inFirst));
  append(small, COUNT, 1);
  small.run();
  expect(offsetsIn(small)).toEqual([...sound, COUNT]);
  // An operator drops what is lost, and retention comes by.
  for (const message of [...small.broker.core.setAside.list()])
    small.broker.core.setAside.drop(message);
  for (let page = 0; page < SPAN_PAGES; page++) streamOf(small).entries.dropHead();
  small.run();
  expect(asideIn(small)).toEqual([]);
  small = small.crashed();
  expect(offsetsIn(small)).toEqual([...all.slice(SPAN_ENTRIES), COUNT]);
});

test.each([
  ['keeps quiet of a segment', withoutFirst],
  ['says that little of it is needed', light],
] as const)('retention and deletion go on where a span %s', (_, how) => {
  for (const drop of ['pages', 'stream'] as const) {
    const small = changed(prepared(), how);
    if (drop === 'pages') for (let n = 0; n < 2; n++) streamOf(small).entries.dropHead();
    else small.vhost.removeQueue(streamOf(small));
    for (let n = 0; n < SPAN_PAGES && small.broker.core.sweeps.any; n++) small.run();
    if (drop === 'pages') expect(offsetsIn(small)).toEqual(all.slice(2 * 256));
    small.declare('other');
    small.fill('other', 3);
    expect(small.readyNow(small.queue('other'))).toHaveLength(3);
  }
});
