// Owns the keys of messages that one queue or exchange has seen and remembers: which there are, how many at most, and
// what of them goes into the next batch. Never reads a message, and never knows how long a key lasts: its owner does.

import { randomBytes } from 'node:crypto';
import { KEY_WORDS, type KeyLasting, KeyPage, SEED_BYTES, type StoredKeyPage } from './key-page.ts';
import type { GoneKeys, KeyRows } from './key-rows.ts';
import { KeySweep } from './key-sweep.ts';
import { KeyTable, NO_KEY } from './key-table.ts';
import { MessageKey } from './message-key.ts';

/** With every so many keys that are added, twice as many are looked at, whether they last still. */
const ADDS_PER_LOOK = 32;
const LOOKS = 2 * ADDS_PER_LOOK;
/** So many of the oldest leave with each that is added, where there are too many. */
const LEAVING_PER_ADD = 64;
/** Pages of places begin at a multiple of it: half of what one can tell apart. */
const PLACES_ALIGNED = 2 ** 30;

/** What the keys belong to. */
export interface KeysOwner {
  /** Which rows are its: no other queue or exchange ever has the same. */
  readonly keysId: number;
  /** Whether a key lasts until a time, or as long as a message is there. */
  readonly keysLast: KeyLasting;
  /** How many keys there may be. */
  readonly keysMax: number;
  /** The broker's time, ms: no key is added that lasts until a time before it. */
  readonly nowMs: number;
  /** Whether a key lasts still. Not `exact`: it may say so of one that does not, if it would take long to know. */
  lasts(lane: number, value: number, exact: boolean): boolean;
  /** Something changed that belongs into the next batch. */
  keysDirty(): void;
  /** Rows are left behind, to be removed little by little. */
  keysLeftBehind(sweep: KeySweep): void;
}

/** The keys of one owner. */
export class SeenKeys {
  /** The key of the message at hand: fill it in, then ask. */
  key: MessageKey;
  private seed: Buffer;
  private readonly owner: KeysOwner;
  private readonly rows: KeyRows;
  private readonly table = new KeyTable();
  private first: KeyPage | null = null;
  private last: KeyPage | null = null;
  /** The page that a key was added to last, and those that the next ones of each lane go to. */
  private recent: KeyPage | null = null;
  private readonly tails = new Map<number, KeyPage>();
  private dirty: KeyPage[] = [];
  private nextNumber = 1;
  /** Where the look for keys that last no more goes on. */
  private looked: KeyPage | null = null;
  private lookedAt = 0;
  private addsToLook = ADDS_PER_LOOK;

  constructor(owner: KeysOwner, rows: KeyRows) {
    this.owner = owner;
    this.rows = rows;
    this.seed = randomBytes(SEED_BYTES);
    this.key = new MessageKey(this.seed);
  }

  /** How many keys there are, those included of which it was not found out yet that they last no more. */
  get count(): number {
    return this.table.size;
  }

  /** Whether the key at hand is among them. */
  has(): boolean {
    return this.find() !== NO_KEY;
  }

  /** What the key at hand lasts for, as it was added: its lane and value; null: it is not there. */
  holder(): { readonly lane: number; readonly value: number } | null {
    const ref = this.find();
    if (ref === NO_KEY) return null;
    const page = this.table.pageOf(ref);
    return { lane: page.lane, value: page.valueAt(ref & 255) };
  }

  /**
   * Adds the key at hand, which is not there. `stored`: it is that of a message that the batch being gathered has, and
   * goes with it.
   */
  add(lane: number, value: number, stored: boolean): void {
    const { table, owner, key } = this;
    // The message of the key at hand is not there yet, so that this must not look at it.
    this.addsToLook -= 1;
    if (this.addsToLook === 0) this.lookOn();
    for (let n = 0; table.size >= owner.keysMax && n < LEAVING_PER_ADD; n++) this.dropOldest();
    const page = this.pageFor(lane, value);
    if (page === null) return;
    const index = page.count;
    const at = index * KEY_WORDS;
    page.makeRoom();
    const { words } = page;
    words[at] = key.a;
    words[at + 1] = key.b;
    words[at + 2] = key.c;
    words[at + 3] = page.wordOf(value);
    page.setStored(index, stored);
    page.count = index + 1;
    if (!table.link(page, index)) page.setGone(index);
    else if (stored && !page.dirty) this.changed(page);
  }

