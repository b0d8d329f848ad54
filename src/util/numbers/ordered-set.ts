// Owns a set of whole numbers that gives out the smallest first. Never knows what they count.

import { NumberHeap } from './heap.ts';

/** Numbers of one block: the bits of its mask. */
const BLOCK = 32;

/**
 * Whole numbers from 0 below 2^53, each once. Adding, taking out and asking for one cost O(log n) of the blocks at most, and
 * numbers that lie close take about two bytes each.
 *
 *   masks    block -> which of its 32 numbers are there; 0: none any more, and the heap has it still
 *   blocks   a heap of all blocks that have a mask, the first of which has a number
 */
export class OrderedSet {
  size = 0;
  private readonly masks = new Map<number, number>();
  private readonly blocks = new NumberHeap();

  /** The smallest number; there must be one. */
  get first(): number {
    const block = this.blocks.first;
    const mask = this.masks.get(block) as number;
    return block * BLOCK + 31 - Math.clz32(mask & -mask);
  }

  /** Adds a number; one that is there stays. */
  add(value: number): void {
    const block = blockOf(value);
    const mask = this.masks.get(block);
    const bit = 1 << (value - block * BLOCK);
    if (mask === undefined) this.blocks.push(block);
    else if ((mask & bit) !== 0) return;
    this.masks.set(block, (mask ?? 0) | bit);
    this.size += 1;
  }

  /** Takes the smallest number out; there must be one. */
  takeFirst(): number {
    const { first } = this;
    this.delete(first);
    return first;
  }

  has(value: number): boolean {
    const block = blockOf(value);
    return ((this.masks.get(block) ?? 0) & (1 << (value - block * BLOCK))) !== 0;
  }

  /** Takes a number out; false: it was not there. */
  delete(value: number): boolean {
    const block = blockOf(value);
    const mask = this.masks.get(block) ?? 0;
    const bit = 1 << (value - block * BLOCK);
    if ((mask & bit) === 0) return false;
    this.masks.set(block, mask & ~bit);
    this.size -= 1;
    if (mask === bit) this.dropEmpty();
    return true;
  }

  clear(): void {
    this.size = 0;
    this.masks.clear();
    this.blocks.clear();
  }

  /** Lets go of the first blocks that have no number any more; others wait until they are the first. */
  private dropEmpty(): void {
    const { blocks, masks } = this;
    while (blocks.size > 0 && masks.get(blocks.first) === 0) masks.delete(blocks.pop());
  }
}

function blockOf(value: number): number {
  return Math.floor(value * (1 / BLOCK));
}
