// Owns where the output of one connection stops until the disk has a batch, and how many answers stand behind
// such places. Never holds output itself, and never writes.

/** What stands at `at` and behind it in a list of pieces waits until `batch` is durable. */
interface Barrier {
  at: number;
  readonly batch: number;
  answers: number;
}

/** The barriers of one outbox: from front to back, their batches go up. */
export class Barriers {
  /** How many answers wait behind them. */
  answers = 0;
  private readonly list: Barrier[] = [];

  /** Whether anything waits. */
  get any(): boolean {
    return this.list.length > 0;
  }

  /** How many pieces may leave now; only while anything waits. */
  get first(): number {
    return (this.list[0] as Barrier).at;
  }

  /** One more answer waits, at the end of so many pieces: nothing behind it may leave earlier. */
  add(pieces: number, batch: number): void {
    const last = this.list.at(-1);
    if (last !== undefined && last.batch >= batch) last.answers += 1;
    else this.list.push({ at: pieces, batch, answers: 1 });
    this.answers += 1;
  }

  /** Takes away the barriers of batches up to `durableBatch`; returns whether there were any. */
  pass(durableBatch: number): boolean {
    const { list } = this;
    const { length } = list;
    while (list.length > 0 && (list[0] as Barrier).batch <= durableBatch) {
      this.answers -= (list.shift() as Barrier).answers;
    }
    return list.length < length;
  }

  /** So many pieces more, or fewer, stand before the first barrier. */
  move(pieces: number): void {
    for (const barrier of this.list) barrier.at += pieces;
  }

  clear(): void {
    this.list.length = 0;
    this.answers = 0;
  }
}
