// Owns writing answers in JSON a piece at a time, however long they are. Never makes what they say.

import { jsonText } from '../../util/json/json-writer.ts';
import type { TimeSlice } from '../time-slice.ts';

/** A part of an answer: text, or its bytes in UTF-8. */
export type Piece = string | Buffer;

/** An answer that was made a piece at a time, and is sent so. */
export interface Pieces {
  readonly pieces: readonly Piece[];
  /** Called once it is sent, with true, or cannot be, with false. */
  readonly sent?: (wholly: boolean) => void;
}

/** About so many characters are sent at a time. */
const PIECE_CHARS = 64 * 1024;
/** Lists of no more rows than this are written in one step. */
const SHORT_ROWS = 64;

/** Writes an answer in pieces of a size to be sent. What is long waits outside of the heap. */
class PieceWriter {
  private readonly pieces: Piece[] = [];
  private piece = '';

  text(text: string): void {
    this.piece += text;
    if (this.piece.length < PIECE_CHARS) return;
    this.pieces.push(Buffer.from(this.piece));
    this.piece = '';
  }

  /** All that was written. A short answer is one text. */
  end(): Piece[] {
    if (this.piece !== '' || this.pieces.length === 0) this.pieces.push(this.piece);
    return this.pieces;
  }
}

/** Puts texts together, with commas between them, in pieces of a size to be sent. Null is none, but a step. */
export async function piecesOf(
  start: string,
  texts: Iterable<string | null>,
  end: string,
  timeSlice: TimeSlice,
): Promise<Piece[]> {
  const writer = new PieceWriter();
  writer.text(start);
  await writeRows(writer, texts, timeSlice);
  writer.text(end);
  return writer.end();
}

async function writeRows(
  writer: PieceWriter,
  texts: Iterable<string | null>,
  timeSlice: TimeSlice,
): Promise<void> {
  let first = true;
  for (const text of texts) {
    if (text !== null) {
      if (!first) writer.text(',');
      writer.text(text);
      first = false;
    }
    if (timeSlice.due) await timeSlice.rest();
  }
}

/** The JSON of what a route returns; `shown` makes what is shown of it, or of each row of a list. */
export async function piecesOfResult(
  result: object | Pieces,
  timeSlice: TimeSlice,
  shown: (row: object) => object,
): Promise<readonly Piece[]> {
  if (isPieces(result)) return result.pieces;
  if (!Array.isArray(result)) return jsonPieces(shown(result), timeSlice);
  const rows = function* (): Iterable<string> {
    for (const row of result) yield jsonText(typeof row === 'object' && row ? shown(row) : row);
  };
  return piecesOf('[', rows(), ']', timeSlice);
}

export function isPieces(result: object): result is Pieces {
  return Array.isArray((result as Partial<Pieces>).pieces);
}

/** The JSON of an object some of whose values may be lists: row by row where those are long. */
async function jsonPieces(value: object, timeSlice: TimeSlice): Promise<Piece[]> {
  if (!Object.values(value).some(isLong)) return [jsonText(value)];
  const writer = new PieceWriter();
  let sign = '{';
  for (const [key, each] of Object.entries(value)) {
    // What is not there is left out.
    if (each === undefined) continue;
    const rows = isLong(each);
    const json = rows ? '' : jsonText(each);
    writer.text(`${sign}${jsonText(key)}:${json}`);
    sign = ',';
    if (!rows) continue;
    writer.text('[');
    await writeRows(writer, textsOf(each), timeSlice);
    writer.text(']');
  }
  writer.text('}');
  return writer.end();
}

function isLong(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > SHORT_ROWS;
}

function* textsOf(rows: readonly unknown[]): Iterable<string> {
  // Lists have null where there is nothing.
  for (const row of rows) yield jsonText(row);
}
