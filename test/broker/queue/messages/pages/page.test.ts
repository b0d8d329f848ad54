// Owns the tests of a page and its row.

import { expect, test } from 'vitest';
import {
  ENTRY_EXPIRES,
  ENTRY_SETTLED,
  ENTRY_STORED,
  isStoredLive,
  PAGE_ENTRIES,
  Page,
} from '../../../../../src/broker/queue/messages/pages/page.ts';
import { decodePage, encodePage } from '../../../../../src/broker/queue/messages/pages/page-row.ts';
import { QueueRows } from '../../../../../src/broker/queue/messages/queue-rows.ts';
import { CHECKSUM_BYTES } from '../../../../../src/store/checksum.ts';
import { CorruptRecordError } from '../../../../../src/store/errors.ts';
import { TABLE_MARKS, TABLE_PAGES } from '../../../../../src/store/tables.ts';
import { type Random, withSeed } from '../../../../amqp/random.ts';
import { ControlledStore, Disk } from '../../../controlled-store.ts';

const TRANSIENT = 0;

function randomPage(random: Random): Page {
  const page = new Page(random.below(2 ** 40));
  page.count = random.pick([0, 1, 7, 8, 9, 255, 256, random.below(257)]);
  const settledShare = random.pick([0, 0.5, 0.9, 0.99]);
  if (random.bool()) page.groups = new Float64Array(PAGE_ENTRIES);
  if (random.bool()) page.filters = new Uint16Array(PAGE_ENTRIES);
  for (let slot = 0; slot < page.count; slot++) {
    const settled = random.next() < settledShare ? ENTRY_SETTLED : 0;
    const expires = random.below(4) === 0 ? ENTRY_EXPIRES : 0;
    const state = (random.bool() ? ENTRY_STORED : TRANSIENT) | settled | expires;
    page.states[slot] = state;
    if (isStoredLive(state)) page.storedLive += 1;
    if (settled !== 0) page.settled += 1;
    if (random.below(5) === 0) {
      page.returns ??= new Map();
      page.returns.set(slot, 1 + random.below(2 ** 32 - 1));
    }
    if (page.groups !== null) page.groups[slot] = random.below(3) * random.below(2 ** 47);
    if (page.filters !== null) page.filters[slot] = random.below(2) * random.below(2 ** 16);
    page.positions[slot] = random.below(2 ** 52);
    page.bodyBytes[slot] = random.below(2 ** 32);
  }
  return page;
}

/** What a restart must know of a page. */
function stored(page: Page): unknown[] {
  const found: unknown[] = [];
  for (let slot = 0; slot < page.count; slot++) {
    const state = page.states[slot] as number;
    if (!isStoredLive(state)) continue;
    const returns = page.returns?.get(slot) ?? 0;
    const group = page.groups?.[slot] ?? 0;
    const filter = page.filters?.[slot] ?? 0;
    found.push([slot, page.positions[slot], page.bodyBytes[slot], state, returns, group, filter]);
  }
  return found;
}

test('a row brings back just the entries that are stored and not settled', () => {
  withSeed((random: Random) => {
    for (let n = 0; n < 200; n++) {
      const page = randomPage(random);
      const row = encodePage(page);
      const read = new Page(page.number);
      expect(decodePage(row.subarray(0, -CHECKSUM_BYTES), read)).toBeNull();
      expect(read.count).toBe(page.count);
      expect(stored(read)).toEqual(stored(page));
      expect(read.storedLive).toBe(stored(page).length);
      expect(read.settled).toBe(page.count - read.storedLive);
      expect(read.onDisk).toBe(true);
      expect(read.dirty).toBe(false);
    }
  });
});

test('a row grows with the messages that are there, not with the places they leave between them', () => {
  const page = new Page(7);
  page.count = PAGE_ENTRIES;
  page.states.fill(ENTRY_STORED | ENTRY_SETTLED);
  const lengths: number[] = [];
  for (let live = 0; live <= PAGE_ENTRIES; live++) {
    page.storedLive = live;
    page.settled = PAGE_ENTRIES - live;
    lengths.push(encodePage(page).length);
    if (live < PAGE_ENTRIES) page.states[live] = ENTRY_STORED;
  }
  expect(lengths[1]).toBe(2 + 2 + 13 + CHECKSUM_BYTES);
  expect(lengths[100]).toBe(2 + 2 + 1_300 + CHECKSUM_BYTES);
  expect(Math.max(...lengths), 'as a row of format 2').toBe(2 + 256 * 12 + 32 + CHECKSUM_BYTES);
});

