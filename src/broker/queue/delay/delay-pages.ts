// Owns the pages that waiting messages of one queue lie in: which there are, what the next batch has to have of them, and
// the mark that says which of their messages have gone. Never knows their order: delayed-messages.ts does.

import { CorruptRecordError } from '../../../store/errors.ts';
import type { Bucket } from './delay-buckets.ts';
import { type DelayEntry, emptyEntry } from './delay-entry.ts';
import { DelayPage, entriesOf, readEntry } from './delay-page.ts';
import type { DelayMark, DelayRow, DelayRows } from './delay-rows.ts';

/** The pages of one queue. */
export class DelayPages {
  readonly mark: DelayMark = { dueMs: 0, id: 0 };
  /** The page of all transient messages in memory, which is never written. */
  readonly transient = new DelayPage(0, 0, 0, false);
  private readonly queueId: number;
  private readonly rows: DelayRows;
  private readonly becameDirty: () => void;
  /** All stored pages that messages wait in. */
  private readonly stored = new Set<DelayPage>();
  /** The page that the next stored message goes to which is due soon. */
  private open: DelayPage | null = null;
  private nextNumber: number;
  private markMoved = false;
  private markOnDisk = false;
  private dirtyPages: DelayPage[] = [];
  /** Buckets with a page that is not sealed yet. */
  private readonly unsealed = new Set<Bucket>();
  /** Pages of sealed batches whose bytes can go once these are durable. */
  private settling: DelayPage[] = [];

  constructor(queueId: number, rows: DelayRows, becameDirty: () => void) {
    this.queueId = queueId;
    this.rows = rows;
    this.becameDirty = becameDirty;
    this.nextNumber = rows.firstNumber(queueId);
  }

  /** The number behind all pages there ever were. */
  get end(): number {
    return this.nextNumber;
  }

  /** The page for a stored message that is due soon. */
  forNext(): DelayPage {
    if (this.open === null || this.open.full) this.open = this.make(0, 0, true);
    this.dirty(this.open);
    return this.open;
  }

  /** The next message that is due soon goes to a page of its own. */
  close(): void {
    this.open = null;
  }

  /** The page of a bucket for another message. */
  inBucket(bucket: Bucket, stored: boolean): DelayPage {
    const page = stored ? bucket.tail : bucket.transientTail;
    return page === null || page.full ? this.begin(bucket, stored) : page;
  }

  /** Begins a page of a bucket. A stored one is in use till the next seal: see there. */
  private begin(bucket: Bucket, stored: boolean): DelayPage {
    const page = this.make(bucket.level, bucket.spanMs, stored);
    bucket.pages.push(page);
    if (stored) {
      bucket.tail = page;
      this.unsealed.add(bucket);
      this.dirty(page);
    } else bucket.transientTail = page;
    return page;
  }

  private make(level: number, spanMs: number, stored: boolean): DelayPage {
    const page = new DelayPage(this.nextNumber++, level, spanMs, stored);
    if (stored) this.stored.add(page);
    return page;
  }

  /** A message of a page has gone for good, the first of all that wait. */
  released(page: DelayPage, { dueMs, id }: DelayEntry): void {
    this.mark.dueMs = dueMs;
    this.mark.id = id;
    if (page.stored) {
      this.markMoved = true;
      this.becameDirty();
    }
    this.left(page);
  }

  /** A message of a page has left it. The page goes with the last. */
  left(page: DelayPage): void {
    if (page === this.transient) return;
    page.left -= 1;
    if (page.left === 0) this.drop(page);
  }

  /** A page goes: nothing waits in it any more. */
  drop(page: DelayPage): void {
    page.left = 0;
    if (page === this.open) this.open = null;
    if (this.stored.delete(page)) this.dirty(page);
  }

  /** Takes one message out of a page, whichever it is. The page is made anew with the batch, for all that left it. */
  takeOut(page: DelayPage, entry: DelayEntry): void {
    if (page === this.transient) return;
    page.takeOut(entry);
    if (page.left === 0) this.drop(page);
    else if (page.stored) this.dirty(page);
  }

  /** Makes a page without those that were taken out; false: its row cannot be read. */
  private renew(page: DelayPage): boolean {
    if (page.out === null) return true;
    const others: DelayEntry[] = [];
    if (!this.eachReadable(page, (entry) => others.push({ ...entry }))) return false;
    page.replace(others);
    return true;
  }

