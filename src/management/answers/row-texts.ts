// Owns the JSON of the rows of a list until it is known in which order they go out. Where they are many it lies
// outside of the heap: texts that stay for a while are what the collector of garbage holds up everything for.

import type { TimeSlice } from '../time-slice.ts';
import { type Piece, piecesOf } from './json-pieces.ts';

/** So many characters lie in the heap, where texts are made quicker. */
const HEAP_CHARS = 2 * 2 ** 20;
/** Outside of it they lie in rooms of so many bytes, and go out in pieces of so many. */
const ROOM_BYTES = 512 * 1024;
const PIECE_BYTES = 64 * 1024;
/** A character takes no more in UTF-8. */
const BYTES_PER_CHAR = 3;
const NO_ROOM = Buffer.alloc(0);
const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** Texts by the order in which they came. */
export class RowTexts {
  /** The first ones. */
  private readonly texts: string[] = [];
  private chars = 0;
  /** Those that came when they were many: where each lies. */
  private readonly rooms: Buffer[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private room: Buffer = NO_ROOM;
  private used = 0;

  add(text: string): void {
    if (this.chars < HEAP_CHARS) {
      this.chars += text.length;
      this.texts.push(text);
      return;
    }
    const most = text.length * BYTES_PER_CHAR;
    if (most > this.room.length - this.used) {
      this.room = Buffer.allocUnsafeSlow(Math.max(ROOM_BYTES, most));
      this.used = 0;
    }
    this.rooms.push(this.room);
    this.starts.push(this.used);
    this.used += this.room.write(text, this.used);
    this.ends.push(this.used);
  }

  /** The list of them in that order, with rests on the way. */
  pieces(places: readonly number[], timeSlice: TimeSlice): Promise<Piece[]> {
    if (this.rooms.length > 0) return this.longPieces(places, timeSlice);
    const { texts } = this;
    const inOrder = function* (): Iterable<string> {
      for (const place of places) yield texts[place] as string;
    };
    return piecesOf('[', inOrder(), ']', timeSlice);
  }

  private async longPieces(places: readonly number[], timeSlice: TimeSlice): Promise<Piece[]> {
    const writer = new BytesWriter();
    let sign = OPEN;
    for (const place of places) {
      writer.write(sign, 0, 1);
      sign = COMMA;
      const at = place - this.texts.length;
      if (at < 0) {
        const bytes = Buffer.from(this.texts[place] as string);
        writer.write(bytes, 0, bytes.length);
      } else {
        writer.write(this.rooms[at] as Buffer, this.starts[at] as number, this.ends[at] as number);
      }
      if (timeSlice.due) await timeSlice.rest();
    }
    writer.write(CLOSE, 0, 1);
    return writer.end();
  }
}

/** Puts bytes together in pieces of a size to be sent. */
class BytesWriter {
  private readonly pieces: Buffer[] = [];
  private piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  private used = 0;

  write(from: Buffer, start: number, end: number): void {
    if (end - start > this.piece.length - this.used) {
      this.pieces.push(this.piece.subarray(0, this.used));
      this.piece = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, end - start));
      this.used = 0;
    }
    this.used += from.copy(this.piece, this.used, start, end);
  }

  end(): Buffer[] {
    return [...this.pieces, this.piece.subarray(0, this.used)];
  }
}
