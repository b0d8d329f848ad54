// Owns how a page lies in the store as a row. Never decides when it is written: queue-entries.ts does.

import { writeChecksum } from '../../../../store/checksum.ts';
import { U32, viewOf } from '../../../../util/bytes.ts';
import {
  ENTRY_EXPIRES,
  ENTRY_SETTLED,
  ENTRY_STORED,
  isStoredLive,
  PAGE_ENTRIES,
  type Page,
} from './page.ts';

/*
 * A page as a row, `n` being the number of entries it has so far. With all of them:
 *
 *   0        u16  n, with ROW_EXPIRING, ROW_COUNTS, ROW_STARTS, ROW_GROUPS and ROW_FILTERS where the parts of these names follow
 *   2        n x (f64 position in the log | u32 body bytes)
 *   2+12n    ceil(n/8) bytes: bit set = this entry is there; clear = settled, or transient
 *            ROW_EXPIRING: ceil(n/8) bytes: bit set = ENTRY_EXPIRES
 *            ROW_COUNTS: u16 k, k x (u8 slot | u32 returns): entries that came back to the queue
 *            ROW_STARTS: u16 k, k x (u8 slot | u48 ms): entries whose time to live began later than they arrived
 *            ROW_GROUPS: u16 k, k x (u48 key): the groups of the entries that are there, in order of slots
 *            ROW_FILTERS: u16 k, k x (u16 fingerprint, 0: none): the filter values of the same entries
 *   end-4    u32  checksum of all before it
 *
 * Or with those `m` alone that are there, where that is shorter:
 *
 *   0        u16  n, with ROW_SPARSE, and the others as above
 *   2        u16  m
 *   4        m x (u8 slot | f64 position in the log | u32 body bytes), in order of slots
 *            ROW_EXPIRING: ceil(m/8) bytes: bit set = ENTRY_EXPIRES
 *            ROW_COUNTS, ROW_STARTS, ROW_GROUPS, ROW_FILTERS, checksum: as above
 *
 * The parts before the checksum are there only if some entry needs them.
 */
const ROW_ENTRY_BYTES = 12;
const ROW_SPARSE_ENTRY_BYTES = 13;
const ROW_COUNT_BYTES = 5;
const ROW_START_BYTES = 7;
const ROW_GROUP_BYTES = 6;
const ROW_FILTER_BYTES = 2;
const ROW_EXPIRING = 0x8000;
const ROW_COUNTS = 0x4000;
const ROW_SPARSE = 0x2000;
const ROW_STARTS = 0x1000;
const ROW_GROUPS = 0x0800;
const ROW_FILTERS = 0x0400;
const ROW_ENTRIES_MASK = 0x1ff;

/** No message lies at this position or behind it: those that the log gives out behind one would be exact no more. */
const PLACES_END = 2 ** 52;

const WRONG_LENGTH = 'its length is wrong';

/** The row for a page. */
export function encodePage(page: Page): Buffer {
  const n = page.count;
  const m = page.storedLive;
  const sparse = 2 + m * ROW_SPARSE_ENTRY_BYTES < n * ROW_ENTRY_BYTES + bitmapBytes(n);
  const expiring = hasExpiring(page) ? bitmapBytes(sparse ? m : n) : 0;
  const expiringAt = sparse
    ? 4 + m * ROW_SPARSE_ENTRY_BYTES
    : 2 + n * ROW_ENTRY_BYTES + bitmapBytes(n);
  const returns = storedOf(page, page.returns);
  const counts = returns.length === 0 ? 0 : 2 + returns.length * ROW_COUNT_BYTES;
  const began = storedOf(page, page.starts);
  const starts = began.length === 0 ? 0 : 2 + began.length * ROW_START_BYTES;
  const groups = page.groups === null ? 0 : 2 + m * ROW_GROUP_BYTES;
  const filters = page.filters === null ? 0 : 2 + m * ROW_FILTER_BYTES;
  const filtersAt = expiringAt + expiring + counts + starts + groups;
  const row = Buffer.alloc(filtersAt + filters + 4);
  const flags =
    (expiring > 0 ? ROW_EXPIRING : 0) |
    (counts > 0 ? ROW_COUNTS : 0) |
    (starts > 0 ? ROW_STARTS : 0) |
    (groups > 0 ? ROW_GROUPS : 0) |
    (filters > 0 ? ROW_FILTERS : 0);
  if (sparse) writeSparse(row, page, flags, expiringAt);
  else writeDense(row, page, flags, expiringAt);
  if (counts > 0) writeReturns(row, expiringAt + expiring, returns);
  if (starts > 0) writeStarts(row, expiringAt + expiring + counts, began);
  if (page.groups !== null) writeGroups(row, filtersAt - groups, page, page.groups);
  if (page.filters !== null) writeFilters(row, filtersAt, page, page.filters);
  writeChecksum(row);
  return row;
}

