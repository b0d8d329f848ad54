// Owns the words between waiting messages and their queue. Never does anything.

import type { CorruptRecordError } from '../../../store/errors.ts';
import type { Sweep } from '../messages/sweeps.ts';
import type { DelayEntry } from './delay-entry.ts';

/** What waiting messages need of their queue. */
export interface DelayOwner {
  readonly id: number;
  /** Something changed that belongs into the next batch. */
  entriesDirty(): void;
  /** A stored message that no batch holds yet waits now. */
  unsealedPushed(): void;
  /** A message goes from one place to another, by its position in the log. */
  moved(position: number): void;
  /** A page cannot be read: its messages wait no more, so many of which never were ready. Its row stays. */
  damaged(error: CorruptRecordError, fresh: number): void;
  /** Pages are left behind, to be let go of little by little. */
  leftBehind(sweep: Sweep): void;
}

/** Takes a message over that is due; the entry is reused by the next call. */
export type Release = (entry: DelayEntry) => void;
