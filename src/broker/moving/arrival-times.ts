// Owns finding out when messages came that lie in a store which is only looked at. Never holds more than one segment, nor
// the whole of one that is large.

import { SEGMENT_SPAN, Segment } from '../../message/log/segment.ts';
import {
  checkSegmentKey,
  checkSegmentRow,
  noteSegmentRow,
  readSegment,
  segmentRange,
} from '../../message/log/segment-rows.ts';
import { peekedArrivedMs } from '../../message/read-message.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_SEGMENTS } from '../../store/tables.ts';

/** The part of a record that says when it came ends here. */
const TIME_END = 8;
const NOTHING = Buffer.alloc(0);

/** When messages came, by their positions in the log of a store. */
export class ArrivalTimes {
  private readonly from: Store;
  private id = -1;
  private bytes: Buffer = NOTHING;

  constructor(from: Store) {
    this.from = from;
  }

  /** When the message came, by the time of its broker, ms. Throws a CorruptRecordError where that cannot be read. */
  at(position: number): number {
    const id = Math.floor(position / SEGMENT_SPAN);
    if (id !== this.id) {
      this.bytes = this.read(id);
      this.id = id;
    }
    if ((position % SEGMENT_SPAN) + TIME_END > this.bytes.length) {
      const what = `the record at ${position} of the log is not there`;
      throw new CorruptRecordError(TABLE_SEGMENTS, segmentRange(id)[0], what);
    }
    return peekedArrivedMs(this.bytes, position);
  }

  private read(id: number): Buffer {
    const { from } = this;
    const segment = new Segment(id, true, null, false);
    let first: Buffer = NOTHING;
    for (const key of from.keys(TABLE_SEGMENTS, ...segmentRange(id))) {
      // Only the keys tell how long it is: a large record has many rows, and is all of its segment.
      checkSegmentKey(key);
      if (first === NOTHING) first = key;
      noteSegmentRow(segment, key);
    }
    if (segment.end <= SEGMENT_SPAN) return readSegment(from, segment).bytes;
    const value = from.get(TABLE_SEGMENTS, first) ?? NOTHING;
    checkSegmentRow(first, value);
    return value;
  }
}
