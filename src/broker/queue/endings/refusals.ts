// Owns whether a queue has a place for a message that comes in. Never takes it in.

import type { MessageLog } from '../../../message/log/log.ts';
import type { FlowQuota } from '../flow-quota.ts';
import type { QueueRules } from '../rules.ts';

/** A queue that may refuse messages. */
export interface RefusingQueue {
  readonly unreadable: string | null;
  readonly flowQuota: FlowQuota | null;
  readonly rules: QueueRules;
  readonly counts: { refused: number };
  readonly delays: { isOver(moreCount: number, moreBytes: number): boolean };
  readonly endings: { refuse(position: number, bodyBytes: number, flags: number): void };
  atOnce(deliver: boolean): void;
}

/** Whether there is no place for a message, also after consumers took some; then the log lets go of it. */
export function refuses(
  queue: RefusingQueue,
  log: MessageLog,
  position: number,
  bodyBytes: number,
  flags: number,
): boolean {
  if (queue.unreadable === null) {
    queue.flowQuota?.push();
    const { overflow } = queue.rules;
    if (overflow === 'drop-head' || !queue.delays.isOver(1, bodyBytes)) return false;
    queue.atOnce(true);
    if (!queue.delays.isOver(1, bodyBytes)) return false;
    if (overflow === 'reject-publish-dlx') queue.endings.refuse(position, bodyBytes, flags);
  }
  queue.counts.refused += 1;
  log.unref(log.segmentOf(position), bodyBytes);
  return true;
}
