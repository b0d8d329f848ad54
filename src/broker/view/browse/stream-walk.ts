// Owns walks over the messages of streams, from a place on, and by filter values. Never delivers one.

import type { MessageLog } from '../../../message/log/log.ts';
import { type ReadMessage, readMessage } from '../../../message/read-message.ts';
import type { Clock } from '../../../util/clock.ts';
import { PAGE_ENTRIES } from '../../queue/messages/pages/page.ts';
import type { FilterWalk } from '../../queue/stream/filter/filter-walk.ts';
import { OFFSET_END, type StreamStart } from '../../queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../queue/stream/stream.ts';
import { type MessageWalk, noCursor, type SeenEntry, WalkShare } from './walk.ts';

/** What of a stream is wanted. */
export interface StreamPart {
  /** Where it begins; null: at the first message. Where a cursor is given, that says it. */
  readonly start: StreamStart | null;
  /** The filter values of which a message has to have one; empty: it may have any or none. */
  readonly values: readonly Buffer[];
}

/** A walk over the messages of a stream, in order of offsets; the cursor is an offset. */
export class StreamWalk implements MessageWalk {
  private readonly stream: Stream;
  private readonly log: MessageLog;
  private readonly share: WalkShare;
  private readonly filter: FilterWalk | null;
  private next: number;

  /** `cursor` is '' for the start. Throws a Refusal for one that is none. */
  constructor(
    stream: Stream,
    log: MessageLog,
    clock: Clock,
    cursor: string,
    { start, values }: StreamPart,
  ) {
    this.stream = stream;
    this.log = log;
    this.share = new WalkShare(clock);
    this.filter = values.length === 0 ? null : stream.walk({ values, matchUnfiltered: false });
    if (cursor === '') this.next = stream.startOf(start ?? { kind: 'first' });
    else this.next = Math.max(parseCursor(cursor), stream.entries.first);
  }

  get scanned(): number {
    return this.share.scanned;
  }

  get cursor(): string | null {
    return this.next < this.stream.entries.tail ? String(this.next) : null;
  }

  run(visit: (entry: SeenEntry, message: ReadMessage) => boolean): void {
    const { stream, filter, log, share } = this;
    const { entries } = stream;
    while (this.next < entries.tail && !share.exhausted) {
      if (filter !== null) {
        const found = filter.find(this.next, entries.tail);
        this.next = filter.next;
        if (found < 0) return;
      }
      const offset = this.next;
      const number = Math.floor(offset / PAGE_ENTRIES);
      const page = entries.page(number);
      if (page === null) {
        this.next = (number + 1) * PAGE_ENTRIES;
        continue;
      }
      const slot = offset - number * PAGE_ENTRIES;
      const position = page.positions[slot] as number;
      const bodyBytes = page.bodyBytes[slot] as number;
      this.next = offset + 1;
      share.add(bodyBytes);
      try {
        const message = readMessage(log, position);
        if (!visit({ seq: offset, position, ready: true }, message)) return;
      } catch (error) {
        stream.unreadableEntry(offset, position, bodyBytes, error);
      }
    }
  }
}

function parseCursor(cursor: string): number {
  const offset = /^\d{1,15}$/.test(cursor) ? Number(cursor) : Infinity;
  if (offset > OFFSET_END) throw noCursor(cursor);
  return offset;
}
