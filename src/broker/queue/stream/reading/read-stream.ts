// Owns what a reading needs of the streams that it reads. Never does anything.

import type { ConsumerSource } from '../../consumer.ts';
import type { StreamEntries } from '../entries/stream-entries.ts';

/** A stream as those that read it see it. */
export interface ReadStream
  extends Pick<ConsumerSource, 'arguments' | 'counts' | 'rules' | 'type'> {
  readonly deleted: boolean;
  /** Whether an operator holds it: nothing goes out. */
  readonly paused: boolean;
  readonly entries: StreamEntries;
  /** Those that read it: they are woken when there is more. */
  readonly readings: { add(reading: object): unknown; delete(reading: object): unknown };
  /** What each group reads it by that has members now, or deliveries that are not settled. */
  readonly groups: {
    get(group: string): object | undefined;
    set(group: string, reading: object): unknown;
    delete(group: string): unknown;
  };
  readonly name: string;
  /** The first offset whose message came at `ms` or later, by the broker's time. */
  offsetAt(ms: number): number;
  /** All is settled that a group was given below this offset. */
  movePlace(group: string, offset: number): void;
  /** A message cannot be delivered: readers pass it by. */
  unreadableEntry(offset: number, position: number, bodyBytes: number, error: unknown): void;
}
