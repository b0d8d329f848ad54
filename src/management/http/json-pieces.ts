// Owns writing answers in JSON a piece at a time, however long they are. Never makes what they say.

import type { Breather } from '../breather.ts';

/** An answer that was made a piece at a time, and is sent so. */
export interface Pieces {
  readonly pieces: readonly string[];
  /** Called once it is sent, with true, or cannot be, with false. */
  readonly sent?: (wholly: boolean) => void;
}

/** About so many characters are sent at a time. */
const PIECE_CHARS = 64 * 1024;
/** Lists of no more rows than this are written in one step. */
const SHORT_ROWS = 64;

/** Puts texts together, with commas between them, in pieces of a size to be sent. Null is none, but a step. */
export async function piecesOf(
  start: string,
  texts: Iterable<string | null>,
  end: string,
  breather: Breather,
): Promise<string[]> {
  const pieces: string[] = [];
  let piece = start;
  let first = true;
  for (const text of texts) {
    if (text !== null) {
      piece += first ? text : `,${text}`;
      first = false;
    }
    if (piece.length >= PIECE_CHARS) {
      pieces.push(piece);
      piece = '';
    }
    if (breather.due) await breather.rest();
  }
  pieces.push(piece + end);
  return pieces;
}

/** The JSON of what a route returns. */
export async function piecesOfResult(
  result: object | Pieces,
  breather: Breather,
): Promise<readonly string[]> {
  return isPieces(result) ? result.pieces : jsonPieces(result, breather);
}

export function isPieces(result: object): result is Pieces {
  return Array.isArray((result as Partial<Pieces>).pieces);
}

/** The JSON of a list, or of an object some of whose values are lists: row by row where those are long. */
async function jsonPieces(value: object, breather: Breather): Promise<string[]> {
  if (isLong(value)) return piecesOf('[', textsOf(value), ']', breather);
  if (Array.isArray(value) || !Object.values(value).some(isLong)) return [JSON.stringify(value)];
  const pieces: string[] = [];
  let start = '{';
  for (const [key, each] of Object.entries(value)) {
    const rows = isLong(each);
    const json = rows ? '' : JSON.stringify(each);
    // What is not there is left out.
    if (json === undefined) continue;
    start += `${JSON.stringify(key)}:${json}`;
    if (rows) {
      pieces.push(...(await piecesOf(`${start}[`, textsOf(each), ']', breather)));
      start = '';
    }
    start += ',';
  }
  // The comma behind the last.
  pieces.push(`${start.slice(0, -1)}}`);
  return pieces;
}

function isLong(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > SHORT_ROWS;
}

function* textsOf(rows: readonly unknown[]): Iterable<string> {
  // Lists have null where there is nothing.
  for (const row of rows) yield JSON.stringify(row) ?? 'null';
}
