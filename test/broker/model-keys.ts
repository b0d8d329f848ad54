// Owns what the model knows of duplicates: which keys a queue or an exchange has seen and remembers. Never knows pages,
// fingerprints or places.

/** How duplicates are told. */
export interface KeyRule {
  /** How long a key is known, ms. */
  readonly ttlMs: number;
  /** How many are known at most; where there is such a bound, the keys of the simulation last for ever. */
  readonly size: number;
  /** When a key is forgotten: in time, or with its message. */
  readonly release: 'ttl' | 'ack';
}

/** A key as it was noted. */
export interface KnownKey<E> {
  readonly untilMs: number;
  /** Whether a durable batch brings it back after a crash. */
  readonly stored: boolean;
  /** The message that it came with; null: it has none here. */
  readonly entry: E | null;
}

/** The keys of a queue or an exchange. */
export class ModelKeys<E> {
  readonly rule: KeyRule;
  /** Messages that were dropped. */
  dropped = 0;
  /** Messages that were not, though their key was known: they had been here before. */
  cameBack = 0;
  /** The oldest first. */
  private readonly known = new Map<string, KnownKey<E>>();
  private readonly isThere: (entry: E) => boolean;

  constructor(rule: KeyRule, isThere: (entry: E) => boolean = () => false) {
    this.rule = rule;
    this.isThere = isThere;
  }

  /** All keys that were noted, of which some may be known no more. */
  get noted(): Iterable<string> {
    return this.known.keys();
  }

  knows(key: string | null, nowMs: number): boolean {
    const found = key === null ? undefined : this.known.get(key);
    if (found === undefined) return false;
    if (this.rule.release === 'ttl') return found.untilMs > nowMs;
    return found.entry !== null && this.isThere(found.entry);
  }

  /** A message was taken in: its key is known from now on, if it was not; or goes over to the one that came back. `ttlMs`: its own; null: it has none. */
  taken(
    key: string | null,
    ttlMs: number | null,
    nowMs: number,
    stored: boolean,
    entry: E | null,
  ): void {
    if (key === null || (this.rule.release === 'ttl' && this.knows(key, nowMs))) return;
    this.known.delete(key);
    for (const oldest of this.known.keys()) {
      if (this.known.size < this.rule.size) break;
      this.known.delete(oldest);
    }
    this.known.set(key, { untilMs: nowMs + (ttlMs ?? this.rule.ttlMs), stored, entry });
  }

  /** What a batch sealed now has to bring back. */
  snapshot(): [string, KnownKey<E>][] {
    return [...this.known].filter(([, { stored }]) => stored);
  }

  restore(snapshot: readonly [string, KnownKey<E>][]): void {
    for (const [key, known] of snapshot) this.known.set(key, known);
  }
}
