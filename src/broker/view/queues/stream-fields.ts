// Owns which fields a row of a stream has that rows of queues have not. Never makes one: stream-rows.ts does.

/** How much a stream keeps, by its arguments and policies; null: as much as comes. */
export interface StreamLimitsView {
  readonly max_age_ms: number | null;
  readonly max_length: number | null;
  readonly max_length_bytes: number | null;
}

/** What streams alone have. Offsets are null where no message has one. */
export interface StreamFields {
  /** How many read it, by the node: a group counts once. */
  readonly readers: Readonly<Record<string, number>>;
  readonly first_offset: number;
  readonly last_offset: number | null;
  /** The offset that the next message gets. */
  readonly next_offset: number;
  /** The last one that is durable. */
  readonly committed_offset: number | null;
  /** Stretches of 65,536 offsets that have messages. */
  readonly segments: number;
  /** Groups that have a place in it. */
  readonly groups: number;
  readonly limits: StreamLimitsView;
}
