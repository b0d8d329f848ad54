// Owns the words between the messages of a queue and what is around them: what it takes to put one back, what they ask of
// the broker, and what keeps places in the message log. Never does anything.

import type { ChangeLine } from '../../turn/change-line.ts';
import type { Slices } from '../../turn/slices.ts';
import type { PositionVisitor } from './pages/lane-pages.ts';
import type { Sweep } from './sweeps.ts';

/** A message as its queue holds it: what it takes to put it back. */
export interface HeldEntry {
  readonly seq: number;
  readonly position: number;
  readonly bodyBytes: number;
  /** As for Queue.push. */
  readonly flags: number;
  /** When its time to live began, by the broker's time, ms; 0 or left out: as it arrived. */
  readonly startMs?: number;
}

/** What the messages of a queue need of the broker. */
export interface MessagesHost {
  readonly line: ChangeLine;
  readonly slices: Slices;
  /** Stored messages pushed since the last seal, and those of them not settled yet. */
  unsealedPushed: number;
  unsealedLive: number;
  /** Takes over pages that a purge left behind, to let go of them little by little. */
  sweep(sweep: Sweep): void;
  /** Asks that the batch being gathered be sealed without delay. */
  awaitBatch(): void;
}

/**
 * Something that refers to records of the log. Compaction asks all of them what they hold; whatever
 * none of them names is gone. At a start each makes the log keep what it holds before unused segments go.
 */
export interface RecordHolder {
  /** Whether it is no more, and holds nothing. */
  readonly deleted: boolean;
  /**
   * Visits some of what it holds, from a cursor on; returns the cursor to go on with, or -1 at the end.
   * The first is 0. What is there all along is visited, but for what is in no segment that is `wanted`.
   */
  visitPage(cursor: number, visit: PositionVisitor, wanted: (segmentId: number) => boolean): number;
}

/** What these messages belong to. */
export interface MessagesOwner {
  readonly id: number;
  readonly durable: boolean;
  /** Something changed that belongs into the next batch. */
  entriesDirty(): void;
  /** Asks for deliveries: a message has ended, and another may go out for that. */
  wake(): void;
}
