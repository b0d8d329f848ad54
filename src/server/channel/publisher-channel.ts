// Owns what a publisher asks of the channel it publishes for. Never does any of it: channels and tools do.

import type { Grants } from '../../broker/access/grants.ts';
import type { TracedChannel } from '../../broker/republish/firehose.ts';
import type { MessageCounts } from '../../broker/stats/counts.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { Chunk } from '../../message/chunk.ts';
import type { Holdings } from '../backpressure/holdings.ts';
import type { Confirms } from './confirms.ts';
import type { Transaction } from './transaction.ts';

/** What a publisher needs of its channel. */
export interface PublisherChannel extends TracedChannel {
  readonly counts: MessageCounts;
  /** What the publisher may do; null: anything. */
  readonly grants: Grants | null;
  /** The confirms of the channel, or null unless it is in confirm mode. */
  readonly confirms: Confirms | null;
  /** What waits for tx.commit, or null unless the channel is in transaction mode. */
  readonly transaction: Transaction | null;
  /** The queue of the consumer of replies, or null when the channel has none. */
  readonly replyQueue: { readonly name: string } | null;
  /** Counts what is half there. */
  readonly holdings: Holdings;
  /** Sends basic.return for a record that no queue takes. */
  returnUnroutable(chunk: Chunk, record: number): void;
  /** Does a long act in slices, and then `then`; what is published behind it waits. */
  act(steps: Steps, then: () => void, whole: boolean, key?: number): void;
  /** Lets others have their turn before it publishes more. */
  rest(): void;
  /** Asks that confirms be sent at the end of the turn. */
  confirmsChanged(): void;
}
