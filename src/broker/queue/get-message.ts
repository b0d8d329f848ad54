// Owns taking one message out of a queue for a client that asks for it. Never sends it.

import type { MessageCounts } from '../stats/counts.ts';
import type { TakenEntry } from './messages/queue-entries.ts';
import type { Pace } from './pace/pace.ts';

/** A queue that is asked for a message. */
export interface AskedQueue {
  readonly paused: boolean;
  readonly pace: Pace | null;
  readonly timed: boolean;
  readonly readyCount: number;
  readonly counts: MessageCounts;
  readonly endings: {
    readonly overdue: boolean;
    seen(entry: TakenEntry, look: (entry: TakenEntry) => void): boolean;
  };
  readonly deadline: { refresh(): void };
  use(): void;
  take(): TakenEntry | null;
  timeDelivery(entry: TakenEntry, noAck: boolean): void;
}

/**
 * As `take`, for basic.get: what has expired is dropped first; null also where more has than there is time
 * for, see `overdue`. `look` reads what will be sent; what it cannot read is set aside. A paused queue gives only
 * to tools, with `paused`; and so does one whose pace gives none now.
 */
export function getMessage(
  queue: AskedQueue,
  noAck: boolean,
  look: (entry: TakenEntry) => void,
  paused: boolean,
): TakenEntry | null {
  queue.use();
  let entry: TakenEntry | null;
  if (!paused && (queue.paused || queue.pace?.room(1) === 0)) {
    queue.counts.getEmpty += 1;
    return null;
  }
  do entry = queue.endings.overdue ? null : queue.take();
  while (entry !== null && !queue.endings.seen(entry, look));
  if (queue.timed) queue.deadline.refresh();
  if (entry !== null) {
    queue.counts.countGet(entry, noAck);
    if (!paused) queue.pace?.gave(1);
    queue.timeDelivery(entry, noAck);
  } else if (queue.readyCount === 0) queue.counts.getEmpty += 1;
  return entry;
}
