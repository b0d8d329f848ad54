// Owns one queue: which messages are ready, unacked or settled, in which order, and who gets the
// next. Never parses a message, and writes to the store only when a batch is sealed.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageLog } from '../../message/log.ts';
import { assert } from '../../util/assert.ts';
import { NumberHeap } from '../../util/heap.ts';
import type { Consumer } from './consumer.ts';
import { DeliveredMark } from './delivered-mark.ts';
import { type EntriesOwner, QueueEntries } from './queue-entries.ts';
import type { QueueRows } from './queue-rows.ts';

/** How many messages one queue delivers before the others have their turn. */
const DELIVERIES_PER_TURN = 4096;
/** What a queue needs of the broker around it. */
export interface QueueHost {
  /** Stored messages pushed since the last seal, and those of them not settled yet. */
  unsealedPushed: number;
  unsealedLive: number;
  /** Asks that `deliver` be called at the end of this turn. */
  touch(queue: Queue): void;
  /** Asks that `sealInto` be called when the next batch is sealed. */
  listDirty(queue: Queue): void;
  /** Asks that the batch being gathered be sealed without delay. */
  awaitBatch(): void;
}

/** What a queue is declared with; redeclaration compares these. */
export interface QueueTraits {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that an exclusive queue belongs to, else null. */
  readonly owner: object | null;
  readonly arguments: FieldTable;
}

/** Where an entry was found: the answer of `take`. */
export interface TakenEntry {
  seq: number;
  position: number;
  redelivered: boolean;
}

/*
 *   seq      0 ........ first live ........ cursor ........ tail
 *            settled    unacked, requeued,  ready           (next to be given out)
 *                       settled in between
 *
 * A message's place is its seq. Those from the cursor on are ready, and so are the requeued ones
 * before it, which are few and go first, lowest seq first: so each returns to its place.
 */
export class Queue implements QueueTraits, EntriesOwner {
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly owner: object | null;
  readonly arguments: FieldTable;
  /** Where rejected messages go; null: nowhere. Read from the arguments once. */
  readonly deadLetterExchange: string | null;
  readonly deadLetterRoutingKey: string | null;
  readyCount = 0;
  unackedCount = 0;
  /** Body bytes of the ready messages. */
  readyBytes = 0;
  readonly consumers: Consumer[] = [];
  deleted = false;
  /** Whether the host has it on its list of queues to deliver from. */
  touched = false;
  /** Whether the host has it on its list of queues with something to seal. */
  dirty = false;
  private readonly host: QueueHost;
  private readonly rows: QueueRows;
  private readonly entries: QueueEntries;
  /** The seq of the next message that has not been given out yet. */
  private cursor = 0;
  private readonly requeued = new NumberHeap();
  private nextConsumer = 0;
  private readonly mark: DeliveredMark;
  private readonly taken: TakenEntry = { seq: 0, position: 0, redelivered: false };

  constructor(id: number, traits: QueueTraits, log: MessageLog, host: QueueHost, rows: QueueRows) {
    this.id = id;
    this.name = traits.name;
    this.durable = traits.durable;
    this.autoDelete = traits.autoDelete;
    this.owner = traits.owner;
    this.arguments = traits.arguments;
    this.deadLetterExchange = textArgument(traits.arguments, 'x-dead-letter-exchange');
    this.deadLetterRoutingKey = textArgument(traits.arguments, 'x-dead-letter-routing-key');
    this.host = host;
    this.rows = rows;
    this.mark = new DeliveredMark(traits.durable);
    this.entries = new QueueEntries(id, traits.durable, log, rows, this);
  }

  /** Adds a message at the tail. The caller has added the reference to its segment. */
  push(position: number, bodyBytes: number, stored: boolean): void {
    const toStore = stored && this.durable;
    this.entries.push(position, bodyBytes, toStore);
    this.readyCount += 1;
    this.readyBytes += bodyBytes;
    if (toStore) {
      this.host.unsealedPushed += 1;
      this.host.unsealedLive += 1;
    }
    if (!this.touched) this.host.touch(this);
  }

  /**
   * Gives ready messages to consumers that can take them, in turns. Returns whether it stopped only
   * to let other queues have their turn.
   */
  deliver(): boolean {
    for (let n = 0; n < DELIVERIES_PER_TURN; n++) {
      if (this.readyCount === 0) return false;
      const consumer = this.pickConsumer();
      if (consumer === null) return false;
      const entry = this.take();
      if (entry === null) return false;
      const { seq } = entry;
      if (consumer.noAck) {
        consumer.channel.deliver(consumer, this, seq, entry.position, entry.redelivered);
        this.settle(seq);
      } else {
        consumer.unacked += 1;
        consumer.channel.deliver(consumer, this, seq, entry.position, entry.redelivered);
      }
    }
    return this.readyCount > 0;
  }

