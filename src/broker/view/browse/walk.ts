// Owns what walks over messages have in common, and how much one may do at a time. Never looks at one.

import type { ReadMessage } from '../../../message/read-message.ts';
import type { Clock } from '../../../util/clock.ts';
import { Refusal } from '../../errors.ts';

/** A message that a walk has come to. */
export interface SeenEntry {
  /** Its place in the queue; in a stream, its offset. */
  readonly seq: number;
  readonly position: number;
  /** Whether it is ready, and not out for delivery. */
  readonly ready: boolean;
}

/** A walk over the messages of a queue or of a stream, in pieces. */
export interface MessageWalk {
  /** How many messages were looked at. */
  readonly scanned: number;
  /** Where to go on; null: at the end. */
  readonly cursor: string | null;
  /**
   * Visits messages until `visit` wants no more, which it says by returning false, or enough has been
   * done at a time.
   */
  run(visit: (entry: SeenEntry, message: ReadMessage) => boolean): void;
}

/** What is done in one turn at most: a caller that wants more goes on in a later one, from the cursor. */
const SCAN_MAX = 2000;
const SCAN_MS_MAX = 10;
const SCAN_BYTES_MAX = 4 * 2 ** 20;

/** How much one walk has done of what it may do at a time. */
export class WalkShare {
  scanned = 0;
  private bytes = 0;
  private readonly clock: Clock;
  private readonly endMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.endMs = clock.monotonicMs() + SCAN_MS_MAX;
  }

  /** Counts a message that is looked at. */
  add(bodyBytes: number): void {
    this.scanned += 1;
    this.bytes += bodyBytes;
  }

  /** Whether no more may be looked at; at least one always may. */
  get exhausted(): boolean {
    if (this.scanned === 0) return false;
    return (
      this.scanned >= SCAN_MAX ||
      this.bytes >= SCAN_BYTES_MAX ||
      this.clock.monotonicMs() >= this.endMs
    );
  }
}

/** The error for a cursor that no answer has given. */
export function noCursor(cursor: string): Refusal {
  return new Refusal('invalid', `'${cursor}' is no cursor: use next_cursor of the answer before`);
}
