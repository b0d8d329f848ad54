// Owns finding a key by its fingerprint among pages of keys, and taking it out. Never decides how long a key lasts.

import { KEY_WORDS, type KeyPage } from './key-page.ts';

/** No key; no page has so many. */
export const NO_KEY = 0xffff_ffff;

/** Heads of chains that there are at least, and those of one block. */
const HEADS_MIN = 64;
const BLOCK_HEADS = 1024;
const BLOCK_SHIFT = 10;
/** So many keys for each head make a chain more; so few, one less. */
const KEYS_PER_HEAD_MAX = 1.5;
const KEYS_PER_HEAD_MIN = 0.5;
/** A slot that key numbers can hold no more: 2^24 pages. */
const SLOTS_MAX = 0xff_ffff;

/*
 * Linear hashing: each key is in a chain, that of its fingerprint's last bits. A key more may divide one chain in two,
 * a key less may join two, so that no call takes long, however many there are. A key is named by
 *
 *   page's slot << 8 | place in the page
 */
export class KeyTable {
  /** Keys that are there. */
  size = 0;
  private readonly pages: (KeyPage | null)[] = [];
  private freeSlots: number[] = [];
  private blocks: Uint32Array[] = [newBlock()];
  private heads = HEADS_MIN;
  /** The highest power of two that is not above `heads`. */
  private low = HEADS_MIN;

  /** The key with a fingerprint, or NO_KEY. */
  find(a: number, b: number, c: number): number {
    let ref = this.headOf(this.chainOf(a));
    while (ref !== NO_KEY) {
      const { words } = this.pages[ref >>> 8] as KeyPage;
      const at = (ref & 255) * KEY_WORDS;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c) return ref;
      ref = words[at + 4] as number;
    }
    return NO_KEY;
  }

  /** The page of a key. */
  pageOf(ref: number): KeyPage {
    return this.pages[ref >>> 8] as KeyPage;
  }

  /** Takes in a page, whose keys are `link`ed one by one. False: there are too many. */
  addPage(page: KeyPage): boolean {
    const slot = this.freeSlots.pop() ?? this.pages.length;
    if (slot >= SLOTS_MAX) return false;
    this.pages[slot] = page;
    page.slot = slot;
    return true;
  }

  /** Lets go of a page that no key is in. */
  dropPage(page: KeyPage): void {
    this.pages[page.slot] = null;
    this.freeSlots.push(page.slot);
    page.slot = -1;
  }

  /** Makes the key in a place of a page known. No other may have its fingerprint. */
  link(page: KeyPage, index: number): void {
    const at = index * KEY_WORDS;
    const chain = this.chainOf(page.words[at] as number);
    page.words[at + 4] = this.headOf(chain);
    this.setHead(chain, (page.slot << 8) | index);
    page.left += 1;
    this.size += 1;
    if (this.size > this.heads * KEYS_PER_HEAD_MAX) this.divide();
  }

  /** Takes a key out; its page stays. */
  remove(ref: number): void {
    const page = this.pageOf(ref);
    const index = ref & 255;
    const { words } = page;
    const next = words[index * KEY_WORDS + 4] as number;
    const chain = this.chainOf(words[index * KEY_WORDS] as number);
    let at = this.headOf(chain);
    if (at === ref) this.setHead(chain, next);
    else {
      for (;;) {
        const before = this.pageOf(at).words;
        const place = (at & 255) * KEY_WORDS + 4;
        at = before[place] as number;
        if (at !== ref) continue;
        before[place] = next;
        break;
      }
    }
    page.setGone(index);
    page.left -= 1;
    this.size -= 1;
    if (this.heads > HEADS_MIN && this.size < this.heads * KEYS_PER_HEAD_MIN) this.join();
  }

  /** Forgets all. */
  clear(): void {
    this.size = 0;
    this.pages.length = 0;
    this.freeSlots = [];
    this.blocks = [newBlock()];
    this.heads = HEADS_MIN;
    this.low = HEADS_MIN;
  }

  private chainOf(a: number): number {
    const chain = (a & (2 * this.low - 1)) >>> 0;
    return chain < this.heads ? chain : chain - this.low;
  }

  private headOf(chain: number): number {
    return (this.blocks[chain >>> BLOCK_SHIFT] as Uint32Array)[chain & (BLOCK_HEADS - 1)] as number;
  }

  private setHead(chain: number, ref: number): void {
    (this.blocks[chain >>> BLOCK_SHIFT] as Uint32Array)[chain & (BLOCK_HEADS - 1)] = ref;
  }

  /** Makes one chain more, of some keys of another. */
  private divide(): void {
    const { low } = this;
    const added = this.heads;
    const divided = added - low;
    if (added >>> BLOCK_SHIFT === this.blocks.length) this.blocks.push(newBlock());
    let stay = NO_KEY;
    let go = NO_KEY;
    for (let ref = this.headOf(divided); ref !== NO_KEY; ) {
      const { words } = this.pageOf(ref);
      const at = (ref & 255) * KEY_WORDS;
      const next = words[at + 4] as number;
      if (((words[at] as number) & low) === 0) {
        words[at + 4] = stay;
        stay = ref;
      } else {
        words[at + 4] = go;
        go = ref;
      }
      ref = next;
    }
    this.setHead(divided, stay);
    this.setHead(added, go);
    this.heads += 1;
    if (this.heads === 2 * low) this.low = 2 * low;
  }

  /** Puts the last chain to the one that it came from. */
  private join(): void {
    if (this.heads === this.low) this.low /= 2;
    this.heads -= 1;
    const last = this.heads;
    const first = this.headOf(last);
    if (first !== NO_KEY) {
      const into = last - this.low;
      let ref = first;
      for (;;) {
        const { words } = this.pageOf(ref);
        const at = (ref & 255) * KEY_WORDS + 4;
        const next = words[at] as number;
        if (next === NO_KEY) {
          words[at] = this.headOf(into);
          break;
        }
        ref = next;
      }
      this.setHead(into, first);
      this.setHead(last, NO_KEY);
    }
    const blocks = ((this.heads - 1) >>> BLOCK_SHIFT) + 1;
    // One block more stays, so that a size that goes up and down makes none anew.
    if (this.blocks.length > blocks + 1) this.blocks.pop();
  }
}

function newBlock(): Uint32Array {
  return new Uint32Array(BLOCK_HEADS).fill(NO_KEY);
}
