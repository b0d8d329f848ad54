// Owns walks over the messages of queues, ready ones and unacked ones. Never takes one out.

import type { MessageLog } from '../../../message/log/log.ts';
import { type ReadMessage, readMessage } from '../../../message/read-message.ts';
import type { Clock } from '../../../util/clock.ts';
import { LANES_MAX } from '../../queue/messages/lane.ts';
import { LANE_PAGES } from '../../queue/messages/queue-rows.ts';
import { type BrowsedEntry, browsePage } from '../../queue/messages/visiting.ts';
import type { Queue } from '../../queue/queue.ts';
import { type MessageWalk, noCursor, WalkShare } from './walk.ts';

/** A walk over the messages of a queue, lane by lane and page by page. */
export class QueueWalk implements MessageWalk {
  private readonly queue: Queue;
  private readonly log: MessageLog;
  private readonly share: WalkShare;
  private page: number;
  /** The first slot of the page that was not looked at yet. */
  private slot: number;

  /** `cursor` is '' for the beginning. Throws a Refusal for one that is none. */
  constructor(queue: Queue, log: MessageLog, clock: Clock, cursor: string) {
    this.queue = queue;
    this.log = log;
    this.share = new WalkShare(clock);
    [this.page, this.slot] = parseCursor(cursor);
  }

  get scanned(): number {
    return this.share.scanned;
  }

  get cursor(): string | null {
    return this.page < 0 ? null : `${this.page}.${this.slot}`;
  }

  run(visit: (entry: BrowsedEntry, message: ReadMessage) => boolean): void {
    while (this.page >= 0) {
      const entries: BrowsedEntry[] = [];
      const next = browsePage(this.queue.messages.lanes, this.page, (entry) => entries.push(entry));
      // Pages that are gone were passed over: the slot counts only in the page it was of.
      const found = next < 0 ? -1 : next - 1;
      const from = found === this.page ? this.slot : 0;
      for (const entry of entries) {
        const slot = entry.inner % 256;
        if (slot < from) continue;
        if (this.share.exhausted) {
          this.page = found;
          this.slot = slot;
          return;
        }
        this.share.add(entry.bodyBytes);
        const look = (): boolean => visit(entry, readMessage(this.log, entry.position));
        if (!this.queue.endings.lookAt(entry, 'browse', look)) {
          this.page = found;
          this.slot = slot + 1;
          return;
        }
      }
      this.page = next;
      this.slot = 0;
    }
  }
}

function parseCursor(cursor: string): [page: number, slot: number] {
  if (cursor === '') return [0, 0];
  const match = /^(\d{1,15})\.(\d{1,3})$/.exec(cursor);
  if (match === null || Number(match[1]) >= LANE_PAGES * LANES_MAX) throw noCursor(cursor);
  return [Number(match[1]), Number(match[2])];
}
