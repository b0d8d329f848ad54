// Owns how far the replicated log may be trimmed. Never trims it.

/** A follower seen longer ago does not hold the log back: it comes back by a snapshot. */
export const FOLLOWER_KEPT_MS = 10 * 60_000;

/** A trim of less is not worth it: little and often is easy for the log's servers. */
const TRIM_BYTES = 64 * 2 ** 20;

/** What the leader knows as it looks whether to trim. */
export interface TrimFacts {
  /** The nodes with tables, the leader itself too: until its tables have a record, it is in the log alone. */
  readonly followers: readonly {
    readonly node: string;
    /** The place of the last record that its tables have, durably. */
    readonly appliedSeq: number;
    /** When it was seen last, ms since the Unix epoch by the leader's clock. */
    readonly seenMs: number;
  }[];
  /** What each node says that it has: the places of its snapshots that were checked. */
  readonly snapshots: readonly { readonly node: string; readonly seqs: readonly number[] }[];
  readonly nowMs: number;
  /** The place below which nothing is in the log any more. */
  readonly lastTrimmed: number;
  /** So many records are kept beyond what is needed. */
  readonly margin: number;
}

/** Whether so many bytes of the log, gathered since the last trim, are worth another one. */
export function isTrimDue(bytes: number): boolean {
  return bytes >= TRIM_BYTES;
}

/**
 * The place below which all records may be dropped, or null: none may. What is dropped is in the newest checked snapshots of
 * two nodes, and in the tables of each follower seen lately. What cannot be right of a follower keeps all, what cannot be
 * right of a snapshot does not count.
 */
export function trimPoint(facts: TrimFacts): number | null {
  const { followers, nowMs, lastTrimmed, margin } = facts;
  const covered = coveredTwice(facts.snapshots);
  if (covered === 0) return null;
  let last = covered;
  for (const { appliedSeq, seenMs } of followers) {
    // A clock that was set back makes it one seen in the future: it counts as well.
    if (nowMs - seenMs > FOLLOWER_KEPT_MS) continue;
    if (!isPlace(appliedSeq)) return null;
    last = Math.min(last, appliedSeq);
  }
  const point = last + 1 - Math.max(0, margin);
  return point > Math.max(1, lastTrimmed) ? point : null;
}

/** The last place that the newest snapshots of two nodes cover; 0: there are no two. */
function coveredTwice(snapshots: TrimFacts['snapshots']): number {
  const newest = new Map<string, number>();
  for (const { node, seqs } of snapshots) {
    for (const seq of seqs) {
      if (isPlace(seq)) newest.set(node, Math.max(seq, newest.get(node) ?? 0));
    }
  }
  const [, second = 0] = [...newest.values()].sort((a, b) => b - a);
  return second;
}

function isPlace(seq: number): boolean {
  return Number.isSafeInteger(seq) && seq >= 0;
}
