// Owns what a publisher asks of the channel it publishes for. Never does any of it: channels and tools do.

import type { Grants } from '../../../broker/access/grants.ts';
import type { TracedChannel } from '../../../broker/republish/firehose.ts';
import type { MessageCounts } from '../../../broker/stats/counts.ts';
import type { Steps } from '../../../broker/turn/slices.ts';
import type { Chunk } from '../../../message/chunk.ts';
import type { UnfinishedBytes } from '../../backpressure/unfinished-bytes.ts';
import type { Confirms } from './confirms.ts';
import type { LeasedDeliveries } from './lease-publish.ts';
import type { Transaction } from './transaction.ts';

/** The deliveries of a channel, as far as publishes ack them. */
export interface AckedDeliveries {
  /** Throws for a tag that could not be acked now. */
  checkTags(tags: readonly number[]): void;
  /** Acks what is outstanding of these; returns whether the disk has to know of it. */
  ackAll(tags: readonly number[]): boolean;
  /** Nothing else settles these until `promiseOver`: an act under way does, or leaves them as they are. */
  promise(tags: ReadonlySet<number>): void;
  /** What was promised and not settled is outstanding again, or goes back if the channel has ended. */
  promiseOver(): Steps;
}

/** What a publisher needs of its channel. */
export interface PublisherChannel extends TracedChannel {
  readonly counts: MessageCounts;
  /** What the publisher may do; null: anything. */
  readonly grants: Grants | null;
  /** The confirms of the channel, or null unless it is in confirm mode. */
  readonly confirms: Confirms | null;
  /** What waits for tx.commit, or null unless the channel is in transaction mode. */
  readonly transaction: Transaction | null;
  /** How long its deliveries may stay unacked; null: it has none. */
  readonly leases: LeasedDeliveries | null;
  /** The queue of the consumer of replies, or null when the channel has none. */
  readonly replyQueue: { readonly name: string } | null;
  /** What was delivered on it; null: nothing ever is. */
  readonly deliveries: AckedDeliveries | null;
  /** Counts what is half there. */
  readonly holdings: UnfinishedBytes;
  /** Sends basic.return for a record that no queue takes. */
  returnUnroutable(chunk: Chunk, record: number): void;
  /** Does a long act in slices, and then `then`; what is published behind it waits. */
  act(steps: Steps, then: () => void, whole: boolean, key?: number): void;
  /** Lets others have their turn before it publishes more. */
  rest(): void;
  /** Asks that confirms be sent at the end of the turn. */
  confirmsChanged(): void;
}
