// Owns one queue: which messages are ready, unacked or settled, in which order, and who gets the
// next. Never parses a message, and writes to the store only when a batch is sealed.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageLog } from '../../message/log.ts';
import { assert } from '../../util/assert.ts';
import { NumberHeap } from '../../util/heap.ts';
import type { Consumer } from './consumer.ts';
import { DeliveredMark } from './delivered-mark.ts';
import { ENTRY_SETTLED, ENTRY_STORED, PAGE_ENTRIES, Page } from './page.ts';
import { PageList } from './page-list.ts';
import type { QueueRows } from './queue-rows.ts';

/** How many messages one queue delivers before the others have their turn. */
const DELIVERIES_PER_TURN = 4096;
/** Pages kept for reuse, for all queues together. */
const PAGE_POOL_MAX = 256;

const pagePool: Page[] = [];

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
export class Queue implements QueueTraits {
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
  private readonly log: MessageLog;
  private readonly host: QueueHost;
  private readonly rows: QueueRows;
  private readonly pages = new PageList();
  private tailPage: Page | null = null;
  private cursorPage: Page | null = null;
  private settlePage: Page | null = null;
  /** The seq of the next message that has not been given out yet. */
  private cursor = 0;
  /** The seq that the next message pushed will get. */
  private tail = 0;
  private readonly requeued = new NumberHeap();
  private nextConsumer = 0;
  private dirtyPages: Page[] = [];
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
    this.log = log;
    this.host = host;
    this.rows = rows;
    this.mark = new DeliveredMark(traits.durable);
  }

  /** Adds a message at the tail. The caller has added the reference to its segment. */
  push(position: number, bodyBytes: number, stored: boolean): void {
    let page = this.tailPage;
    if (page === null || page.count === PAGE_ENTRIES) page = this.addPage();
    const slot = page.count;
    page.positions[slot] = position;
    page.bodyBytes[slot] = bodyBytes;
    page.count = slot + 1;
    this.tail += 1;
    this.readyCount += 1;
    this.readyBytes += bodyBytes;
    if (stored && this.durable) {
      page.states[slot] = ENTRY_STORED;
      page.storedLive += 1;
      this.host.unsealedPushed += 1;
      this.host.unsealedLive += 1;
      if (!page.dirty) this.dirtyPage(page);
    } else {
      page.states[slot] = 0;
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
    const taken = this.taken;
    let page: Page;
    let seq: number;
    if (this.requeued.size > 0) {
      seq = this.requeued.pop();
      page = this.pageOf(seq);
      taken.redelivered = true;
    } else {
      if (this.readyCount === 0) return null;
      page = this.advanceCursor();
      seq = this.cursor;
      if (!this.mark.mayDeliver(seq) && page.states[seq % PAGE_ENTRIES] === ENTRY_STORED) {
        this.mark.wanted = true;
        this.listDirty();
        this.host.awaitBatch();
        return null;
      }
      this.cursor = seq + 1;
      taken.redelivered = seq < this.mark.redeliveredBelow;
    }
    const slot = seq % PAGE_ENTRIES;
    taken.seq = seq;
    taken.position = page.positions[slot] as number;
    this.readyCount -= 1;
    this.readyBytes -= page.bodyBytes[slot] as number;
    this.unackedCount += 1;
    return taken;
  }

  /** Whether `take` would have to wait for the disk although messages are ready. */
  get waitsForMark(): boolean {
    return this.mark.wanted;
  }

  /** Ends the life of an unacked message in this queue: acked, or dead-lettered elsewhere. */
  settle(seq: number): void {
    this.unackedCount -= 1;
    this.remove(seq);
  }

  /** Puts an unacked message back to its place; it will go out again as redelivered. */
  requeue(seq: number): void {
    const bodyBytes = this.pageOf(seq).bodyBytes[seq % PAGE_ENTRIES] as number;
    this.unackedCount -= 1;
    this.readyCount += 1;
    this.readyBytes += bodyBytes;
    this.requeued.push(seq);
    if (!this.touched) this.host.touch(this);
  }

  /** The log position of an unacked message. */
  positionOf(seq: number): number {
    return this.pageOf(seq).positions[seq % PAGE_ENTRIES] as number;
  }

  /** Removes all ready messages; returns how many. */
  purge(): number {
    const count = this.readyCount;
    while (this.requeued.size > 0) this.remove(this.requeued.pop());
    for (let seq = this.cursor; seq < this.tail; seq++) {
      const page = this.loadedPage(Math.floor(seq / PAGE_ENTRIES));
      if (page === null) seq = (Math.floor(seq / PAGE_ENTRIES) + 1) * PAGE_ENTRIES - 1;
      else if (((page.states[seq % PAGE_ENTRIES] as number) & ENTRY_SETTLED) === 0)
        this.remove(seq);
    }
    this.cursor = this.tail;
    this.cursorPage = null;
    this.readyCount = 0;
    this.readyBytes = 0;
    return count;
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    this.deleted = true;
    for (let number = this.pages.first; number < this.pages.end; number++) {
      const page = this.loadedPage(number);
      if (page === null) continue;
      for (let slot = 0; slot < page.count; slot++) {
        if (((page.states[slot] as number) & ENTRY_SETTLED) !== 0) continue;
        this.log.unref(this.log.segmentOf(page.positions[slot] as number));
      }
    }
    this.pages.clear();
    this.requeued.clear();
    this.dirtyPages = [];
    this.readyCount = 0;
    this.readyBytes = 0;
    this.unackedCount = 0;
    if (this.durable) this.rows.removeAll(this.id);
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
    for (const page of this.dirtyPages) {
      page.dirty = false;
      if (page.storedLive > 0) {
        this.rows.putPage(this.id, page);
        page.onDisk = true;
      } else if (page.onDisk) {
        this.rows.removePage(this.id, page.number);
        page.onDisk = false;
      }
      if (page.gone) recycle(page);
    }
    this.dirtyPages.length = 0;
    const delivered = this.unackedCount > 0 || this.requeued.size > 0;
    if (this.mark.seal(batch, this.cursor, this.tail, delivered)) {
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

  /**
   * Reads the queue's pages and its mark from the store, and counts their references. Pages stay
   * in the store until they are needed. `isKnown` tells whether a position lies in the log.
   */
  recover(): void {
    this.mark.recover(this.rows.readMark(this.id));
    let first = true;
    this.rows.forEachPage(this.id, (page) => {
      for (let slot = 0; slot < page.count; slot++) {
        if (page.states[slot] !== ENTRY_STORED) continue;
        const seq = page.number * PAGE_ENTRIES + slot;
        if (first) this.cursor = seq;
        first = false;
        this.log.segmentOf(page.positions[slot] as number).refs += 1;
        this.readyCount += 1;
        this.readyBytes += page.bodyBytes[slot] as number;
      }
      this.pages.add(page.number, null);
      this.tail = page.number * PAGE_ENTRIES + page.count;
    });
    // New messages lie above the mark, or they would come as redelivered at their first delivery.
    this.tail = Math.max(this.tail, this.mark.sealed);
    if (first) this.cursor = this.tail;
    this.mark.sealedTail = this.tail;
    const last = this.pages.end - 1;
    if (this.tail % PAGE_ENTRIES !== 0 && last === Math.floor(this.tail / PAGE_ENTRIES)) {
      this.tailPage = this.loadedPage(last);
    }
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

  /** Moves the cursor to the next message that is there; returns its page. */
  private advanceCursor(): Page {
    for (;;) {
      const number = Math.floor(this.cursor / PAGE_ENTRIES);
      let page = this.cursorPage;
      if (page === null || page.number !== number) {
        page = this.loadedPage(number);
        this.cursorPage = page;
      }
      if (page !== null) {
        let slot = this.cursor % PAGE_ENTRIES;
        while (slot < page.count && ((page.states[slot] as number) & ENTRY_SETTLED) !== 0)
          slot += 1;
        if (slot < page.count) {
          this.cursor = number * PAGE_ENTRIES + slot;
          return page;
        }
      }
      this.cursor = (number + 1) * PAGE_ENTRIES;
      assert(this.cursor <= this.tail, 'a ready message lies before the tail');
    }
  }

  private pageOf(seq: number): Page {
    const number = Math.floor(seq / PAGE_ENTRIES);
    const recent = this.settlePage;
    if (recent !== null && recent.number === number) return recent;
    const page = this.loadedPage(number);
    assert(page !== null, 'a message that is there lies in a page');
    this.settlePage = page;
    return page;
  }

  private loadedPage(number: number): Page | null {
    const page = this.pages.at(number);
    if (page === undefined) return null;
    if (page !== null) return page;
    const read = newPage(number);
    this.rows.readPage(this.id, read);
    this.fillUp(read, Math.min(PAGE_ENTRIES, this.tail - number * PAGE_ENTRIES));
    this.pages.set(number, read);
    return read;
  }

  private addPage(): Page {
    const number = Math.floor(this.tail / PAGE_ENTRIES);
    const page = newPage(number);
    this.fillUp(page, this.tail % PAGE_ENTRIES);
    this.pages.add(number, page);
    this.tailPage = page;
    return page;
  }

  /** Marks the slots below `count` as settled that no message had, or none that a restart kept. */
  private fillUp(page: Page, count: number): void {
    for (let slot = page.count; slot < count; slot++) {
      page.states[slot] = ENTRY_SETTLED;
      page.settled += 1;
    }
    page.count = Math.max(page.count, count);
  }

  private remove(seq: number): void {
    const page = this.pageOf(seq);
    const slot = seq % PAGE_ENTRIES;
    const state = page.states[slot] as number;
    assert((state & ENTRY_SETTLED) === 0, 'a message is settled once');
    page.states[slot] = state | ENTRY_SETTLED;
    page.settled += 1;
    this.log.unref(this.log.segmentOf(page.positions[slot] as number));
    if ((state & ENTRY_STORED) !== 0) {
      page.storedLive -= 1;
      if (seq >= this.mark.sealedTail) this.host.unsealedLive -= 1;
      if (!page.dirty) this.dirtyPage(page);
    }
    if (page.settled === PAGE_ENTRIES) this.dropPage(page);
  }

  private dropPage(page: Page): void {
    this.pages.drop(page.number);
    if (this.tailPage === page) this.tailPage = null;
    if (this.cursorPage === page) this.cursorPage = null;
    if (this.settlePage === page) this.settlePage = null;
    if (page.dirty) page.gone = true;
    else recycle(page);
  }

  private dirtyPage(page: Page): void {
    page.dirty = true;
    this.dirtyPages.push(page);
    this.listDirty();
  }

  private listDirty(): void {
    if (!this.dirty) this.host.listDirty(this);
  }
}

function newPage(number: number): Page {
  const page = pagePool.pop();
  if (page === undefined) return new Page(number);
  page.reset(number);
  return page;
}

function recycle(page: Page): void {
  if (pagePool.length < PAGE_POOL_MAX) pagePool.push(page);
}

function textArgument(args: FieldTable, name: string): string | null {
  const field = args.get(name);
  return field?.type === 'S' ? field.value.toString() : null;
}
