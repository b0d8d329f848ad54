// Owns what is told of a snapshot, beside it on the disk and to peers, as JSON. Never opens one.

import type { LogPlace } from '../../store/replicated/place.ts';

/** A copy of the tables at a place of the log. */
export interface SnapshotFacts {
  /** How far its tables are in the log. */
  readonly place: LogPlace;
  /** The length of its file. */
  readonly bytes: number;
  /** The SHA-256 of its file, 64 hex digits. */
  readonly sha256: string;
  /** When it was made, ms since the Unix epoch. */
  readonly madeAtMs: number;
}

/** No such text is longer: what is, is none. */
export const FACTS_CHARS_MAX = 1024;

/** The facts as text, in one line of ASCII. */
export function factsText({ place, bytes, sha256, madeAtMs }: SnapshotFacts): string {
  const { logId, seq, epoch, number, digest } = place;
  return JSON.stringify({ logId, seq, epoch, number, digest, bytes, sha256, madeAtMs });
}

/** What a text says, or null: it is not what `factsText` writes. Whatever it holds, this does not throw. */
export function readFacts(text: string): SnapshotFacts | null {
  if (text.length > FACTS_CHARS_MAX) return null;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof read !== 'object' || read === null) return null;
  const facts = read as Record<string, unknown>;
  const { logId, seq, epoch, number, digest, bytes, sha256, madeAtMs } = facts;
  if (!isHex(logId, 32) || !isHex(sha256, 64)) return null;
  if (!isCount(seq) || !isCount(epoch) || !isCount(number)) return null;
  if (!isCount(digest) || digest >= 2 ** 32) return null;
  if (!isCount(bytes) || bytes === 0 || !isCount(madeAtMs)) return null;
  return { place: { logId, seq, epoch, number, digest }, bytes, sha256, madeAtMs };
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
}

/** Places are u48; a file, or a time, beyond that is none. */
function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 48;
}
