// Owns the model of the publishers of a stream that number their messages: the last id of each, and what becomes of a message
// by it. Never knows rows or batches.

/** What a message says of its publisher. */
export interface Claim {
  readonly name: string;
  readonly id: number;
  /** What the last id has to be, 0 where there is none; null: lower than `id`. */
  readonly expected: number | null;
}

/** What becomes of a message. */
export type Verdict = 'stored' | 'duplicate' | 'unexpected';

/** The publishers of one stream. */
export class ModelPublishers {
  private readonly ids: Map<string, number>;

  constructor(ids: ReadonlyMap<string, number> = new Map()) {
    this.ids = new Map(ids);
  }

  /** The last id of one; null: it has none. */
  lastOf(name: string): number | null {
    return this.ids.get(name) ?? null;
  }

  /** Says what becomes of a message, which is the last one then if it is stored. */
  take({ name, id, expected }: Claim): Verdict {
    const last = this.lastOf(name);
    if (expected === null && id <= (last ?? -1)) return 'duplicate';
    if (expected !== null && expected !== (last ?? 0)) return 'unexpected';
    this.ids.set(name, id);
    return 'stored';
  }

  /** What a batch sealed now has to bring back. */
  snapshot(): ReadonlyMap<string, number> {
    return new Map(this.ids);
  }
}