  /** Forgets the key at hand, if it is there. `noted`: the store has to know, not finding out by itself. */
  forget(noted: boolean): void {
    const ref = this.find();
    if (ref !== NO_KEY) this.remove(ref, noted);
  }

  /** Forgets all keys; their rows are removed little by little. */
  clear(): void {
    const numbers: number[] = [];
    for (let page = this.first; page !== null; page = page.behind) {
      if (page.onDisk) numbers.push(page.number);
    }
    // What was to be removed with the next batch is so by the sweep.
    for (const page of this.dirty) {
      page.dirty = false;
      if (page.slot < 0 && page.onDisk) numbers.push(page.number);
    }
    this.dirty = [];
    this.table.clear();
    this.first = null;
    this.last = null;
    this.recent = null;
    this.looked = null;
    this.tails.clear();
    if (numbers.length === 0) return;
    const gone: GoneKeys = { ownerId: this.owner.keysId, end: this.nextNumber };
    this.owner.keysLeftBehind(new KeySweep(gone, numbers, this.rows));
  }

  /** Puts what changed into the batch being gathered. */
  sealInto(): void {
    const { dirty, owner, rows } = this;
    if (dirty.length === 0) return;
    this.dirty = [];
    for (const page of dirty) {
      page.dirty = false;
      if (page.slot >= 0) {
        page.onDisk = true;
        rows.putPage(owner.keysId, page, this.seed);
      } else if (page.onDisk) {
        page.onDisk = false;
        rows.removePage(owner.keysId, page.number);
      }
    }
  }

  /** Reads the keys back from the store; the owner knows by now what they last for. */
  recover(): void {
    const { owner, rows } = this;
    const pages: StoredKeyPage[] = [];
    this.nextNumber = rows.read(owner.keysId, (stored) => pages.push(stored));
    const [first] = pages;
    if (first === undefined) return;
    this.seed = first.seed;
    this.key = new MessageKey(first.seed);
    this.table.reserve(pages.reduce((sum, { page }) => sum + page.count, 0));
    for (const { page, seed } of pages) {
      // A page of another seed, or of other rules, says nothing any more.
      this.recoverPage(page, seed.equals(this.seed) && page.lasting === owner.keysLast);
    }
    while (this.table.size > owner.keysMax) this.dropOldest();
    // Those that last no more were counted, too.
    this.table.trim();
  }

  private recoverPage(page: KeyPage, usable: boolean): void {
    if (!this.append(page)) return;
    let gone = 0;
    for (let index = 0; index < page.count; index++) {
      const value = usable ? page.valueAt(index) : -1;
      if (value < 0) continue;
      if (this.owner.lasts(page.lane, value, true) && this.recoverKey(page, index)) continue;
      page.setGone(index);
      gone += 1;
    }
    if (page.left === 0) this.drop(page);
    else if (gone > 0) this.changed(page);
  }

  private recoverKey(page: KeyPage, index: number): boolean {
    const { key, table } = this;
    const at = index * KEY_WORDS;
    key.a = page.words[at] as number;
    key.b = page.words[at + 1] as number;
    key.c = page.words[at + 2] as number;
    // Of two the later holds: the earlier one was over when it came.
    const earlier = table.find(key.a, key.b, key.c);
    if (earlier !== NO_KEY) this.remove(earlier, true);
    return table.link(page, index);
  }

