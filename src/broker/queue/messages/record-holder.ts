// Owns the port of what keeps places in the message log: queues, and what was set aside. Never reads a
// message.

import type { PositionVisitor } from './queue-entries.ts';

/**
 * Something that refers to records of the log. Compaction asks all of them what they hold; whatever
 * none of them names is gone. At a start each makes the log keep what it holds before unused segments go.
 */
export interface RecordHolder {
  /** Whether it is no more, and holds nothing. */
  readonly deleted: boolean;
  /**
   * Visits some of what it holds, from a cursor on; returns the cursor to go on with, or -1 at the end.
   * The first is 0. What is there all along is visited.
   */
  visitPage(cursor: number, visit: PositionVisitor): number;
}