test('a page made ready for another place is as new', () => {
  withSeed((random: Random) => {
    const page = randomPage(random);
    page.settled = 3;
    page.storedLive = 2;
    page.dirty = true;
    page.onDisk = true;
    page.gone = true;
    page.reset(9);
    const fresh = new Page(9);
    // What a slot points to means nothing until the slot is given out again.
    const { positions: _, bodyBytes: __, ...rest } = page;
    const { positions: ___, bodyBytes: ____, ...expected } = fresh;
    expect(rest).toEqual(expected);
  });
});

test('a row of the wrong length is refused', () => {
  const content = encodePage(Object.assign(new Page(0), { count: 9 })).subarray(0, -CHECKSUM_BYTES);
  const tooMany = Buffer.alloc(2 + 257 * 12 + 33);
  tooMany.writeUInt16BE(PAGE_ENTRIES + 1);
  const wrong = [
    Buffer.alloc(0),
    Buffer.alloc(1),
    content.subarray(0, -1),
    Buffer.concat([content, Buffer.alloc(1)]),
    tooMany,
  ];
  for (const row of wrong) expect(decodePage(row, new Page(0))).toMatch(/length|short/);
});

test('a row whose entries are not in order, or beyond its end, is refused', () => {
  const page = new Page(0);
  page.count = 9;
  page.states.fill(ENTRY_SETTLED, 0, 9);
  for (const slot of [2, 5]) page.states[slot] = ENTRY_STORED;
  page.storedLive = 2;
  const row = encodePage(page).subarray(0, -CHECKSUM_BYTES);
  expect(decodePage(row, new Page(0))).toBeNull();
  for (const [second, wrong] of [
    [2, true],
    [1, true],
    [9, true],
    [8, false],
  ] as const) {
    row[4 + 13] = second;
    expect(decodePage(row, new Page(0)) !== null).toBe(wrong);
  }
});

test.each([1, 200])(
  'a row with a position where no message can be is refused; %i entries',
  (count) => {
    for (const [position, wrong] of [
      [2 ** 52 - 1, false],
      [2 ** 52, true],
      [-1, true],
      [0.5, true],
      [Number.NaN, true],
      [Infinity, true],
    ] as const) {
      const page = new Page(0);
      page.count = PAGE_ENTRIES;
      page.states.fill(ENTRY_SETTLED);
      page.states.fill(ENTRY_STORED, 0, count);
      page.storedLive = count;
      page.positions[count - 1] = position;
      const row = encodePage(page).subarray(0, -CHECKSUM_BYTES);
      expect(decodePage(row, new Page(0)) !== null).toBe(wrong);
    }
  },
);

test('any bit that changed in a row of a page or a mark is found out', () => {
  withSeed((random: Random) => {
    const disk = new Disk();
    const store = new ControlledStore(disk);
    const rows = new QueueRows(store);
    const page = randomPage(random);
    rows.putPage(3, 0, page);
    rows.putMark(3, 0, 77);
    store.seal();
    store.sync();
    rows.readPage(3, 0, new Page(page.number));
    expect(rows.readMark(3, 0)).toBe(77);
    for (const table of [TABLE_PAGES, TABLE_MARKS]) {
      const [key] = disk.keys(table) as [Buffer];
      const row = disk.table(table).get(key) as Buffer;
      for (let n = 0; n < 100; n++) {
        const damaged = Buffer.from(row);
        const at = random.below(row.length);
        damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
        disk.table(table).put(key, damaged);
        const read =
          table === TABLE_MARKS
            ? () => rows.readMark(3, 0)
            : () => rows.readPage(3, 0, new Page(page.number));
        expect(read).toThrow(CorruptRecordError);
      }
      disk.table(table).remove(key);
    }
    expect(() => rows.readPage(3, 0, new Page(page.number))).toThrow(/missing/);
    expect(rows.readMark(3, 0), 'a queue without a mark').toBe(0);
  });
});

test('a queue reads its own pages in order, and removes only its own', () => {
  const disk = new Disk();
  const store = new ControlledStore(disk);
  const rows = new QueueRows(store);
  for (const queue of [1, 2, 3]) {
    for (const number of [300, 0, 2 ** 33, 7]) rows.putPage(queue, 0, new Page(number));
    rows.putMark(queue, 0, queue);
  }
  store.seal();
  store.sync();
  const numbers: number[] = [];
  rows.forEachPage(2, 0, (page) => numbers.push(page.number));
  expect(numbers).toEqual([0, 7, 300, 2 ** 33]);
  rows.removePage(2, 0, 7);
  expect(rows.removePages(1, 0, 0, 2 ** 35, 3)).toBe(2 ** 33);
  rows.removeMark(1, 0);
  store.seal();
  store.sync();
  expect(disk.keys(TABLE_PAGES)).toHaveLength(1 + 3 + 4);
  expect(rows.removePages(1, 0, 8, 2 ** 35, 3), 'the last one').toBe(2 ** 35);
  expect([1, 2, 3].map((queue) => rows.readMark(queue, 0))).toEqual([0, 2, 3]);
});
