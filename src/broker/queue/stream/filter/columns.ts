// Owns filter columns as rows: the fingerprints of a full span side by side, so that a reader passes by 65,536 messages
// with one look-up. Never decides when a span is full.

import { PAGE_ENTRIES, type Page } from '../../messages/pages/page.ts';
import { SPAN_ENTRIES, SPAN_PAGES } from '../entries/span.ts';
import { KIND_COLUMN, numberName, type StreamRows } from '../entries/stream-rows.ts';

/*
 * A column as a row, named by the number of its span; there is one only for a span in which some message has a filter value:
 *
 *   0   65,536 x u16  the fingerprint of each entry; 0: it has no filter value, or never was
 */
const FINGERPRINT_BYTES = Uint16Array.BYTES_PER_ELEMENT;
const ROW_BYTES = SPAN_ENTRIES * FINGERPRINT_BYTES;
/** Whether this machine has the low octet of a word first. */
const SWAPPED = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Puts the column of a span into the current batch; `look` reads a page of it, null: it cannot be read. */
export function putColumn(
  rows: StreamRows,
  id: number,
  span: number,
  look: (number: number) => Page | null,
): void {
  const row = Buffer.alloc(ROW_BYTES);
  for (let i = 0; i < SPAN_PAGES; i++) {
    const filters = look(span * SPAN_PAGES + i)?.filters ?? null;
    if (filters === null) continue;
    let at = i * PAGE_ENTRIES * FINGERPRINT_BYTES;
    for (const fingerprint of filters) at = row.writeUInt16BE(fingerprint, at);
  }
  rows.put(id, KIND_COLUMN, numberName(span), row);
}

/** The column of a span; null: its row is not durable yet, or damaged. Not to be changed. */
export function columnOf(rows: StreamRows, id: number, span: number): Uint16Array | null {
  const known = rows.columns.get(id, span);
  if (known !== undefined) return known;
  const row = rows.get(id, KIND_COLUMN, numberName(span));
  if (row === null || !isColumn(row)) return null;
  const column = new Uint16Array(SPAN_ENTRIES);
  const bytes = Buffer.from(column.buffer);
  row.copy(bytes);
  if (SWAPPED) bytes.swap16();
  rows.columns.put(id, span, column);
  return column;
}

/** Whether the value of a row is that of a column. */
export function isColumn(row: Buffer): boolean {
  return row.length === ROW_BYTES;
}

/** Lets go of the column of a span, if it has one. */
export function removeColumn(rows: StreamRows, id: number, span: number): void {
  rows.remove(id, KIND_COLUMN, numberName(span));
  rows.columns.remove(id, span);
}
