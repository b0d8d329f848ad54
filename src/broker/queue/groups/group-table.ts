// Owns the groups of one queue that have messages, as numbers in typed arrays, and finding one by its key. Never decides
// whose turn it is: groups.ts does.

import { U32 } from '../../../util/bytes.ts';

/** Groups of one chunk. */
const CHUNK_BITS = 8;
const CHUNK = 1 << CHUNK_BITS;
const IN_CHUNK = CHUNK - 1;

/** Parts of the index, so that none is large when it has to grow. */
const PARTS = 256;
const SLOTS_FIRST = 16;

/** The epoch of a number that is free: no change is ever later. */
const FREE = 0xffff_ffff;

/** The groups of 256 numbers: 41 bytes each. */
class GroupChunk {
  readonly keys = new Float64Array(CHUNK);
  /** The first and the last of its ready messages: places in the lines; 0: none. */
  readonly first = new Uint32Array(CHUNK);
  readonly last = new Uint32Array(CHUNK);
  /** Messages of it that are unacked, and those that wait to be tried again. */
  readonly unacked = new Uint32Array(CHUNK);
  readonly waiting = new Uint32Array(CHUNK);
  /** The group behind it: in the turns, or of those numbers that are free. And the one before it in the turns. */
  readonly next = new Uint32Array(CHUNK);
  readonly before = new Uint32Array(CHUNK);
  /** The changes to all groups at once that each is up to, see Groups; FREE: no group has the number. */
  readonly epochs = new Uint32Array(CHUNK).fill(FREE);
  /** 1: it is among those that have a turn. */
  readonly turning = new Uint8Array(CHUNK);
}

/**
 * Groups have numbers from 1 on. The index is a hash table of numbers, in parts that grow one by one:
 *
 *   key -> part -> slot: a number, or those behind it until a slot is empty
 */
export class GroupTable {
  /** How many there are. */
  count = 0;
  /** What groups that are made are up to. */
  epoch = 0;
  private chunks: GroupChunk[] = [];
  /** The numbers below it were given out. */
  private top = 1;
  private free = 0;
  private parts: (Uint32Array | null)[] = [];
  private readonly partCounts = new Uint32Array(PARTS);
  private readonly seed: number;

  /** Keys are what publishers choose: with an unknown seed they cannot choose those that are looked for longest. */
  constructor(seed: number) {
    this.seed = seed;
  }

  /** The chunk of a group, which has it at `slotOf` its number. */
  chunk(group: number): GroupChunk {
    return this.chunks[group >>> CHUNK_BITS] as GroupChunk;
  }

  /** One past the highest number. */
  get end(): number {
    return this.top;
  }

  /** The number of a group; 0: there is none of that key. */
  find(key: number): number {
    const hash = this.hashOf(key);
    const part = this.parts[hash >>> 24];
    if (part === undefined || part === null) return 0;
    const mask = part.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const group = part[slot] as number;
      if (group === 0) return 0;
      if (this.chunk(group).keys[slotOf(group)] === key) return group;
    }
  }

  /** The number of a group, which is made where there is none of that key. */
  findOrMake(key: number): number {
    return this.find(key) || this.make(key);
  }

  /** Forgets a group. */
  remove(group: number): void {
    const chunk = this.chunk(group);
    const slot = slotOf(group);
    this.unlist(chunk.keys[slot] as number, group);
    this.count -= 1;
    if (this.count === 0) return this.clear();
    chunk.epochs[slot] = FREE;
    chunk.next[slot] = this.free;
    this.free = group;
  }

  /** Forgets all. */
  clear(): void {
    this.count = 0;
    this.chunks = [];
    this.top = 1;
    this.free = 0;
    this.parts = [];
    this.partCounts.fill(0);
  }

  private make(key: number): number {
    let group = this.free;
    if (group === 0) {
      group = this.top++;
      if (group >>> CHUNK_BITS === this.chunks.length) this.chunks.push(new GroupChunk());
    } else this.free = this.chunk(group).next[slotOf(group)] as number;
    const chunk = this.chunk(group);
    const slot = slotOf(group);
    chunk.keys[slot] = key;
    chunk.epochs[slot] = this.epoch;
    chunk.first[slot] = 0;
    chunk.last[slot] = 0;
    chunk.unacked[slot] = 0;
    chunk.waiting[slot] = 0;
    chunk.next[slot] = 0;
    chunk.before[slot] = 0;
    chunk.turning[slot] = 0;
    this.count += 1;
    this.list(key, group);
    return group;
  }

  private list(key: number, group: number): void {
    const hash = this.hashOf(key);
    const number = hash >>> 24;
    let part = this.parts[number] ?? null;
    if (part === null || (this.partCounts[number] as number) * 4 >= part.length * 3) {
      part = this.grown(part);
      this.parts[number] = part;
    }
    this.partCounts[number] = (this.partCounts[number] as number) + 1;
    put(part, hash, group);
  }

  private grown(part: Uint32Array | null): Uint32Array {
    const grown = new Uint32Array(part === null ? SLOTS_FIRST : part.length * 2);
    if (part === null) return grown;
    for (let slot = 0; slot < part.length; slot++) {
      const group = part[slot] as number;
      if (group === 0) continue;
      put(grown, this.hashOf(this.chunk(group).keys[slotOf(group)] as number), group);
    }
    return grown;
  }

  /** Takes a group out of the index, and moves those back that stood behind it for lack of place. */
  private unlist(key: number, group: number): void {
    const hash = this.hashOf(key);
    const number = hash >>> 24;
    const part = this.parts[number] as Uint32Array;
    const mask = part.length - 1;
    let gap = hash & mask;
    while (part[gap] !== group) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; ; slot = (slot + 1) & mask) {
      const other = part[slot] as number;
      if (other === 0) break;
      const home = this.hashOf(this.chunk(other).keys[slotOf(other)] as number) & mask;
      // Where its own place lies behind the gap, it stays.
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      part[gap] = other;
      gap = slot;
    }
    part[gap] = 0;
    this.partCounts[number] = (this.partCounts[number] as number) - 1;
  }

  private hashOf(key: number): number {
    let hash = Math.imul((key % U32) ^ this.seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ Math.floor(key / U32), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ this.seed, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

/** Where a group is in its chunk. */
export function slotOf(group: number): number {
  return group & IN_CHUNK;
}

function put(part: Uint32Array, hash: number, group: number): void {
  const mask = part.length - 1;
  let slot = hash & mask;
  while (part[slot] !== 0) slot = (slot + 1) & mask;
  part[slot] = group;
}
