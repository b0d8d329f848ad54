// Owns what a queue knows of one consumer: whether it may be given a message now. Never writes to a
// socket: the channel behind it does.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageCounts } from '../stats/counts.ts';
import type { Steps } from '../turn/slices.ts';
import type { TimeoutAction } from './arguments/queue-arguments.ts';
import type { TakenEntry } from './messages/queue-entries.ts';
import type { HostedQueue } from './ports.ts';
import type { QueueRules } from './rules.ts';
import type { QueueType } from './types/queue-type.ts';
import type { DeliveryLink, SharedCredit } from './waiting-line.ts';

/** Where a channel is, with RabbitMQ's names for what its HTTP API shows. */
export interface ChannelDetails {
  readonly connection_name: string;
  readonly name: string;
  readonly node: string;
  readonly number: number;
  readonly peer_host: string;
  readonly peer_port: number;
  readonly user: string;
  /** What the client calls itself; left out where it does not say. */
  readonly user_provided_name?: string;
}

/** The channel of a consumer, as the queue sees it. */
export interface DeliveryChannel {
  readonly link: DeliveryLink;
  readonly credit: SharedCredit;
  /** Sends a message; unless the consumer is no-ack, the channel then tracks it as unacked. */
  deliver(
    consumer: Consumer,
    queue: ConsumerSource,
    seq: number,
    position: number,
    redelivered: boolean,
  ): void;
  /**
   * Sends a message of a stream, which says its offset, and of which partition it is where there are several (-1: there
   * is one); the channel then tracks it as unacked.
   */
  deliverEntry(
    consumer: Consumer,
    source: ConsumerSource,
    seq: number,
    position: number,
    offset: number,
    partition: number,
  ): void;
  /** Where it is, for tools that look at consumers. */
  details(): ChannelDetails;
  /** Whether its user may read from a queue of that name. */
  readonly grants: { reads(queue: string): boolean };
  /** The timeout of the consumer's queue has changed. */
  timeoutChanged(consumer: Consumer): void;
  /** The queue is gone: the consumer is no more. */
  consumerGone(consumer: Consumer): void;
}

/** What consumers subscribe to, as they and their channel see it. */
export interface ConsumerSource extends HostedQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly type: QueueType;
  /** What it was declared with. */
  readonly arguments: FieldTable;
  readonly rules: QueueRules;
  readonly counts: MessageCounts;
  /** Told of consumers that are late, and that are so no more: see ConsumerSet. */
  readonly subscribed: {
    fellBehind(consumer: Consumer): void;
    caughtUp(consumer: Consumer): void;
  };
  /** Does at once what would wait for the end of the turn: see Queue.catchUp. */
  catchUp(): void;
  /** Whether messages are ready, but the next may go out only once a batch is durable. */
  readonly waitsForMark: boolean;
  /** Whether an operator holds it: it gives nothing to consumers and to `get`. */
  readonly paused: boolean;
  /** Whether a message at the head has expired and is still there: none is given out before it is dropped. */
  readonly overdue: boolean;
  /** Drops all that has expired, in as many turns as that takes. */
  droppingExpired(): Steps;
  /** Its consumers, the highest priority first and then in order of registration. */
  readonly consumers: readonly Consumer[];
  /** The consumer that has it to itself, if any. */
  readonly exclusiveConsumer: Consumer | null;
  addConsumer(consumer: Consumer): void;
  /** Takes consumers off; returns whether none is left. */
  removeConsumers(leaving: readonly Consumer[]): boolean;
  /** Ends consumers, so many of the first at most, as it is deleted; they are told. */
  endConsumers(most?: number): void;
  /** Asks for a delivery round, if there is anything to give out. */
  wake(): void;
  /** Takes the next message out for a client that asks for one: see Queue.get. */
  get(noAck: boolean, look: (entry: TakenEntry) => void): TakenEntry | null;
  /** Ends the life of an unacked message. */
  settle(seq: number): void;
  /** The same for one that its consumer does not want: it is dead-lettered. */
  reject(seq: number): void;
  /** Puts an unacked message back; `failed`: its consumer rejected it, or is gone. */
  requeue(seq: number, failed?: boolean): void;
  /** Messages that are ready, and that wait for their time. */
  readonly readyCount: number;
  readonly delayedCount: number;
  /** How often an unacked message came back before. */
  returnsOf(seq: number): number;
  /** Ends the life of a message that its client got without having to ack it. */
  settleGet(seq: number): void;
}

/** One subscription of a channel to a queue. */
export class Consumer {
  readonly queue: ConsumerSource;
  readonly channel: DeliveryChannel;
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly arguments: FieldTable;
  /** At most so many unacked messages; 0: no limit. Fixed when it subscribes. */
  readonly prefetch: number;
  /** Those of a higher one are served first (`x-priority`). */
  readonly priority: number;
  /** How long a delivery to it may stay unacked, ms (`x-consumer-timeout`); null: as its queue says. */
  readonly timeoutMs: number | null;
  /** What becomes of one that does so for longer (`x-consumer-timeout-action`); null: as its queue says. */
  readonly timeoutAction: TimeoutAction | null;
  /** Deliveries not settled yet, and those that were taken back from it. */
  unacked = 0;
  /** Those that were taken back after their timeout, and are not settled late. */
  late = 0;
  /** How many of all it had when the last one was taken back; 0: it is not late. Its set's. */
  heldLate = 0;
  /** At most so many may be unacked now, 0: any number: its prefetch, or less while it is late. Its set's. */
  room: number;
  /** How many had joined the queue when it did, itself counted; its set numbers them. */
  joined = 0;
  /** When it was served last, as its set counts; only kept while priorities matter. */
  served = 0;
  /** The round of its connection's line that has a place for its queue, see waiting-line.ts. */
  refusedIn = -1;
  private readonly link: DeliveryLink;
  private readonly credit: SharedCredit;

  constructor(
    queue: ConsumerSource,
    channel: DeliveryChannel,
    tag: string,
    noAck: boolean,
    exclusive: boolean,
    prefetch: number,
    args: FieldTable,
  ) {
    this.queue = queue;
    this.channel = channel;
    this.link = channel.link;
    this.credit = channel.credit;
    this.tag = tag;
    this.noAck = noAck;
    this.exclusive = exclusive;
    this.prefetch = prefetch;
    this.room = prefetch;
    this.arguments = args;
    this.priority = Number(args.get('x-priority')?.value ?? 0);
    const timeout = args.get('x-consumer-timeout');
    this.timeoutMs = timeout === undefined ? null : Number(timeout.value);
    const action = args.get('x-consumer-timeout-action');
    this.timeoutAction = action === undefined ? null : (String(action.value) as TimeoutAction);
  }

  /** Whether it may be given a message: credit left, and the connection takes output. */
  get ready(): boolean {
    if (this.link.full) return false;
    if (this.room !== 0 && this.unacked >= this.room) return false;
    return this.credit.limit === 0 || this.credit.admits(this.queue);
  }

  /** The same, asked by a queue that has a message for it. */
  asks(): boolean {
    return this.ready || this.refused();
  }

  /** Where the connection or the channel's credit hold it back, its queue has a place in that line from now on. */
  private refused(): false {
    if (this.link.full) this.link.line.refuse(this);
    else if (this.room === 0 || this.unacked < this.room) this.credit.join(this.queue);
    return false;
  }
}
