// Owns which offsets the words mean by which a consumer says where it begins and ends to read. Never moves one that reads.

import type { MessageLog } from '../../../../message/log/log.ts';
import type { QueueHost } from '../../ports.ts';
import { offsetAt } from '../entries/offset-at.ts';
import type { StreamEntries } from '../entries/stream-entries.ts';
import type { StreamStart, StreamUntil } from './reading-spec.ts';

/** What there is to read. */
interface ReadEntries {
  readonly entries: StreamEntries;
  readonly log: MessageLog;
}

type Times = Pick<QueueHost, 'nowMs' | 'time'>;

/** The offset that a start means as things are. */
export function startOffset(
  stream: ReadEntries,
  { nowMs, time }: Times,
  start: StreamStart,
): number {
  const { first, tail } = stream.entries;
  switch (start.kind) {
    case 'first':
      return first;
    case 'last':
      return Math.max(first, tail - 1);
    case 'next':
      return tail;
    case 'offset':
      return Math.max(start.offset, first);
    case 'back':
      return Math.max(first, tail - start.count);
    case 'time':
      return offsetAt(stream.entries, stream.log, time.brokerOf(start.ms));
    case 'ago':
      return offsetAt(stream.entries, stream.log, nowMs - start.ms);
  }
}

/** The first offset that is read no more, as far as that is known; null and Infinity: there is no end. See `endMs`. */
export function endOffset(stream: ReadEntries, times: Times, until: StreamUntil | null): number {
  switch (until?.kind) {
    case undefined:
      return Infinity;
    case 'end':
      return stream.entries.tail;
    case 'offset':
      return until.offset;
    case 'time': {
      const ahead = endMs(times, until) !== Infinity;
      return ahead ? Infinity : offsetAt(stream.entries, stream.log, times.time.brokerOf(until.ms));
    }
  }
}

/** The time, by the broker's, that has to come before the end is known, ms; Infinity: it is, or there is none. */
export function endMs({ nowMs, time }: Times, until: StreamUntil | null): number {
  if (until?.kind !== 'time') return Infinity;
  const ms = time.brokerOf(until.ms);
  return ms > nowMs ? ms : Infinity;
}