  /** Calls `visit` with each message that waits in a page; the entry is reused. */
  eachOf(page: DelayPage, visit: (entry: DelayEntry) => void): void {
    const bytes = page.bytes ?? this.rows.readPage(this.queueId, page.number);
    const entry = emptyEntry();
    for (let n = 0, count = entriesOf(bytes); n < count; n++) {
      readEntry(bytes, n, entry);
      if (!this.hasGone(entry) && page.out?.has(entry.id) !== true) visit(entry);
    }
  }

  /** The same for a look that goes on without a page that cannot be read: false. `failed` is told why. */
  eachReadable(
    page: DelayPage,
    visit: (entry: DelayEntry) => void,
    failed: (error: CorruptRecordError) => void = () => {},
  ): boolean {
    try {
      this.eachOf(page, visit);
      return true;
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      failed(error);
      return false;
    }
  }

  /** Lets go of a page whose row cannot be read, and stays. */
  abandon(page: DelayPage): void {
    page.left = 0;
    this.stored.delete(page);
    // The mark may have been for it alone.
    this.becameDirty();
  }

  /** Whether the mark says that a message has gone. */
  hasGone({ dueMs, id }: DelayEntry): boolean {
    const { mark } = this;
    return dueMs < mark.dueMs || (dueMs === mark.dueMs && id <= mark.id);
  }

  private dirty(page: DelayPage): void {
    if (page.dirty) return;
    page.dirty = true;
    this.dirtyPages.push(page);
    this.becameDirty();
  }

  /** Puts what changed into the batch being gathered. */
  sealInto(batch: number): void {
    for (const page of this.dirtyPages) this.seal(page, batch);
    this.dirtyPages = [];
    // A page that a batch has is not added to, but for the one in use: its bytes can leave memory.
    for (const bucket of this.unsealed) bucket.tail = null;
    this.unsealed.clear();
    if (this.stored.size > 0) {
      if (!this.markMoved) return;
      this.rows.putMark(this.queueId, this.mark);
      this.markOnDisk = true;
    } else this.removeMark();
    this.markMoved = false;
  }

  private seal(page: DelayPage, batch: number): void {
    page.dirty = false;
    // A row that cannot be read stays as it is, and the next start sets it aside.
    if (page.left > 0 && !this.renew(page)) return;
    page.batch = batch;
    if (page.left > 0) {
      this.rows.putPage(this.queueId, page, page === this.open && !page.full);
      page.onDisk = true;
      if (page !== this.open || page.full) this.settling.push(page);
    } else if (page.onDisk) {
      this.rows.removePage(this.queueId, page.number);
      page.onDisk = false;
    }
  }

  private removeMark(): void {
    if (this.markOnDisk) this.rows.removeMark(this.queueId);
    this.markOnDisk = false;
  }

  /** Told that all batches up to `batch` are durable: what they hold can be read from now on. */
  durableUpTo(batch: number): void {
    if (this.settling.length === 0) return;
    this.settling = this.settling.filter((page) => {
      if (page.batch > batch) return true;
      if (!page.dirty && (page !== this.open || page.full)) page.unload();
      return false;
    });
  }

  /** Reads the pages back from the store; `visit` is called with each, and the content of its row. */
  recover(visit: (page: DelayPage, row: Buffer) => void): void {
    this.rows.read(this.queueId, (found: DelayRow) => {
      if (found.kind === 'mark') {
        Object.assign(this.mark, found.mark);
        this.markOnDisk = true;
      }
      if (found.kind !== 'page') return;
      const { page, row } = found;
      this.nextNumber = Math.max(this.nextNumber, page.number + 1);
      this.stored.add(page);
      visit(page, row);
    });
  }

  /** Forgets all pages; those in `kept` have rows that others remove. */
  forget(kept: ReadonlySet<DelayPage>): void {
    for (const page of new Set([...this.stored, ...this.dirtyPages])) {
      page.dirty = false;
      if (page.onDisk && !kept.has(page)) this.rows.removePage(this.queueId, page.number);
    }
    this.removeMark();
    this.stored.clear();
    this.unsealed.clear();
    this.dirtyPages = [];
    this.settling = [];
    this.open = null;
    this.markMoved = false;
  }
}
