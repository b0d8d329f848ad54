// Owns taking out of a store what is damaged, so that a broker can start on the rest. Never touches a row
// that is sound, but for a page that names messages which are not to be had.

import { SEGMENT_SPAN } from '../../message/segment.ts';
import { segmentIdOfKey, segmentKeys } from '../../message/segment-rows.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_PAGES, TABLE_SEGMENTS } from '../../store/tables.ts';
import { ENTRY_SETTLED, isSettled, Page } from '../queue/page.ts';
import { encodePage } from '../queue/page-row.ts';
import { LANE_PAGES, readPageRow } from '../queue/queue-rows.ts';
import type { CheckReport, Damage } from './check-store.ts';

/** So many times a store is repaired and looked at again before that is given up. */
export const REPAIR_ROUNDS_MAX = 16;

/** What is said when even that was not enough. */
export const UNFINISHED: Damage = {
  kind: 'repair',
  table: 0,
  key: '',
  what: `more is damaged after ${REPAIR_ROUNDS_MAX} rounds: repair again`,
  queue: null,
};

/** Whether a repair can do anything about some of it. */
export function isMendable(damage: readonly Damage[]): boolean {
  return damage.some(({ key }) => key !== '');
}

/** What of `found` is not known yet: a row that stays damaged is not mended by another round. */
export function notAmong(known: readonly Damage[], found: readonly Damage[]): Damage[] {
  const nameOf = ({ table, key, what }: Damage): string =>
    key === '' ? `${table} ${what}` : `${table} ${key}`;
  const names = new Set(known.map(nameOf));
  return found.filter((each) => !names.has(nameOf(each)));
}

/** Puts into the store's batch what makes it sound again; returns how many rows that changes. */
export function repairStore(store: Store, { damage }: CheckReport): number {
  const segments = damage.filter(({ table }) => table === TABLE_SEGMENTS);
  const lost = new Set(
    segments.filter(({ key }) => key !== '').map(({ key }) => segmentIdOfKey(bytesOf(key))),
  );
  const known = new Map<number, Buffer[]>();
  for (const key of segmentKeys(store)) {
    const id = segmentIdOfKey(key);
    known.set(id, [...(known.get(id) ?? []), key]);
  }
  let changed = 0;
  for (const id of lost) {
    for (const key of known.get(id) ?? []) {
      store.remove(TABLE_SEGMENTS, key);
      changed += 1;
    }
    known.delete(id);
  }
  for (const each of damage) {
    if (each.table === TABLE_SEGMENTS || each.key === '') continue;
    // A page of no queue is of no use, sound as its messages may be: the copy has them.
    const ofQueue = each.table === TABLE_PAGES && each.queue !== null;
    const page = ofQueue ? mended(store, each, known) : null;
    if (page === null) store.remove(each.table, bytesOf(each.key));
    else store.put(TABLE_PAGES, bytesOf(each.key), page);
    changed += 1;
  }
  return changed;
}

/** The row of a page without the messages that are not there; null when nothing of it is left. */
function mended(
  store: Store,
  { key: digits }: Damage,
  known: ReadonlyMap<number, Buffer[]>,
): Buffer | null {
  const key = bytesOf(digits);
  const row = store.get(TABLE_PAGES, key);
  const page = new Page(0);
  try {
    if (row === null) return null;
    page.reset(key.readUIntBE(4, 6) % LANE_PAGES);
    readPageRow(key, row, page);
  } catch {
    return null;
  }
  for (let slot = 0; slot < page.count; slot++) {
    if (isSettled(page, slot)) continue;
    const id = Math.floor((page.positions[slot] as number) / SEGMENT_SPAN);
    if (known.has(id)) continue;
    page.states[slot] = ENTRY_SETTLED;
    page.storedLive -= 1;
  }
  return page.storedLive === 0 ? null : encodePage(page);
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
