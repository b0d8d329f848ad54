// Owns the push of a message that is looked at before it is taken in: its queue may refuse it or drop it as a duplicate, or
// it waits, for its time or the disk, or is in a group. Never sees what comes in plainly: queue.ts has that way by itself, short enough to be fast.

import type { MessageLog } from '../../message/log/log.ts';
import type { QueueDelays } from './delay/queue-delays.ts';
import type { QueueDuplicates } from './duplicates/queue-duplicates.ts';
import { type RefusingQueue, refuses } from './endings/refusals.ts';
import type { QueueMessages } from './messages/queue-messages.ts';
import { PUSH_EXPIRES } from './push-flags.ts';

/** A queue that looks at some of what comes in. */
export interface LookingQueue extends RefusingQueue {
  /** Whether it looks at all. */
  readonly guarded: boolean;
  timed: boolean;
  readonly duplicates: QueueDuplicates | null;
  readonly delays: QueueDelays;
  readonly messages: QueueMessages;
}

/** What `lookedPush` did with a message: nothing, so that it is pushed as any other; or it was dropped, taken in, refused. */
const PLAIN = 0;
export const DROPPED = 1;
export const TAKEN = 2;
export const REFUSED = 3;

/** Takes a message in that has to be looked at; parameters as for MessageSink.push. */
export function lookedPush(
  queue: LookingQueue,
  log: MessageLog,
  position: number,
  bodyBytes: number,
  flags: number,
): number {
  const { duplicates, delays, messages } = queue;
  if (queue.guarded) {
    if (duplicates?.drops(position, bodyBytes, flags)) return DROPPED;
    if (refuses(queue, log, position, bodyBytes, flags)) return REFUSED;
  }
  if ((flags & PUSH_EXPIRES) !== 0) queue.timed = true;
  if (delays.hold(position, bodyBytes, flags)) {
    duplicates?.waits(position, flags);
    return TAKEN;
  }
  duplicates?.takes(position, flags);
  const taken = delays.awaitDisk(position, bodyBytes, flags);
  return taken || messages.pushGrouped(position, bodyBytes, flags) ? TAKEN : PLAIN;
}