function writeDense(row: Buffer, page: Page, flags: number, expiringAt: number): void {
  const view = viewOf(row);
  const { count, states, positions, bodyBytes } = page;
  const bitmap = 2 + count * ROW_ENTRY_BYTES;
  view.setUint16(0, count | flags);
  for (let slot = 0; slot < count; slot++) {
    const state = states[slot] as number;
    if (!isStoredLive(state)) continue;
    const at = 2 + slot * ROW_ENTRY_BYTES;
    view.setFloat64(at, positions[slot] as number);
    view.setUint32(at + 8, bodyBytes[slot] as number);
    setBit(row, bitmap, slot);
    if ((state & ENTRY_EXPIRES) !== 0) setBit(row, expiringAt, slot);
  }
}

function writeSparse(row: Buffer, page: Page, flags: number, expiringAt: number): void {
  const view = viewOf(row);
  const { count, states, positions, bodyBytes } = page;
  view.setUint16(0, count | flags | ROW_SPARSE);
  view.setUint16(2, page.storedLive);
  let at = 4;
  for (let slot = 0, i = 0; slot < count; slot++) {
    const state = states[slot] as number;
    if (!isStoredLive(state)) continue;
    view.setUint8(at, slot);
    view.setFloat64(at + 1, positions[slot] as number);
    view.setUint32(at + 9, bodyBytes[slot] as number);
    if ((state & ENTRY_EXPIRES) !== 0) setBit(row, expiringAt, i);
    at += ROW_SPARSE_ENTRY_BYTES;
    i += 1;
  }
}

/** Reads a row, without its checksum, into a page; returns what is wrong with it, or null. */
export function decodePage(row: Buffer, page: Page): string | null {
  if (row.length < 2) return 'it is too short';
  const view = viewOf(row);
  const head = view.getUint16(0);
  const n = head & ROW_ENTRIES_MASK;
  const sparse = (head & ROW_SPARSE) !== 0;
  if (sparse && row.length < 4) return WRONG_LENGTH;
  const m = sparse ? view.getUint16(2) : n;
  if (n > PAGE_ENTRIES || m > n) return WRONG_LENGTH;
  const expiringAt = sparse
    ? 4 + m * ROW_SPARSE_ENTRY_BYTES
    : 2 + n * ROW_ENTRY_BYTES + bitmapBytes(n);
  const hasExpiries = (head & ROW_EXPIRING) !== 0;
  const countsAt = expiringAt + (hasExpiries ? bitmapBytes(m) : 0);
  const hasCounts = (head & ROW_COUNTS) !== 0;
  const startsAt = hasCounts ? partEnd(row, countsAt, ROW_COUNT_BYTES) : countsAt;
  const hasStarts = (head & ROW_STARTS) !== 0;
  const groupsAt = hasStarts ? partEnd(row, startsAt, ROW_START_BYTES) : startsAt;
  const hasGroups = (head & ROW_GROUPS) !== 0;
  const filtersAt = hasGroups ? partEnd(row, groupsAt, ROW_GROUP_BYTES) : groupsAt;
  const hasFilters = (head & ROW_FILTERS) !== 0;
  const end = hasFilters ? partEnd(row, filtersAt, ROW_FILTER_BYTES) : filtersAt;
  if (row.length !== end) return WRONG_LENGTH;
  page.count = n;
  page.onDisk = true;
  const expiries = hasExpiries ? expiringAt : -1;
  if (!sparse) readDense(row, view, page, expiries);
  else if (!readSparse(row, view, page, m, expiries)) return 'its entries are out of order';
  if (!arePlaces(page)) return 'it names a place where no message can be';
  page.settled = n - page.storedLive;
  if (hasCounts) page.returns = readReturns(row, countsAt, startsAt);
  if (hasStarts) page.starts = readStarts(row, startsAt, groupsAt);
  const { storedLive } = page;
  if (hasGroups) {
    if (filtersAt - groupsAt !== 2 + storedLive * ROW_GROUP_BYTES) return WRONG_LENGTH;
    page.groups = readGroups(view, groupsAt + 2, page);
  }
  if (hasFilters) {
    if (end - filtersAt !== 2 + storedLive * ROW_FILTER_BYTES) return WRONG_LENGTH;
    page.filters = readFilters(view, filtersAt + 2, page);
  }
  return null;
}

/** Where a part ends that begins with how many items it has; NaN, which no length is, where even that is cut off. */
function partEnd(row: Buffer, start: number, itemBytes: number): number {
  return row.length < start + 2 ? Number.NaN : start + 2 + row.readUInt16BE(start) * itemBytes;
}

function readDense(row: Buffer, view: DataView, page: Page, expiries: number): void {
  const { count, states, positions, bodyBytes } = page;
  const bitmap = 2 + count * ROW_ENTRY_BYTES;
  let live = 0;
  for (let slot = 0; slot < count; slot++) {
    if (!hasBit(row, bitmap, slot)) {
      states[slot] = ENTRY_SETTLED;
      continue;
    }
    const at = 2 + slot * ROW_ENTRY_BYTES;
    states[slot] =
      expiries >= 0 && hasBit(row, expiries, slot) ? ENTRY_STORED | ENTRY_EXPIRES : ENTRY_STORED;
    positions[slot] = view.getFloat64(at);
    bodyBytes[slot] = view.getUint32(at + 8);
    live += 1;
  }
  page.storedLive = live;
}

