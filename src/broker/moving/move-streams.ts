// Owns how the rows of streams go to another store, but for their pages. Offsets stay. Never decides which streams.

import { withChecksum } from '../../store/checksum.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_STREAMS } from '../../store/tables.ts';
import { decodeSpan, movedSpan } from '../queue/stream/entries/span.ts';
import {
  KIND_COLUMN,
  KIND_PLACE,
  KIND_PUBLISHER,
  KIND_SPAN,
  readStreamRow,
  type StreamRow,
} from '../queue/stream/entries/stream-rows.ts';
import { isColumn } from '../queue/stream/filter/columns.ts';
import { decodeLastId } from '../queue/stream/publishers/publisher-ids.ts';
import { decodePlace, encodePlace } from '../queue/stream/reading/places.ts';
import type { Steps } from '../turn/slices.ts';
import { later, type Mover, type Owner, rangeOf, withId } from './mover.ts';

/** Moves spans with their columns, places of groups and ids of publishers. */
export function* moveStreamRows(from: Store, { id, isStream }: Owner, to: Mover): Steps {
  for (const { key, value } of from.range(TABLE_STREAMS, ...rangeOf(id))) {
    const row = readStreamRow(key, value);
    const moved = isStream ? movedValue(row, to) : null;
    if (moved === null) {
      throw new CorruptRecordError(TABLE_STREAMS, key, 'it is not made as its kind is');
    }
    to.put(TABLE_STREAMS, withId(key, to.idOf(id)), withChecksum(moved));
    yield;
  }
}

/** The content of a row there; null: it is none of its kind, or of no kind that is known. */
function movedValue({ kind, name, value }: StreamRow & { kind: number }, to: Mover): Buffer | null {
  const has = (segment: number): boolean => to.has(segment);
  switch (kind) {
    case KIND_SPAN:
      if (name.length !== 4 || decodeSpan(0, value) === null) return null;
      return movedSpan(value, has, to.segments, to.ms);
    case KIND_COLUMN:
      return name.length === 4 && isColumn(value) ? value : null;
    case KIND_PLACE: {
      const place = decodePlace(value);
      return place && encodePlace({ ...place, movedMs: later(place.movedMs, to.ms) });
    }
    case KIND_PUBLISHER:
      return decodeLastId(value) === null ? null : value;
    default:
      return null;
  }
}
