// Owns removing the messages of a purge from a lane: whole pages at once, and in steps those that share a page with messages
// that stay. Never decides what is purged: lane.ts does.

import type { OrderedSet } from '../../../util/numbers/ordered-set.ts';
import type { ChangeLine } from '../../turn/change-line.ts';
import type { Steps } from '../../turn/slices.ts';
import { PAGE_ENTRIES } from './pages/page.ts';
import type { QueueEntries } from './queue-entries.ts';

/** Messages removed between two moments at which others may have their turn. */
const PER_STEP = 512;

/** A lane as its purge sees it. */
interface PurgedLane {
  readonly entries: QueueEntries;
  remove(seq: number): void;
}

/** What is purged of a lane. None of it is ready any more, nor out for delivery. */
export interface Purged {
  readonly lane: PurgedLane;
  /** The messages with these seqs, */
  readonly from: number;
  readonly to: number;
  /** but for those that are out; null: none is. */
  readonly out: ReadonlySet<number> | null;
  /** And those that came back before, where they are not among these. */
  readonly back: OrderedSet | null;
}

/** Takes out the pages that have nothing but what is purged. */
export function purgeWholePages({ lane, from, to, out }: Purged): void {
  const pages = new Set<number>();
  for (const seq of out ?? []) pages.add(Math.floor(seq / PAGE_ENTRIES));
  let start = from;
  for (const page of Float64Array.from(pages).sort()) {
    lane.entries.purgePages(start, page * PAGE_ENTRIES);
    start = Math.max(start, (page + 1) * PAGE_ENTRIES);
  }
  lane.entries.purgePages(start, to);
}

/** Removes all others; `removed` is told of the bytes of each body. */
export function* purgeOthers(
  { lane, from, to, out, back }: Purged,
  line: ChangeLine,
  removed: (bodyBytes: number) => void,
): Steps {
  const { entries } = lane;
  const remove = (seq: number): void => {
    removed(entries.bodyBytesOf(seq));
    // What belongs on disk was counted with the purge.
    const { storedCount } = entries;
    lane.remove(seq);
    entries.storedCount = storedCount;
  };
  line.begin();
  let left = PER_STEP;
  for (let seq = entries.firstFrom(from); seq < to; seq = entries.firstFrom(seq + 1)) {
    if (out?.has(seq) !== true) remove(seq);
    left -= 1;
    if (left > 0) continue;
    left = PER_STEP;
    line.end();
    yield;
    line.begin();
  }
  while (back !== null && back.size > 0) {
    const seq = back.takeFirst();
    if (entries.has(seq, true)) remove(seq);
    left -= 1;
    if (left > 0) continue;
    left = PER_STEP;
    line.end();
    yield;
    line.begin();
  }
  line.end();
}
