// Owns the model of a stream: an array of all that came, and the first of it that is kept. Never knows pages in memory, spans,
// segments or batches.

/** Entries of one page: retention takes whole ones. */
export const PAGE = 256;
/** So many pages go with one batch. */
const PAGES_PER_BATCH = 128;

/** How much a stream keeps; no limit is Infinity. */
export interface StreamLimits {
  readonly lengthMax: number;
  readonly lengthBytesMax: number;
  readonly maxAgeMs: number;
}

export const NO_LIMITS: StreamLimits = {
  lengthMax: Infinity,
  lengthBytesMax: Infinity,
  maxAgeMs: Infinity,
};

/** A message of a stream, and when it came, ms. */
export interface StreamEntry<M> {
  readonly message: M;
  readonly ms: number;
}

/** What a batch has to bring back of a stream. */
export interface StreamSnapshot<M> {
  readonly all: readonly StreamEntry<M>[];
  readonly first: number;
  readonly tail: number;
}

/** A stream of messages; `bytesOf` says how large the body of one is. */
export class ModelStream<M> {
  limits: StreamLimits;
  /** By offset, those included that are kept no more. */
  readonly all: StreamEntry<M>[] = [];
  first = 0;
  /** Body bytes of what is kept. */
  bodyBytes = 0;
  private readonly bytesOf: (message: M) => number;

  constructor(limits: StreamLimits, bytesOf: (message: M) => number) {
    this.limits = limits;
    this.bytesOf = bytesOf;
  }

  /** The offset that the next message gets. */
  get tail(): number {
    return this.all.length;
  }

  push(message: M, nowMs: number): void {
    this.all.push({ message, ms: nowMs });
    this.bodyBytes += this.bytesOf(message);
  }

  /** Lets go of whole pages from the head, of none that a limit still needs; returns how many were too much, and too old. */
  retire(nowMs: number): readonly [tooMuch: number, tooOld: number] {
    const { lengthMax, lengthBytesMax, maxAgeMs } = this.limits;
    let [tooMuch, tooOld] = [0, 0];
    for (let pages = 0; pages < PAGES_PER_BATCH && this.first < this.tail; pages++) {
      const end = Math.min((Math.floor(this.first / PAGE) + 1) * PAGE, this.tail);
      const bytes = this.bytesFrom(this.first, end);
      const surplus = this.tail - end >= lengthMax || this.bodyBytes - bytes >= lengthBytesMax;
      const old = (this.all[end - 1] as StreamEntry<M>).ms + maxAgeMs <= nowMs;
      if (!surplus && !old) break;
      this.first = end;
      this.bodyBytes -= bytes;
      if (surplus) tooMuch += 1;
      else tooOld += 1;
    }
    return [tooMuch, tooOld];
  }

  private bytesFrom(first: number, end: number): number {
    const some = this.all.slice(first, end);
    return some.reduce((sum, { message }) => sum + this.bytesOf(message), 0);
  }

  /** What a batch sealed now has to bring back. */
  snapshot(): StreamSnapshot<M> {
    const { all, first, tail } = this;
    return { all, first, tail };
  }

  /** Comes back from a disk that holds this. */
  restore({ all, first, tail }: StreamSnapshot<M>): void {
    this.all.length = 0;
    this.all.push(...all.slice(0, tail));
    this.first = first;
    this.bodyBytes = this.bytesFrom(first, tail);
  }
}
