// Owns one part of a table of keys: the marks of its keys, and finding a place for one more. Never knows what a key is:
// key-table.ts does.

/** A part is at most so full: then a mark that is not there is looked for in 22 places on average. */
const LOAD_MAX = 0.85;
/** It grows by so much at a time: memory is what there may not be too much of. */
const GROWTH = 1.3;
/** A part that is emptier gets smaller. */
const LOAD_MIN = 0.4;
const CAPACITY_MIN = 16;
/** A mark times a capacity stays below 2^32. */
const CAPACITY_MAX = 0xffff;
/** Keys that a part can have. */
export const PART_KEYS_MAX = Math.floor(CAPACITY_MAX * LOAD_MAX);

/*
 * Open addressing: a mark of 16 bits is in the place that is as far in the part as the mark is in all marks, or in the next
 * free one behind it. So the part can be made larger and smaller by its marks alone.
 */
export class KeyTablePart {
  /** How many bits of a fingerprint all its keys share. */
  readonly depth: number;
  /** In each place a mark, or 0: it is free. */
  marks: Uint16Array;
  /** In each place what the mark stands for. */
  refs: Int32Array;
  capacity: number;
  count = 0;

  /** An empty part with room for so many keys. */
  constructor(depth: number, keys: number) {
    this.depth = depth;
    this.capacity = capacityFor(keys);
    this.marks = new Uint16Array(this.capacity);
    this.refs = new Int32Array(this.capacity);
  }

  /** The place from which on a mark is looked for. */
  homeOf(mark: number): number {
    return Math.imul(mark, this.capacity) >>> 16;
  }

  /** Adds a mark and what it stands for; there must be fewer than PART_KEYS_MAX. */
  add(mark: number, ref: number): void {
    if (this.count >= this.capacity * LOAD_MAX) this.resize(this.count * GROWTH);
    this.count += 1;
    this.place(mark, ref);
  }

  /** Takes out a mark that stands for something. */
  remove(mark: number, ref: number): void {
    const { marks, refs, capacity } = this;
    let at = this.homeOf(mark);
    while (refs[at] !== ref || marks[at] !== mark) at = at + 1 === capacity ? 0 : at + 1;
    // What stands behind it closes up, unless it would come before its home.
    for (let from = at; ; ) {
      from = from + 1 === capacity ? 0 : from + 1;
      const other = marks[from] as number;
      if (other === 0) break;
      const home = this.homeOf(other);
      if (distance(home, from, capacity) < distance(at, from, capacity)) continue;
      marks[at] = other;
      refs[at] = refs[from] as number;
      at = from;
    }
    marks[at] = 0;
    this.count -= 1;
    this.trim();
  }

  /** Gets smaller, if it is far larger than its keys need. */
  trim(): void {
    const { capacity, count } = this;
    if (capacity > CAPACITY_MIN && count < capacity * LOAD_MIN) this.resize(count);
  }

  /** Its keys in two parts, one more bit deep: those where what stands for a mark does not have a bit, and those where it does. */
  divide(bit: number): readonly [KeyTablePart, KeyTablePart] {
    const { marks, refs, depth } = this;
    const room = (this.count / 2) * GROWTH;
    const without = new KeyTablePart(depth + 1, room);
    const having = new KeyTablePart(depth + 1, room);
    for (let at = 0; at < marks.length; at++) {
      const mark = marks[at] as number;
      if (mark === 0) continue;
      const ref = refs[at] as number;
      ((ref & bit) === 0 ? without : having).add(mark, ref);
    }
    return [without, having];
  }

  /** Has something else stand for each mark. */
  rename(to: (ref: number) => number): void {
    const { marks, refs } = this;
    for (let at = 0; at < marks.length; at++) {
      if (marks[at] !== 0) refs[at] = to(refs[at] as number);
    }
  }

  private resize(keys: number): void {
    const { marks, refs } = this;
    this.capacity = capacityFor(keys);
    this.marks = new Uint16Array(this.capacity);
    this.refs = new Int32Array(this.capacity);
    for (let at = 0; at < marks.length; at++) {
      const mark = marks[at] as number;
      if (mark !== 0) this.place(mark, refs[at] as number);
    }
  }

  private place(mark: number, ref: number): void {
    const { marks, capacity } = this;
    let at = this.homeOf(mark);
    while (marks[at] !== 0) at = at + 1 === capacity ? 0 : at + 1;
    marks[at] = mark;
    this.refs[at] = ref;
  }
}

function capacityFor(keys: number): number {
  const capacity = Math.ceil(keys / LOAD_MAX) + 1;
  return Math.max(CAPACITY_MIN, Math.min(capacity, CAPACITY_MAX));
}

/** How far it is from one place forward to another, round the end. */
function distance(from: number, to: number, capacity: number): number {
  return to >= from ? to - from : to - from + capacity;
}
