// Owns the words between a queue and what is around it: what it is declared with and told of a
// message, and what it asks of its broker and its vhost. Never does anything.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { Visitable } from '../../util/visit-mark.ts';
import type { BrokerCounts, DeathReason, MessageCounts, QueueDeaths } from '../stats/counts.ts';
import type { BrokerTime } from '../turn/broker-time.ts';
import type { Steps } from '../turn/slices.ts';
import type { DelayRows } from './delay/delay-rows.ts';
import type { KeyRows } from './duplicates/key-rows.ts';
import type { QuotaQueue } from './flow-quota.ts';
import type { HeldEntry, MessagesHost } from './messages/messages-host.ts';
import type { QueueRows } from './messages/queue-rows.ts';
import type { QueueRules } from './rules.ts';
import type { StreamRows } from './stream/entries/stream-rows.ts';
import type { HotIds } from './stream/publishers/hot-ids.ts';

export type { DeathReason };

/** A queue as routes and bindings see it. At most two classes implement it: `push` is called for each message. */
export interface MessageSink extends Visitable {
  readonly name: string;
  readonly durable: boolean;
  /** The connection that an exclusive queue belongs to, else null. */
  readonly owner: object | null;
  readonly deleted: boolean;
  /** Whether it keeps what comes in on disk, also what its publisher does not want to last. */
  readonly keepsAll: boolean;
  /**
   * Adds a message that the log holds for it; `flags` is made of the PUSH_ bits and a priority. False when it is
   * full and refuses the message: then the log no longer holds it for this queue.
   */
  push(position: number, bodyBytes: number, flags: number): boolean;
}

/** What is called at a time that it asks for. */
export interface Watched {
  readonly deleted: boolean;
  /** The earliest time at which the host will call `deadlinePassed`; Infinity: none. */
  watchedMs: number;
  deadlinePassed(): void;
}

/** What has something to put into batches: queues, and the keys of exchanges. */
export interface Dirty {
  readonly deleted: boolean;
  /** Whether the host has it on its list of those with something to seal. */
  dirty: boolean;
  /** Writes into the batch being gathered what changed since the last one. */
  sealInto(batch: number): void;
  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void;
}

/** A queue as the turn and the batches see it. */
export interface HostedQueue extends QuotaQueue, Watched, Dirty {
  readonly deleted: boolean;
  /** Whether the host has it on its list of queues to deliver from. */
  touched: boolean;
  /** Gives out what it can, so many messages at most; returns whether it stopped only for others' turn. */
  deliver(most?: number): boolean;
}

/** A queue as dead-lettering and setting aside see it. */
export interface DyingQueue {
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly rules: QueueRules;
  readonly type: { readonly name: string };
  readonly counts: MessageCounts;
  /** How its messages died. */
  readonly deaths: QueueDeaths;
}

/** What hands on the messages that a queue refused. */
export interface Refusing {
  /** Whether its queue is gone, and all that it refused with it. */
  readonly deleted: boolean;
  handOnRefused(position: number, bodyBytes: number, flags: number): Steps | null;
}

/** Where refused messages wait for their turn to be dead letters. */
export interface RefusalLine {
  /** Whether dead letters have had their share of this turn. */
  readonly spent: boolean;
  add(refusing: Refusing, position: number, bodyBytes: number, flags: number): void;
}

/** What a queue needs of the broker around it. */
export interface QueueHost extends MessagesHost {
  /** The time of day as the turn began, ms since the Unix epoch. */
  readonly nowMs: number;
  readonly time: BrokerTime;
  /** How long the message that is being pushed asks to wait, ms, above 0: where its flags have PUSH_DELAY_KNOWN. */
  readonly askedDelayMs: number;
  readonly counts: BrokerCounts;
  readonly delayRows: DelayRows;
  readonly keyRows: KeyRows;
  readonly queueRows: QueueRows;
  readonly streamRows: StreamRows;
  /** The last ids of publishers to streams that were looked for lately. */
  readonly hotIds: HotIds;
  readonly overflowDeadLetters: RefusalLine;
  /** Takes note of rows that cannot be read, and that stay as they are. */
  readonly setAsideRows: { add(table: number, key: Buffer, error: unknown): void };
  /** The messages that were set aside, of all queues. */
  readonly setAside: { list(): Iterable<{ readonly queueId: number; readonly seq: number }> };
  /** Whether the broker stops: what can wait for the next start does. */
  readonly stopping: boolean;
  /** Whether some queue is delivering: others, and those that it hands dead letters to, wait. */
  delivering: boolean;
  /** Asks that `deliver` be called at the end of this turn. */
  touch(queue: HostedQueue): void;
  /** Asks that `deadlinePassed` be called once the time is `dueMs`. */
  watch(who: Watched, dueMs: number): void;
  /** Asks that `sealInto` be called when the next batch is sealed. */
  listDirty(dirty: Dirty): void;
  /** The record at a position goes from one holder, or place of a holder, to another. */
  recordMoved(position: number): void;
}

/** What a queue needs of its vhost. */
export interface QueueHome {
  /**
   * Hands a message on to where the queue's dead letters go; it is still in the queue. Returns the steps of that,
   * not begun, where they are too many for one turn: the batch of the last one must have all of them. `returns`: how
   * often it came back, where it died of that. `held`: it must not be seen before the batch being gathered is durable.
   */
  deadLetter(
    queue: DyingQueue,
    position: number,
    reason: DeathReason,
    returns: number,
    held: boolean,
  ): Steps | null;
  /** Takes over a message that cannot be looked at; the queue lets go of it in the same turn. */
  setAside(queue: DyingQueue, entry: HeldEntry, doing: string, error: unknown): void;
  /** The queue of that name was unused for as long as it may be. */
  queueExpired(name: string): void;
}

/** What a queue is declared with; redeclaration compares these. */
export interface QueueDeclaration {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that an exclusive queue belongs to, else null. */
  readonly owner: object | null;
  readonly arguments: FieldTable;
}
