// Owns finding the place of a time in a stream. Never knows what asks.

import type { MessageLog } from '../../../../message/log/log.ts';
import { arrivedMsAt } from '../../../../message/read-message.ts';
import { CorruptRecordError } from '../../../../store/errors.ts';
import { isSettled, PAGE_ENTRIES } from '../../messages/pages/page.ts';
import type { StreamEntries } from './stream-entries.ts';

/** The first offset whose message came at `ms` or later, by the broker's time; the tail where none has. */
export function offsetAt(entries: StreamEntries, log: MessageLog, ms: number): number {
  const start = entries.pageStartAt(ms);
  const number = Math.floor(start / PAGE_ENTRIES);
  const page = start === entries.tail ? null : entries.page(number);
  if (page === null) return start;
  for (let slot = start - number * PAGE_ENTRIES; slot < page.count; slot++) {
    if (isSettled(page, slot)) continue;
    const position = page.positions[slot] as number;
    try {
      if (arrivedMsAt(log, position) >= ms) return number * PAGE_ENTRIES + slot;
    } catch (error) {
      // A reader that comes by is told of it.
      if (!(error instanceof CorruptRecordError)) throw error;
    }
  }
  // What waited for its time came later than it was published.
  return number * PAGE_ENTRIES + page.count - 1;
}
