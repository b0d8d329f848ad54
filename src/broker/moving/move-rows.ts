// Owns which rows of a vhost move beside its definitions, and the segments that their messages lie in. Never changes the
// store that they come from.

import type { MessageLog } from '../../message/log/log.ts';
import { checkSegmentRow, keyInSegment, segmentRange } from '../../message/log/segment-rows.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_SEGMENTS } from '../../store/tables.ts';
import { type PurgedRange, QueueRows } from '../queue/messages/queue-rows.ts';
import type { Steps } from '../turn/slices.ts';
import { moveDelays } from './move-delays.ts';
import { moveKeys } from './move-keys.ts';
import { moveMarks, movePages } from './move-pages.ts';
import { moveStreamRows } from './move-streams.ts';
import type { Mover, Owner } from './mover.ts';

/** Moves all rows of queues and exchanges. */
export function* moveRows(from: Store, owners: Iterable<Owner>, to: Mover): Steps {
  const purges = purgesIn(from);
  for (const owner of owners) {
    yield* movePages(from, owner, purges.get(owner.id) ?? [], to);
    yield* moveMarks(from, owner, to);
    yield* moveDelays(from, owner, to);
    yield* moveKeys(from, owner, to);
    yield* moveStreamRows(from, owner, to);
    yield;
  }
}

/** What was purged in each queue, whose rows are not removed yet. */
function purgesIn(from: Store): ReadonlyMap<number, PurgedRange[]> {
  const found = new Map<number, PurgedRange[]>();
  for (const range of new QueueRows(from).recoverPurges()) {
    found.set(range.queueId, [...(found.get(range.queueId) ?? []), range]);
  }
  return found;
}

/**
 * Moves segments wholly: what lies in one that is of other vhosts goes as it is compacted. The log keeps each until it is told
 * to settle it, whatever is let go of while not all that refers to it is read back.
 */
export function* moveSegments(
  from: Store,
  ids: Iterable<number>,
  shift: number,
  log: MessageLog,
  put: Mover['put'],
): Steps {
  for (const id of ids) {
    for (const { key, value } of from.range(TABLE_SEGMENTS, ...segmentRange(id))) {
      checkSegmentRow(key, value);
      const moved = keyInSegment(key, id + shift);
      put(TABLE_SEGMENTS, moved, value);
      log.arriving.put(moved);
      yield;
    }
  }
}

/** Whether a store has anything of a segment. */
export function hasSegment(from: Store, id: number): boolean {
  for (const _key of from.keys(TABLE_SEGMENTS, ...segmentRange(id))) return true;
  return false;
}

/** The error for a row that names a message which is not there. */
export function missing(table: number, key: Buffer, position: number): CorruptRecordError {
  return new CorruptRecordError(
    table,
    key,
    `a message of it is not there, at ${position} of the log`,
  );
}
