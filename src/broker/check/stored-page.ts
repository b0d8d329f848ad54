// Owns reading a queue's page from its row for an inspection. Never changes one.

import { isSettled, type Page } from '../queue/messages/pages/page.ts';
import { LANE_PAGES, readPageRow } from '../queue/messages/queue-rows.ts';

/** Fills in a page from its row; throws a CorruptRecordError when that cannot be trusted. */
export function readPage(key: Buffer, row: Buffer, page: Page): void {
  page.reset(key.readUIntBE(4, 6) % LANE_PAGES);
  readPageRow(key, row, page);
}

/** The same for a row that may be damaged: returns whether it was not. */
export function canRead(key: Buffer, row: Buffer, page: Page): boolean {
  try {
    readPage(key, row, page);
    return true;
  } catch {
    return false;
  }
}

/** Where the messages of a page lie that are not settled. */
export function* livePositions(page: Page): Iterable<number> {
  for (let slot = 0; slot < page.count; slot++) {
    if (!isSettled(page, slot)) yield page.positions[slot] as number;
  }
}
