// Owns which parts of the log's file hold records that are still needed, and where the next one goes. Never touches the file.

interface Placed {
  readonly number: number;
  readonly at: number;
  readonly end: number;
}

/** The room of a ring: records lie one behind the other, and from the beginning again where the end is too near. */
export class RingRoom {
  /** Bytes of all records that are needed. */
  used = 0;
  private readonly from: number;
  private readonly to: number;
  private readonly placed: Placed[] = [];

  /** Records lie from `from` on, and end at `to` at most. */
  constructor(from: number, to: number) {
    this.from = from;
    this.to = to;
  }

  /** Where a record of so many bytes may go; -1: there is no room for it in one piece. */
  find(bytes: number): number {
    const first = this.placed[0];
    const last = this.placed.at(-1);
    if (first === undefined || last === undefined) {
      return this.from + bytes <= this.to ? this.from : -1;
    }
    if (last.at < first.at) return last.end + bytes <= first.at ? last.end : -1;
    if (last.end + bytes <= this.to) return last.end;
    return this.from + bytes <= first.at ? this.from : -1;
  }

  /** A record lies there from now on, where `find` said. */
  take(number: number, at: number, bytes: number): void {
    this.placed.push({ number, at, end: at + bytes });
    this.used += bytes;
  }

  /** Records up to this number are needed no more. */
  letGo(upTo: number): void {
    while (this.placed.length > 0 && (this.placed[0] as Placed).number <= upTo) {
      const { at, end } = this.placed.shift() as Placed;
      this.used -= end - at;
    }
  }
}
