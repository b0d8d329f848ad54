// Owns finding a key by its fingerprint among pages of keys, and taking it out. Never decides how long a key lasts.

import { KEY_WORDS, type KeyPage } from './key-page.ts';
import { KeyTablePart, PART_KEYS_MAX } from './key-table-part.ts';

/** A key is named by 27 bits: the slot of its page << 8 | its place in the page. */
const REF_BITS = 27;
const REF_MASK = 0x07ff_ffff;
const TAG_BITS = 32 - REF_BITS;
/** No key; no page has so many. */
export const NO_KEY = REF_MASK;
/** Pages that can be named: of 132 million keys. */
const SLOTS_MAX = 0x7_ffff;

/** A part with more keys is divided in two. */
const PART_KEYS = 4096;
/** Bits that tell parts from one another, at most: with the most keys that can be named each part has 2,000. */
const DEPTH_MAX = 16;

/*
 * Extendible hashing: the last bits of a fingerprint say in which part a key is, as many bits as that part needs. Parts
 * are small, and each grows and is divided by itself, so that no call takes long, however many keys there are.
 *
 *   first word of a fingerprint    its last bits: the part; those next to them, up to 5, are the tag, kept beside the name of
 *                                  the key: they say where it goes when the part is divided
 *   third word                     16 bits are the mark: where the key is in its part, and what it is known by there
 *
 * Most keys that are asked for are new. To know that takes one look at the marks of one part. The page of a key, which is
 * another place far off in memory, is looked at if its mark and tag are those of the one asked for; and when a part is
 * divided for the fifth time, since then its keys need other tags.
 */
export class KeyTable {
  /** Keys that are there. */
  size = 0;
  private readonly pages: (KeyPage | null)[] = [];
  private freeSlots: number[] = [];
  /** By the last bits of a fingerprint; a part that needs fewer bits is here more than once. */
  private parts: KeyTablePart[] = [new KeyTablePart(0, 0)];

  /** The key with a fingerprint, or NO_KEY. */
  find(a: number, b: number, c: number): number {
    const part = this.partOf(a);
    const { marks, refs, capacity } = part;
    const mark = markOf(c);
    const tag = tagOf(a, part.depth);
    for (let at = part.homeOf(mark); marks[at] !== 0; at = at + 1 === capacity ? 0 : at + 1) {
      if (marks[at] !== mark) continue;
      const named = refs[at] as number;
      if ((named & ~REF_MASK) !== tag) continue;
      const { words } = this.pages[(named & REF_MASK) >>> 8] as KeyPage;
      const word = (named & 255) * KEY_WORDS;
      if (words[word] === a && words[word + 1] === b && words[word + 2] === c) {
        return named & REF_MASK;
      }
    }
    return NO_KEY;
  }

  /** The page of a key. */
  pageOf(ref: number): KeyPage {
    return this.pages[ref >>> 8] as KeyPage;
  }

  /** Makes room for so many keys, of which there is none yet. */
  reserve(keys: number): void {
    let depth = 0;
    while (depth < DEPTH_MAX && keys / 2 ** depth > PART_KEYS * 0.75) depth += 1;
    // Some parts get a few more keys than others.
    const each = (keys / 2 ** depth) * 1.05;
    this.parts = Array.from({ length: 2 ** depth }, () => new KeyTablePart(depth, each));
  }

  /** Gives back most of the room that was made, and for which no keys came. */
  trim(): void {
    if (this.size === 0) this.parts = [new KeyTablePart(0, 0)];
    for (const part of new Set(this.parts)) part.trim();
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

  /**
   * Makes the key in a place of a page known. No other may have its fingerprint. False: it cannot be, since too many are
   * there that begin as it does; only a store that was tampered with has such.
   */
  link(page: KeyPage, index: number): boolean {
    const at = index * KEY_WORDS;
    const { words } = page;
    const a = words[at] as number;
    let part = this.partOf(a);
    while (part.count >= PART_KEYS && part.depth < DEPTH_MAX) {
      this.divide(part, a);
      part = this.partOf(a);
    }
    if (part.count >= PART_KEYS_MAX) return false;
    const ref = (page.slot << 8) | index;
    part.add(markOf(words[at + 2] as number), tagOf(a, part.depth) | ref);
    page.left += 1;
    this.size += 1;
    return true;
  }

  /** Takes a key out; its page stays. */
  remove(ref: number): void {
    const page = this.pageOf(ref);
    const index = ref & 255;
    const at = index * KEY_WORDS;
    const { words } = page;
    const a = words[at] as number;
    const part = this.partOf(a);
    part.remove(markOf(words[at + 2] as number), tagOf(a, part.depth) | ref);
    page.setGone(index);
    page.left -= 1;
    this.size -= 1;
    // Parts are never put together again, but all go with the last key.
    if (this.size === 0 && this.parts.length > 1) this.trim();
  }

  /** Forgets all. */
  clear(): void {
    this.size = 0;
    this.pages.length = 0;
    this.freeSlots = [];
    this.parts = [new KeyTablePart(0, 0)];
  }

  private partOf(a: number): KeyTablePart {
    return this.parts[a & (this.parts.length - 1)] as KeyTablePart;
  }

  /** Divides the part of a fingerprint by one more bit of it. */
  private divide(part: KeyTablePart, a: number): void {
    const { depth } = part;
    const bit = 1 << depth;
    if (bit === this.parts.length) this.parts = this.parts.concat(this.parts);
    const { parts } = this;
    const [stay, go] = part.divide(1 << (REF_BITS + (depth % TAG_BITS)));
    if (stay.depth % TAG_BITS === 0) {
      const tagged = (named: number): number => this.tagged(named & REF_MASK, depth + 1);
      stay.rename(tagged);
      go.rename(tagged);
    }
    for (let at = a & (bit - 1); at < parts.length; at += bit) {
      parts[at] = (at & bit) === 0 ? stay : go;
    }
  }

  /** The name of a key with its tag. */
  private tagged(ref: number, depth: number): number {
    return tagOf(this.pageOf(ref).words[(ref & 255) * KEY_WORDS] as number, depth) | ref;
  }
}

/** What a key is known by in its part; 0 is none. */
function markOf(c: number): number {
  return c & 0xffff || 1;
}

/** The tag of a key in a part of some depth, in the bits above its name. */
function tagOf(a: number, depth: number): number {
  return (a >>> (depth - (depth % TAG_BITS))) << REF_BITS;
}
