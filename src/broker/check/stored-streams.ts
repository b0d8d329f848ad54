// Owns reading what streams keep beside their pages, for an inspection: whether each row is what it should be, and whether
// those of spans name all that their pages need. Never changes one.

import { SEGMENT_SPAN, weightOf } from '../../message/log/segment.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { NOT_ASIDE } from '../../store/row.ts';
import { TABLE_STREAMS } from '../../store/tables.ts';
import { isSettled, type Page } from '../queue/messages/pages/page.ts';
import { decodeSpan, SPAN_PAGES, visitShares } from '../queue/stream/entries/span.ts';
import {
  KIND_COLUMN,
  KIND_PLACE,
  KIND_PUBLISHER,
  KIND_SPAN,
  numberName,
  readStreamRow,
  StreamRows,
  streamKey,
} from '../queue/stream/entries/stream-rows.ts';
import { isColumn } from '../queue/stream/filter/columns.ts';
import { decodeLastId } from '../queue/stream/publishers/publisher-ids.ts';
import { decodePlace } from '../queue/stream/reading/places.ts';

/** Whether a row of a kind is named and made as it should be; those of other kinds are. */
const SHAPES: ReadonlyMap<number, (name: Buffer, value: Buffer) => boolean> = new Map([
  [KIND_SPAN, (name, value) => name.length === 4 && decodeSpan(0, value) !== null],
  [KIND_COLUMN, (name, value) => name.length === 4 && isColumn(value)],
  [KIND_PLACE, (_name, value) => decodePlace(value) !== null],
  [KIND_PUBLISHER, (_name, value) => decodeLastId(value) !== null],
]);

/** The rows of streams of one store. */
export class StoredStreams {
  private readonly store: Store;
  private readonly gone: ReadonlySet<number>;
  /** The span whose pages come now, and what they weigh in each segment. */
  private id = -1;
  private number = -1;
  private readonly weights = new Map<number, number>();

  constructor(store: Store) {
    this.store = store;
    this.gone = new Set(new StreamRows(store, NOT_ASIDE).gone());
  }

  /** Throws a CorruptRecordError where a row cannot be trusted, or is of none of these streams. */
  check(key: Buffer, value: Buffer, streams: (id: number) => boolean): void {
    const row = readStreamRow(key, value);
    if (SHAPES.get(row.kind)?.(row.name, row.value) === false) {
      throw new CorruptRecordError(TABLE_STREAMS, key, 'it is not made as its kind is');
    }
    if (streams(row.id) || this.gone.has(row.id)) return;
    throw new CorruptRecordError(TABLE_STREAMS, key, 'it is of a stream that is not there');
  }

  /** Adds a page, which come in order; returns what is wrong with the span before it, null: nothing. */
  addPage(id: number, page: Page): CorruptRecordError | null {
    const number = Math.floor(page.number / SPAN_PAGES);
    const wrong = id === this.id && number === this.number ? null : this.finishSpan();
    this.id = id;
    this.number = number;
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const segment = Math.floor((page.positions[slot] as number) / SEGMENT_SPAN);
      const weight = weightOf(page.bodyBytes[slot] as number);
      this.weights.set(segment, weight + (this.weights.get(segment) ?? 0));
    }
    return wrong;
  }

  /** No page of the last span is to come; returns what is wrong with it, null: nothing, or its row is not there. */
  finishSpan(): CorruptRecordError | null {
    const needed = [...this.weights];
    this.weights.clear();
    if (needed.length === 0) return null;
    const key = streamKey(this.id, KIND_SPAN, numberName(this.number));
    const value = this.store.get(TABLE_STREAMS, key);
    if (value === null) return null;
    const said = new Map<number, number>();
    try {
      const row = readStreamRow(key, value).value;
      if (decodeSpan(this.number, row) === null) return null;
      visitShares(row, (segment, weight) => said.set(segment, weight));
    } catch (error) {
      // It is damaged, as a look at all rows says.
      if (error instanceof CorruptRecordError) return null;
      throw error;
    }
    const short = needed.filter(([segment, weight]) => (said.get(segment) ?? 0) < weight);
    if (short.length === 0) return null;
    const text = `it says too little of ${short.length} segments that its pages need`;
    return new CorruptRecordError(TABLE_STREAMS, key, text);
  }
}
