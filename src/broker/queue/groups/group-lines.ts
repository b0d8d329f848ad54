// Owns the ready messages of all groups of one queue, in lines: a seq and a link for each, in typed arrays. Never knows
// groups: groups.ts holds the ends of each line.

/** Places of one chunk. */
const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;
const IN_CHUNK = CHUNK - 1;

/** Places have numbers from 1 on; each takes twelve bytes. What is free is used again, and all goes once the last one is free. */
export class GroupLines {
  private seqs: Float64Array[] = [];
  private links: Uint32Array[] = [];
  private top = 1;
  private free = 0;
  private used = 0;

  /** A place for a message, with none behind it. */
  add(seq: number): number {
    let place = this.free;
    if (place === 0) {
      place = this.top++;
      if (place >>> CHUNK_BITS === this.seqs.length) {
        this.seqs.push(new Float64Array(CHUNK));
        this.links.push(new Uint32Array(CHUNK));
      }
    } else this.free = this.next(place);
    this.used += 1;
    (this.seqs[place >>> CHUNK_BITS] as Float64Array)[place & IN_CHUNK] = seq;
    this.link(place, 0);
    return place;
  }

  seq(place: number): number {
    return (this.seqs[place >>> CHUNK_BITS] as Float64Array)[place & IN_CHUNK] as number;
  }

  /** The place behind one; 0: it is the last. */
  next(place: number): number {
    return (this.links[place >>> CHUNK_BITS] as Uint32Array)[place & IN_CHUNK] as number;
  }

  link(place: number, next: number): void {
    (this.links[place >>> CHUNK_BITS] as Uint32Array)[place & IN_CHUNK] = next;
  }

  /** Ends the use of a place. */
  remove(place: number): void {
    this.used -= 1;
    if (this.used === 0) return this.clear();
    this.link(place, this.free);
    this.free = place;
  }

  clear(): void {
    this.seqs = [];
    this.links = [];
    this.top = 1;
    this.free = 0;
    this.used = 0;
  }
}
