// Owns what tools see of those that read a stream, and of the places of groups, and what a user may do with these. Never
// moves a place under a consumer that goes by it.

import type { Rows } from '../../../util/rows.ts';
import { checkNewName } from '../../access/names.ts';
import type { Broker } from '../../broker.ts';
import { Refusal } from '../../errors.ts';
import type { ChannelDetails, Consumer } from '../../queue/consumer.ts';
import type { Place } from '../../queue/stream/reading/places.ts';
import type { StreamReading } from '../../queue/stream/reading/reading.ts';
import type { StreamStart } from '../../queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../queue/stream/stream.ts';
import type { VhostActor } from '../../vhost/vhost-actor.ts';
import { type Lag, Lags, Looks } from './stream-lag.ts';

import {
  type PublisherPage,
  type PublisherView,
  publisherOf,
  publishersOf,
} from './stream-publishers.ts';

/** So often one list reads more from the disk: what is behind that has no lag in time. */
const LOOKS_MAX = 1000;

/** A consumer of a stream, as it is named. */
interface ReaderConsumer {
  readonly consumer_tag: string;
  readonly channel_details: ChannelDetails;
}

/** A group that has a place in a stream. */
export interface GroupView extends Lag {
  readonly vhost: string;
  readonly queue: string;
  readonly name: string;
  /** The offset below which the group has settled all. */
  readonly offset: number;
  /** When it was moved last, ms since the Unix epoch. */
  readonly moved_at: number;
  /** Consumers that are in the group now. */
  readonly consumers: number;
  /** The one of them that gets the messages; null: none. */
  readonly active_consumer: ReaderConsumer | null;
}

/** One that reads a stream now: a consumer by itself, or a group. */
export interface ReaderView extends Lag {
  /** The group; null: a consumer by itself. */
  readonly group: string | null;
  /** The super stream that it subscribed to; null: the stream itself. */
  readonly super_stream: string | null;
  /** The offset that it is given next, or waits for. */
  readonly next_offset: number;
  /** The offset below which a group has settled all; of a consumer by itself as `next_offset`. */
  readonly offset: number;
  /** The offset where it ends; null: nowhere. */
  readonly until_offset: number | null;
  /** The consumer that gets the messages; null: none does. */
  readonly active_consumer: ReaderConsumer | null;
  /** The one that goes on once the active one has settled what it has; null: none. */
  readonly next_consumer: ReaderConsumer | null;
  /** All, those that wait included. */
  readonly consumers: readonly ReaderConsumer[];
}

/** The groups that have a place in a stream, one by one. */
export function* groupRows(
  { core: { time } }: Broker,
  vhost: string,
  stream: Stream,
  lags: Lags,
  looks: Looks,
): Rows<GroupView> {
  for (const [name, place] of stream.places.all) {
    yield groupRow(vhost, stream, name, place, stream.groups.get(name), {
      ...lags.ofPlace(stream, place, looks),
      moved_at: time.wallOf(place.movedMs),
    });
  }
}

function groupRow(
  vhost: string,
  stream: Stream,
  name: string,
  { offset }: Place,
  reading: StreamReading | undefined,
  more: Lag & Pick<GroupView, 'moved_at'>,
): GroupView {
  const owner = reading === undefined ? null : (reading.cursorIn(stream)?.owner ?? null);
  return {
    vhost,
    queue: stream.name,
    name,
    offset,
    ...more,
    consumers: reading?.consumers.length ?? 0,
    active_consumer: owner === null ? null : viewConsumer(owner),
  };
}

function viewConsumer({ tag, channel }: Consumer): ReaderConsumer {
  return { consumer_tag: tag, channel_details: channel.details() };
}

/** What one user may do in one vhost with what reads its streams. */
export class StreamActor {
  private readonly broker: Broker;
  private readonly vhost: string;
  private readonly topology: VhostActor;

  constructor(broker: Broker, vhost: string, topology: VhostActor) {
    this.broker = broker;
    this.vhost = vhost;
    this.topology = topology;
  }

  /** The groups that have a place in a stream. */
  groups(name: string): Rows<GroupView> {
    const stream = this.topology.stream(name);
    const { broker, vhost } = this;
    return groupRows(broker, vhost, stream, new Lags(broker.core), new Looks(LOOKS_MAX));
  }

  /** Those that read a stream now. */
  readers(name: string): Rows<ReaderView> {
    return this.readerRows(this.topology.stream(name));
  }

  /** The last id of a publisher to a stream. Refuses where there is none of that name. */
  publisher(name: string, publisher: string): PublisherView {
    return publisherOf(this.topology.stream(name), publisher);
  }

  /** Publishers to a stream behind a name, so many at most. */
  publishers(name: string, after: string, count: number): PublisherPage {
    return publishersOf(this.topology.stream(name), after, count);
  }

  private *readerRows(stream: Stream): Rows<ReaderView> {
    const lags = new Lags(this.broker.core);
    const looks = new Looks(LOOKS_MAX);
    yield null;
    for (const reading of stream.readings) {
      yield null;
      const cursor = reading.cursorIn(stream);
      if (cursor === undefined) continue;
      const { owner, heir, next, until, place } = cursor;
      yield {
        group: reading.group,
        super_stream: reading.name === stream.name ? null : reading.name,
        next_offset: next,
        offset: place,
        until_offset: until === Infinity ? null : until,
        ...lags.of(stream, place, looks),
        active_consumer: owner === null ? null : viewConsumer(owner),
        next_consumer: heir === null ? null : viewConsumer(heir),
        consumers: reading.consumers.map(viewConsumer),
      };
    }
  }

  /**
   * Moves the place of a group, or gives it one; the offset is one that there is, or the next to come. Refuses while the
   * group is read: what its consumers ack would move it back. Returns the place.
   */
  setPlace(name: string, group: string, start: StreamStart): number {
    const stream = this.idle(name, group);
    checkNewName('group', group);
    stream.checkGroup(group);
    const { core } = this.broker;
    const { first, tail } = stream.entries;
    const offset = Math.min(tail, Math.max(first, stream.startOf(start)));
    core.line.change(() => {
      stream.movePlace(group, offset);
      core.definitionChanged();
    });
    return offset;
  }

  /** Forgets a group: it begins anew. Refuses while it is read, or where there is none of that name. */
  forget(name: string, group: string): void {
    const stream = this.idle(name, group);
    if (stream.places.of(group) === undefined) {
      throw new Refusal('not-found', `no group '${group}' has a place in stream '${name}'`);
    }
    const { core } = this.broker;
    core.line.change(() => {
      stream.forgetPlace(group);
      core.definitionChanged();
    });
  }

  /** The stream, if a group does not read it now. */
  private idle(name: string, group: string): Stream {
    const stream = this.topology.stream(name);
    if (!stream.isRead(group)) return stream;
    const text = `group '${group}' has consumers of stream '${name}'`;
    throw new Refusal('in-use', `${text}: its place can be changed once they have left`);
  }
}
