// Owns the words between the messages of a queue and what is around them: what is told of a message, and what they ask
// of the broker. Never does anything.

import type { ChangeLine } from '../../turn/change-line.ts';
import type { Sweep } from './sweeps.ts';

/** What `push` is told of a message; the priority stands from bit PUSH_PRIORITY_SHIFT on. */
export const PUSH_STORED = 1;
export const PUSH_EXPIRES = 2;
export const PUSH_PRIORITY = 4;
export const PUSH_PRIORITY_SHIFT = 8;

/** A message as its queue holds it: what it takes to put it back. */
export interface HeldEntry {
  readonly seq: number;
  readonly position: number;
  readonly bodyBytes: number;
  /** As for Queue.push. */
  readonly traits: number;
}

/** What the messages of a queue need of the broker. */
export interface MessagesHost {
  readonly line: ChangeLine;
  /** Stored messages pushed since the last seal, and those of them not settled yet. */
  unsealedPushed: number;
  unsealedLive: number;
  /** Takes over pages that a purge left behind, to let go of them little by little. */
  sweep(sweep: Sweep): void;
  /** Asks that the batch being gathered be sealed without delay. */
  awaitBatch(): void;
}