  private find(): number {
    const { table, key } = this;
    const ref = table.find(key.a, key.b, key.c);
    if (ref === NO_KEY) return NO_KEY;
    const page = table.pageOf(ref);
    if (this.owner.lasts(page.lane, page.valueAt(ref & 255), true)) return ref;
    this.remove(ref, false);
    return NO_KEY;
  }

  private dropOldest(): void {
    let page = this.first as KeyPage;
    while (page.left === 0) page = page.behind as KeyPage;
    while (page.valueAt(page.head) < 0) page.head += 1;
    this.remove((page.slot << 8) | page.head, true);
  }

  private remove(ref: number, noted: boolean): void {
    const { table } = this;
    const page = table.pageOf(ref >>> 0);
    table.remove(ref >>> 0);
    if (page.left === 0 && (!page.open || page.full)) {
      this.drop(page);
    } else if (noted && page.stored && !page.dirty) this.changed(page);
    if (page.left === 0) page.head = page.count;
  }

  /** The page that a key goes to; null: there can be no more. */
  private pageFor(lane: number, value: number): KeyPage | null {
    const { recent } = this;
    if (recent?.lane === lane && recent.fits(value)) return recent;
    const tail = this.tails.get(lane);
    if (tail?.fits(value)) {
      this.recent = tail;
      return tail;
    }
    if (tail !== undefined) this.close(tail);
    const page = new KeyPage(this.nextNumber, this.owner.keysLast, lane, this.baseFor(value));
    if (!this.append(page)) return null;
    this.nextNumber += 1;
    this.tails.set(lane, page);
    this.recent = page;
    return page;
  }

  /** From where on a new page counts: in whatever order times or places come, most of those to come fit, too. */
  private baseFor(value: number): number {
    const { owner } = this;
    return owner.keysLast === 'time' ? owner.nowMs : value - (value % PLACES_ALIGNED);
  }

  /** No more keys go into a page. */
  private close(page: KeyPage): void {
    page.open = false;
    this.tails.delete(page.lane);
    if (this.recent === page) this.recent = null;
    if (page.left === 0) this.drop(page);
  }

  private append(page: KeyPage): boolean {
    if (!this.table.addPage(page)) return false;
    page.before = this.last;
    if (this.last === null) this.first = page;
    else this.last.behind = page;
    this.last = page;
    return true;
  }

  /** A page that no key is in any more goes, and its row. */
  private drop(page: KeyPage): void {
    const { before, behind } = page;
    if (this.looked === page) {
      this.looked = behind;
      this.lookedAt = 0;
    }
    if (before === null) this.first = behind;
    else before.behind = behind;
    if (behind === null) this.last = before;
    else behind.before = before;
    page.open = false;
    if (this.recent === page) this.recent = null;
    if (this.tails.get(page.lane) === page) this.tails.delete(page.lane);
    this.table.dropPage(page);
    if (page.onDisk && !page.dirty) this.changed(page);
  }

  private changed(page: KeyPage): void {
    page.dirty = true;
    this.dirty.push(page);
    this.owner.keysDirty();
  }

  /** Looks at some keys, one after the other and round again, and forgets those that last no more. */
  private lookOn(): void {
    const { owner } = this;
    this.addsToLook = ADDS_PER_LOOK;
    for (let n = 0; n < LOOKS; n++) {
      const page = this.looked ?? this.first;
      if (page === null) return;
      if (page !== this.looked) {
        this.looked = page;
        this.lookedAt = page.head;
      }
      if (this.lookedAt >= page.count) {
        this.looked = page.behind;
        this.lookedAt = page.behind?.head ?? 0;
        if (this.looked === null) return;
        continue;
      }
      const index = this.lookedAt;
      this.lookedAt += 1;
      const value = page.valueAt(index);
      if (value < 0 || owner.lasts(page.lane, value, false)) continue;
      this.remove((page.slot << 8) | index, false);
    }
  }
}