function readSparse(row: Buffer, view: DataView, page: Page, m: number, expiries: number): boolean {
  const { count, states, positions, bodyBytes } = page;
  states.fill(ENTRY_SETTLED, 0, count);
  let last = -1;
  for (let i = 0; i < m; i++) {
    const at = 4 + i * ROW_SPARSE_ENTRY_BYTES;
    const slot = view.getUint8(at);
    if (slot <= last || slot >= count) return false;
    last = slot;
    states[slot] =
      expiries >= 0 && hasBit(row, expiries, i) ? ENTRY_STORED | ENTRY_EXPIRES : ENTRY_STORED;
    positions[slot] = view.getFloat64(at + 1);
    bodyBytes[slot] = view.getUint32(at + 9);
  }
  page.storedLive = m;
  return true;
}

/** Whether all that is there lies where a message may. */
function arePlaces({ count, states, positions }: Page): boolean {
  for (let slot = 0; slot < count; slot++) {
    const position = positions[slot] as number;
    const isPlace = position >= 0 && position < PLACES_END && position % 1 === 0;
    if (!isPlace && isStoredLive(states[slot] as number)) return false;
  }
  return true;
}

function bitmapBytes(bits: number): number {
  return (bits + 7) >> 3;
}

function hasExpiring(page: Page): boolean {
  for (let slot = 0; slot < page.count; slot++) {
    const state = page.states[slot] as number;
    if ((state & ENTRY_EXPIRES) !== 0 && isStoredLive(state)) return true;
  }
  return false;
}

function storedOf(page: Page, known: Map<number, number> | null): [slot: number, value: number][] {
  if (known === null) return [];
  return [...known].filter(([slot]) => isStoredLive(page.states[slot] as number));
}

function writeReturns(row: Buffer, start: number, returns: [number, number][]): void {
  let at = row.writeUInt16BE(returns.length, start);
  for (const [slot, count] of returns) {
    at = row.writeUInt8(slot, at);
    at = row.writeUInt32BE(count, at);
  }
}

function readReturns(row: Buffer, start: number, end: number): Map<number, number> {
  const returns = new Map<number, number>();
  for (let at = start + 2; at < end; at += ROW_COUNT_BYTES) {
    returns.set(row.readUInt8(at), row.readUInt32BE(at + 1));
  }
  return returns;
}

function writeStarts(row: Buffer, start: number, began: [number, number][]): void {
  let at = row.writeUInt16BE(began.length, start);
  for (const [slot, ms] of began) {
    at = row.writeUInt8(slot, at);
    at = row.writeUIntBE(ms, at, 6);
  }
}

function readStarts(row: Buffer, start: number, end: number): Map<number, number> {
  const starts = new Map<number, number>();
  for (let at = start + 2; at < end; at += ROW_START_BYTES) {
    starts.set(row.readUInt8(at), row.readUIntBE(at + 1, 6));
  }
  return starts;
}

function writeGroups(row: Buffer, start: number, page: Page, groups: Float64Array): void {
  let at = row.writeUInt16BE(page.storedLive, start);
  for (let slot = 0; slot < page.count; slot++) {
    if (isStoredLive(page.states[slot] as number))
      at = row.writeUIntBE(groups[slot] as number, at, 6);
  }
}

function readGroups(view: DataView, start: number, page: Page): Float64Array {
  const groups = new Float64Array(PAGE_ENTRIES);
  let at = start;
  for (let slot = 0; slot < page.count; slot++) {
    if (!isStoredLive(page.states[slot] as number)) continue;
    groups[slot] = view.getUint16(at) * U32 + view.getUint32(at + 2);
    at += ROW_GROUP_BYTES;
  }
  return groups;
}

function writeFilters(row: Buffer, start: number, page: Page, filters: Uint16Array): void {
  let at = row.writeUInt16BE(page.storedLive, start);
  for (let slot = 0; slot < page.count; slot++) {
    if (isStoredLive(page.states[slot] as number))
      at = row.writeUInt16BE(filters[slot] as number, at);
  }
}

function readFilters(view: DataView, start: number, page: Page): Uint16Array {
  const filters = new Uint16Array(PAGE_ENTRIES);
  let at = start;
  for (let slot = 0; slot < page.count; slot++) {
    if (!isStoredLive(page.states[slot] as number)) continue;
    filters[slot] = view.getUint16(at);
    at += ROW_FILTER_BYTES;
  }
  return filters;
}

function setBit(bytes: Buffer, start: number, bit: number): void {
  const at = start + (bit >> 3);
  bytes[at] = (bytes[at] as number) | (1 << (bit & 7));
}

function hasBit(bytes: Buffer, start: number, bit: number): boolean {
  return ((bytes[start + (bit >> 3)] as number) & (1 << (bit & 7))) !== 0;
}
