// Owns what is known of a message that waits for its time. Never holds one: delay-heap.ts and delay-page.ts do.

import { PUSH_STORED } from '../push-flags.ts';

/** Its record lies in the persistent log, so that the entry belongs on disk: PUSH_STORED. */
export const DELAYED_STORED = PUSH_STORED;
/** It came back from a consumer: it goes ahead of what was never out, and as redelivered. */
export const DELAYED_RETURNED = 16;

/** One message that waits. */
export interface DelayEntry {
  /** When it is due, by the broker's time, ms. */
  dueMs: number;
  /** A number that no other message of the queue ever waits under; of two due at once the lower goes first. */
  id: number;
  /** Where its record lies in the log. */
  position: number;
  bodyBytes: number;
  /** DELAYED_ bits, and those of PUSH_EXPIRES and PUSH_PRIORITY; one octet. */
  flags: number;
  /** Its priority, where PUSH_PRIORITY is set. */
  priority: number;
  /** How often it has come back to the queue. */
  returns: number;
  /** When its time to live began, by the broker's time, ms; 0: as it arrived. */
  startMs: number;
}

/** An entry to fill in. */
export function emptyEntry(): DelayEntry {
  return {
    dueMs: 0,
    id: 0,
    position: 0,
    bodyBytes: 0,
    flags: 0,
    priority: 0,
    returns: 0,
    startMs: 0,
  };
}
