// Owns what a scrape reads of all streams and of the groups that read them. Never reads much from the disk for one.

import type { Rows } from '../../../util/rows.ts';
import type { Broker } from '../../broker.ts';
import type { Stream } from '../../queue/stream/stream.ts';
import { Lags, Looks } from './stream-lag.ts';
import { type GroupView, groupRows } from './stream-readers.ts';

/** So often one scrape reads more from the disk; the lag in time of what is behind that is told by a later one. */
const LOOKS_MAX = 128;

/** A stream by its offsets. */
export interface StreamOffsets {
  readonly vhost: string;
  readonly name: string;
  readonly first_offset: number;
  readonly next_offset: number;
  /** How many messages the reader that is behind most has not got yet. */
  readonly max_offset_lag: number;
}

/** All streams of a broker. Vhosts that are not there are passed over. */
export class StreamSnapshots {
  private readonly broker: Broker;
  private readonly lags: Lags;

  constructor(broker: Broker) {
    this.broker = broker;
    this.lags = new Lags(broker.core);
  }

  /** Streams by their offsets. */
  *offsets(vhosts: Rows<string>): Rows<StreamOffsets> {
    for (const [vhost, stream] of this.streams(vhosts)) {
      if (stream === null) {
        yield null;
        continue;
      }
      const { first, tail } = stream.entries;
      let slowest = tail;
      for (const reading of stream.readings) {
        const cursor = reading.cursorIn(stream);
        if (cursor !== undefined) slowest = Math.min(slowest, Math.max(first, cursor.next));
        yield null;
      }
      yield {
        vhost,
        name: stream.name,
        first_offset: first,
        next_offset: tail,
        max_offset_lag: tail - slowest,
      };
    }
  }

  /** The groups that have a place in any of them. */
  *groups(vhosts: Rows<string>): Rows<GroupView> {
    const looks = new Looks(LOOKS_MAX);
    for (const [vhost, stream] of this.streams(vhosts)) {
      if (stream === null) yield null;
      else yield* groupRows(this.broker, vhost, stream, this.lags, looks);
    }
  }

  /** Each stream with its vhost; null where there is another queue, or none. */
  private *streams(
    vhosts: Rows<string>,
  ): Iterable<readonly [vhost: string, stream: Stream | null]> {
    for (const name of vhosts) {
      yield [name ?? '', null];
      for (const queue of this.broker.vhosts.get(name ?? '')?.queues.values() ?? []) {
        yield [name ?? '', queue.isStream ? queue : null];
      }
    }
  }
}
