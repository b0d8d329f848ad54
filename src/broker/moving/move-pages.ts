// Owns how pages and marks of queues go to another store: the same places, in another part of the log. Never decides which
// queues.

import { verifyChecksum } from '../../store/checksum.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_MARKS, TABLE_PAGES } from '../../store/tables.ts';
import { isSettled, Page } from '../queue/messages/pages/page.ts';
import { encodePage } from '../queue/messages/pages/page-row.ts';
import {
  LANE_PAGES,
  PAGE_KEY_BYTES,
  type PurgedRange,
  readPageRow,
} from '../queue/messages/queue-rows.ts';
import type { Steps } from '../turn/slices.ts';
import { later, type Mover, type Owner, rangeOf, withId } from './mover.ts';

/** Moves the pages of a queue, but for those that are purged. */
export function* movePages(
  from: Store,
  owner: Owner,
  purged: readonly PurgedRange[],
  to: Mover,
): Steps {
  const page = new Page(0);
  for (const { key, value } of from.range(TABLE_PAGES, ...rangeOf(owner.id))) {
    if (key.length !== PAGE_KEY_BYTES) throw wrongKey(TABLE_PAGES, key);
    const place = key.readUIntBE(4, 6);
    const lane = Math.floor(place / LANE_PAGES);
    const number = place % LANE_PAGES;
    if (purged.some((each) => each.lane === lane && number >= each.from && number < each.to))
      continue;
    page.reset(number);
    readPageRow(key, value, page);
    if (to.ms !== 0) moveTimes(page, owner, to);
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const position = page.positions[slot] as number;
      to.uses(position, TABLE_PAGES, key);
      page.positions[slot] = position + to.positions;
    }
    to.put(TABLE_PAGES, withId(key, to.idOf(owner.id)), encodePage(page));
    yield;
  }
}

/**
 * A time to live begins as a message came, by a clock that is another there: so it is noted of each message. A page of a
 * stream says when its first and its last message came.
 */
function moveTimes(page: Page, { isStream }: Owner, to: Mover): void {
  const starts = new Map<number, number>();
  for (let slot = 0; slot < page.count; slot++) {
    if (isSettled(page, slot)) continue;
    const known = page.starts?.get(slot);
    if (known !== undefined) starts.set(slot, later(known, to.ms));
    else if (!isStream) {
      const arrivedMs = to.arrivedMs(page.positions[slot] as number);
      starts.set(slot, later(arrivedMs, to.ms));
    }
  }
  page.starts = starts.size === 0 ? null : starts;
}

/** Moves the marks of a queue. */
export function* moveMarks(from: Store, { id }: Owner, to: Mover): Steps {
  for (const { key, value } of from.range(TABLE_MARKS, ...rangeOf(id))) {
    if (key.length !== 4 && key.length !== 6) throw wrongKey(TABLE_MARKS, key);
    const content = verifyChecksum(TABLE_MARKS, key, value);
    if (content.length !== 8) {
      throw new CorruptRecordError(TABLE_MARKS, key, 'its length is wrong');
    }
    to.put(TABLE_MARKS, withId(key, to.idOf(id)), value);
    yield;
  }
}

function wrongKey(table: number, key: Buffer): CorruptRecordError {
  return new CorruptRecordError(table, key, 'its key is not one of this table');
}
