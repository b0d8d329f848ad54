// Owns how far places lie behind the end of a stream, in messages and in time. Never reads more from the disk than it was
// allowed.

import { peekedArrivedMs } from '../../../message/read-message.ts';
import { CorruptRecordError } from '../../../store/errors.ts';
import type { BrokerCore } from '../../core/core.ts';
import { PAGE_ENTRIES, type Page } from '../../queue/messages/pages/page.ts';
import type { Place } from '../../queue/stream/reading/places.ts';
import type { Stream } from '../../queue/stream/stream.ts';

/** How far a place lies behind. */
export interface Lag {
  /** Messages that come at the place and behind it. */
  readonly lag_messages: number;
  /** How long the first of them has been in the broker, seconds; 0: there is none. Null: not known. */
  readonly lag_seconds: number | null;
}

/** How often more may be read from the disk: each time a page, or a segment of the log. */
export class Looks {
  private left: number;

  constructor(most: number) {
    this.left = most;
  }

  /** Whether there may be one more, which is taken then. */
  take(): boolean {
    if (this.left === 0) return false;
    this.left -= 1;
    return true;
  }
}

/** When a message came, as it was found out for a place. */
interface Arrival {
  readonly offset: number;
  readonly ms: number;
}

/** Lags of places. When the message of a place came is looked up once, for as long as the place stays where it is. */
export class Lags {
  private readonly core: BrokerCore;
  private readonly known = new WeakMap<Place, Arrival>();

  constructor(core: BrokerCore) {
    this.core = core;
  }

  /** How far the place of a group is behind. */
  ofPlace(stream: Stream, place: Place, looks: Looks): Lag {
    const offset = Math.max(place.offset, stream.entries.first);
    const known = this.known.get(place);
    if (known !== undefined && known.offset === offset) return this.lag(stream, offset, known.ms);
    const ms = this.arrivedMs(stream, offset, looks);
    if (ms !== null) this.known.set(place, { offset, ms });
    return this.lag(stream, offset, ms);
  }

  /** How far an offset is behind. */
  of(stream: Stream, given: number, looks: Looks): Lag {
    const offset = Math.max(given, stream.entries.first);
    return this.lag(stream, offset, this.arrivedMs(stream, offset, looks));
  }

  private lag({ entries: { tail } }: Stream, offset: number, arrivedMs: number | null): Lag {
    if (offset >= tail) return { lag_messages: 0, lag_seconds: 0 };
    const lagMs = arrivedMs === null ? null : Math.max(0, this.core.time.now() - arrivedMs);
    return { lag_messages: tail - offset, lag_seconds: lagMs === null ? null : lagMs / 1000 };
  }

  /** When the message of an offset came, by the broker's time, ms; null: there is none, or it may not be looked at. */
  private arrivedMs({ entries }: Stream, offset: number, looks: Looks): number | null {
    if (offset >= entries.tail) return null;
    const number = Math.floor(offset / PAGE_ENTRIES);
    if (!entries.isInMemory(number) && !looks.take()) return null;
    const page = entries.page(number);
    if (page === null) return null;
    const position = page.positions[offset - number * PAGE_ENTRIES] as number;
    const { log } = this.core;
    try {
      const bytes = log.peekResident(position) ?? (looks.take() ? log.peek(position) : null);
      return bytes === null ? null : peekedArrivedMs(bytes, position);
    } catch (error) {
      if (error instanceof CorruptRecordError) return firstMsOf(page);
      throw error;
    }
  }
}

/** When the first message of a page came, as far as it says so: no later than any other of it. */
function firstMsOf({ starts, settled }: Page): number | null {
  return starts?.get(settled) ?? null;
}
