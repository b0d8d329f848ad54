// Owns finding a key by its fingerprint among pages of keys, and taking it out. Never decides how long a key lasts.

import { KEY_WORDS, type KeyPage } from './key-page.ts';

/** A key is named by 27 bits: the slot of its page << 8 | its place in the page. */
const REF_BITS = 27;
const REF_MASK = 0x07ff_ffff;
/** No key; no page has so many. */
export const NO_KEY = REF_MASK;
/** Signs of keys; the head of a chain has a bit for each of those that some key of the chain has. */
const SIGNS = 5;

/** Heads of chains that there are at least, and those of one block. */
const HEADS_MIN = 64;
const BLOCK_HEADS = 1024;
const BLOCK_SHIFT = 10;
/** So many keys for each head make a chain more; so few, one less. */
const KEYS_PER_HEAD_MAX = 1;
const KEYS_PER_HEAD_MIN = 0.25;
/** Pages that can be named: of 132 million keys. */
const SLOTS_MAX = 0x7_ffff;

/*
 * Linear hashing: each key is in a chain, that of its fingerprint's last bits. A key more may divide one chain in two,
 * a key less may join two, so that no call takes long, however many there are.
 *
 *   head of a chain   signs of its keys (5 bits) | first key, or NO_KEY (27 bits)
 *   next of a key                                  next key, or NO_KEY
 *
 * Most keys that are asked for are new, and most of these have a sign that no key of their chain has: to know that, the
 * head is enough, where each key would be one more place far off in memory. What leaves a chain may leave its sign there.
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
    const head = this.headOf(this.chainOf(a));
    if ((head & signOf(b)) === 0) return NO_KEY;
    let ref = head & REF_MASK;
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

  /** Makes room for so many keys, of which there is none yet: then none that comes divides a chain. */
  reserve(keys: number): void {
    while (this.heads < keys / KEYS_PER_HEAD_MAX) {
      if (this.heads >>> BLOCK_SHIFT === this.blocks.length) this.blocks.push(newBlock());
      this.heads = Math.min(
        Math.ceil(keys / KEYS_PER_HEAD_MAX),
        (this.heads | (BLOCK_HEADS - 1)) + 1,
      );
    }
    while (2 * this.low <= this.heads) this.low *= 2;
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
    const head = this.headOf(chain);
    const sign = signOf(page.words[at + 1] as number);
    page.words[at + 4] = head & REF_MASK;
    this.setHead(chain, (head & ~REF_MASK) | sign | (page.slot << 8) | index);
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
    const head = this.headOf(chain);
    let at = head & REF_MASK;
    if (at === ref) this.setHead(chain, next === NO_KEY ? NO_KEY : (head & ~REF_MASK) | next);
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
    let staySigns = 0;
    let goSigns = 0;
    for (let ref = this.headOf(divided) & REF_MASK; ref !== NO_KEY; ) {
      const { words } = this.pageOf(ref);
      const at = (ref & 255) * KEY_WORDS;
      const next = words[at + 4] as number;
      const sign = signOf(words[at + 1] as number);
      if (((words[at] as number) & low) === 0) {
        words[at + 4] = stay;
        stay = ref;
        staySigns |= sign;
      } else {
        words[at + 4] = go;
        go = ref;
        goSigns |= sign;
      }
      ref = next;
    }
    this.setHead(divided, staySigns | stay);
    this.setHead(added, goSigns | go);
    this.heads += 1;
    if (this.heads === 2 * low) this.low = 2 * low;
  }

  /** Puts the last chain to the one that it came from. */
  private join(): void {
    if (this.heads === this.low) this.low /= 2;
    this.heads -= 1;
    const last = this.heads;
    const head = this.headOf(last);
    const first = head & REF_MASK;
    if (first !== NO_KEY) {
      const into = last - this.low;
      const intoHead = this.headOf(into);
      let ref = first;
      for (;;) {
        const { words } = this.pageOf(ref);
        const at = (ref & 255) * KEY_WORDS + 4;
        const next = words[at] as number;
        if (next === NO_KEY) {
          words[at] = intoHead & REF_MASK;
          break;
        }
        ref = next;
      }
      this.setHead(into, ((head | intoHead) & ~REF_MASK) | first);
      this.setHead(last, NO_KEY);
    }
    const blocks = ((this.heads - 1) >>> BLOCK_SHIFT) + 1;
    // One block more stays, so that a size that goes up and down makes none anew.
    if (this.blocks.length > blocks + 1) this.blocks.pop();
  }
}

/** The sign of a key, as the bit that a head has for it. */
function signOf(b: number): number {
  return 1 << (REF_BITS + (b % SIGNS));
}

function newBlock(): Uint32Array {
  return new Uint32Array(BLOCK_HEADS).fill(NO_KEY);
}
