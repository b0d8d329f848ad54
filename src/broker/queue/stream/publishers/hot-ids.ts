// Owns the last ids of publishers that were looked for lately, of all streams of a broker: a small part of what the store
// has. Never has one that the store has not.

/** So many are kept at least, and twice as many at most: a few MiB, with long names. */
const IDS_KEPT = 16_384;
/** So many that come together are too many to tell which of them will be asked for. */
const TOGETHER_MAX = 4096;

/** By stream, and by name. */
type Ids = Map<number, Map<string, number>>;

/** Ids in two generations: one that is asked for goes over to the younger, and the older goes as a whole. */
export class HotIds {
  private young: Ids = new Map();
  private old: Ids = new Map();
  private youngCount = 0;

  /** The last id of a publisher in a stream; undefined: the store knows. */
  get(stream: number, name: string): number | undefined {
    const id = this.young.get(stream)?.get(name);
    if (id !== undefined) return id;
    const older = this.old.get(stream)?.get(name);
    if (older !== undefined) this.set(stream, name, older);
    return older;
  }

  /** Takes note of one that the store has. */
  set(stream: number, name: string, id: number): void {
    let names = this.young.get(stream);
    if (names === undefined) {
      names = new Map();
      this.young.set(stream, names);
    }
    const before = names.size;
    names.set(name, id);
    this.youngCount += names.size - before;
    if (this.youngCount < IDS_KEPT) return;
    this.old = this.young;
    this.young = new Map();
    this.youngCount = 0;
  }

  /** Takes note of those that the store has from a batch on. Of very many it keeps none, nor what it knew of them. */
  setAll(stream: number, ids: ReadonlyMap<string, number>): void {
    if (ids.size <= TOGETHER_MAX) for (const [name, id] of ids) this.set(stream, name, id);
    else this.forget(stream);
  }

  /** Forgets those of a stream. */
  forget(stream: number): void {
    this.youngCount -= this.young.get(stream)?.size ?? 0;
    this.young.delete(stream);
    this.old.delete(stream);
  }

  /** How many there are. */
  get count(): number {
    let count = 0;
    for (const ids of [this.young, this.old]) for (const { size } of ids.values()) count += size;
    return count;
  }
}
