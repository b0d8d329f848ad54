// Owns what waits for a batch to be durable before it goes on: answers to declarations, and connections
// behind them. Never decides what has to wait.

/** How many go on before others have their turn. */
const RESUMED_AT_ONCE = 256;

/** The output of a connection that goes on reading while its answers wait. */
export interface HeldOutput {
  /** Lets go what waited for batches up to `durableBatch`; returns whether more waits. */
  durable(durableBatch: number): boolean;
}

interface Held {
  readonly batch: number;
  readonly resume: () => void;
}

/** What waits for batches to become durable, in order of coming. */
export class DurableWaiters {
  private held: Held[] = [];
  private outputs = new Set<HeldOutput>();

  /** Whether anything waits. */
  get any(): boolean {
    return this.held.length > 0 || this.outputs.size > 0;
  }

  /** Has an output told what is durable, until nothing of it waits. */
  addOutput(output: HeldOutput): void {
    this.outputs.add(output);
  }

  /** Has `resume` called once `batch` is durable. */
  add(batch: number, resume: () => void): void {
    this.held.push({ batch, resume });
  }

  /**
   * Lets go on what waited for batches up to `durableBatch`: some, for each may have much to do, and
   * thousands of connections may have declared something at once. Returns whether more are due.
   */
  resume(durableBatch: number): boolean {
    for (const output of this.outputs) {
      if (!output.durable(durableBatch)) this.outputs.delete(output);
    }
    if (this.held.length === 0) return false;
    const waiting: Held[] = [];
    const due: Held[] = [];
    for (const each of this.held) {
      if (each.batch <= durableBatch && due.length < RESUMED_AT_ONCE) due.push(each);
      else waiting.push(each);
    }
    this.held = waiting;
    for (const { resume } of due) resume();
    return due.length === RESUMED_AT_ONCE;
  }
}