  /**
   * Takes the next ready message out for one delivery: it is unacked until it is settled or
   * requeued. Null when there is none, or when its delivery has to wait for a batch that says on
   * disk that it may have been delivered; the queue is touched again when that batch is durable.
   * The object returned is reused by the next call.
   */
  take(): TakenEntry | null {
    const { entries, taken } = this;
    let seq: number;
    if (this.requeued.size > 0) {
      seq = this.requeued.pop();
      taken.redelivered = true;
    } else {
      if (this.readyCount === 0) return null;
      seq = entries.firstFrom(this.cursor);
      if (!this.mark.mayDeliver(seq) && entries.isStored(seq)) {
        this.cursor = seq;
        this.mark.wanted = true;
        this.entriesDirty();
        this.host.awaitBatch();
        return null;
      }
      this.cursor = seq + 1;
      taken.redelivered = seq < this.mark.redeliveredBelow;
    }
    taken.seq = seq;
    taken.position = entries.positionOf(seq);
    this.readyCount -= 1;
    this.readyBytes -= entries.bodyBytesOf(seq);
    this.unackedCount += 1;
    return taken;
  }

  /** Whether messages are ready, but the next may go out only once a batch is durable. */
  get waitsForMark(): boolean {
    return this.mark.wanted && this.readyCount > 0;
  }

  /** Ends the life of an unacked message in this queue: acked, or dead-lettered elsewhere. */
  settle(seq: number): void {
    this.unackedCount -= 1;
    this.remove(seq);
  }

  /** Puts an unacked message back to its place; it will go out again as redelivered. */
  requeue(seq: number): void {
    const bodyBytes = this.entries.bodyBytesOf(seq);
    this.unackedCount -= 1;
    this.readyCount += 1;
    this.readyBytes += bodyBytes;
    this.requeued.push(seq);
    if (!this.touched) this.host.touch(this);
  }

  /** The log position of an unacked message. */
  positionOf(seq: number): number {
    return this.entries.positionOf(seq);
  }

  /** Removes all ready messages; returns how many. */
  purge(): number {
    const count = this.readyCount;
    while (this.requeued.size > 0) this.remove(this.requeued.pop());
    const { tail } = this.entries;
    let seq = this.entries.firstFrom(this.cursor);
    while (seq < tail) {
      this.remove(seq);
      seq = this.entries.firstFrom(seq + 1);
    }
    this.cursor = tail;
    this.readyCount = 0;
    this.readyBytes = 0;
    return count;
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    this.deleted = true;
    this.entries.discard();
    this.requeued.clear();
    this.readyCount = 0;
    this.readyBytes = 0;
    this.unackedCount = 0;
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.push(consumer);
    if (this.readyCount > 0 && !this.touched) this.host.touch(this);
  }

  /** Takes a consumer off; returns whether it was the last one. */
  removeConsumer(consumer: Consumer): boolean {
    const index = this.consumers.indexOf(consumer);
    assert(index >= 0, 'a consumer leaves the queue that it consumes from');
    this.consumers.splice(index, 1);
    if (this.nextConsumer > index) this.nextConsumer -= 1;
    return this.consumers.length === 0;
  }

  /** The consumer that has the queue to itself, if any. */
  get exclusiveConsumer(): Consumer | null {
    const only = this.consumers[0];
    return only?.exclusive ? only : null;
  }

  /** Asks for a delivery round, if there is anything to give out. */
  wake(): void {
    if (this.readyCount > 0 && !this.touched) this.host.touch(this);
  }

  /** Writes into the current batch what changed since the last one. */
  sealInto(batch: number): void {
    this.entries.seal();
    const delivered = this.unackedCount > 0 || this.requeued.size > 0;
    if (this.mark.seal(batch, this.cursor, this.entries.tail, delivered)) {
      this.rows.putMark(this.id, this.mark.sealed);
    }
  }

  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void {
    if (this.mark.durableUpTo(batch)) this.wake();
  }

  /** At a clean stop: notes just which messages have been delivered, no more. */
  sealExactMark(): void {
    if (this.mark.sealExact(this.cursor)) this.rows.putMark(this.id, this.mark.sealed);
  }

  /** Reads the queue's messages and its mark back from the store. */
  recover(): void {
    this.mark.recover(this.rows.readMark(this.id));
    this.cursor = -1;
    // New messages lie above the mark, or they would come as redelivered at their first delivery.
    this.entries.recover(this.mark.sealed, (seq, bodyBytes) => {
      if (this.cursor < 0) this.cursor = seq;
      this.readyCount += 1;
      this.readyBytes += bodyBytes;
    });
    if (this.cursor < 0) this.cursor = this.entries.tail;
    this.mark.sealedTail = this.entries.tail;
  }

  /** Told by the entries: pages changed that belong on disk. */
  entriesDirty(): void {
    if (!this.dirty) this.host.listDirty(this);
  }

  private pickConsumer(): Consumer | null {
    const consumers = this.consumers;
    const count = consumers.length;
    let index = this.nextConsumer;
    for (let tried = 0; tried < count; tried++) {
      if (index >= count) index = 0;
      const consumer = consumers[index] as Consumer;
      if (consumer.ready) {
        this.nextConsumer = index + 1;
        return consumer;
      }
      index += 1;
    }
    return null;
  }

  private remove(seq: number): void {
    const stored = this.entries.remove(seq);
    if (stored && seq >= this.mark.sealedTail) this.host.unsealedLive -= 1;
  }
}

function textArgument(args: FieldTable, name: string): string | null {
  const field = args.get(name);
  return field?.type === 'S' ? field.value.toString() : null;
}
