// Owns the rule of the chain: which records of the replicated log count. Never reads the log, nor applies a batch.

import {
  BATCH,
  BEAT,
  digestWith,
  LEAD,
  type LogRecord,
  PART,
  readBeat,
  readLead,
  readRecord,
} from './record.ts';

/** How far a reader of the log is: the record at `seq`, and the last one that counts. */
export interface Place {
  /** The place in the log of the last record that was read; 0: none was. */
  readonly seq: number;
  /** The place of the LEAD that began the current epoch; 0: none did. */
  readonly epoch: number;
  /** The number within the epoch of the last record that counts. */
  readonly number: number;
  /** Of all records that count up to here: where that of another node differs at the same place, one of them is damaged. */
  readonly digest: number;
}

export const LOG_START: Place = { seq: 0, epoch: 0, number: 0, digest: 0 };

/** The longest batch, bytes: a reader keeps its pieces until it has the last one. */
export const BATCH_BYTES_MAX = 2 ** 30;

/** What reading one record comes to. */
export type Step =
  /** It does not continue the current epoch, and means nothing: what a deposed leader had under way, as a rule. */
  | { readonly is: 'ignored' }
  /**
   * It is not what was written, or would have to count and cannot be followed: nothing behind it can be read. `isLater`: it is
   * whole, and a later Leveret can read it.
   */
  | { readonly is: 'damaged'; readonly why: string; readonly isLater: boolean }
  /** It counts. `batch`: the bytes of a batch that is whole with it, in pieces; null: it ends none. */
  | { readonly is: 'counts'; readonly record: LogRecord; readonly batch: readonly Buffer[] | null };

const IGNORED: Step = { is: 'ignored' };

/*
 * All safety of the replicated log rests on its order and on this rule, which each node follows alike:
 *
 *   A LEAD counts where the record before it is the one that it names. It begins an epoch, named by its place.
 *   Any other record counts where it is of the current epoch and its number is the next one.
 *   What does not count is as if it were not there.
 *
 * So a record of a leader that was deposed counts nowhere, wherever it comes to lie; one that was sent twice counts once;
 * and one that comes before an earlier one of the same leader does not count until it is sent again behind that.
 * A number is never given to other bytes within an epoch.
 *
 * Damage is not ignored, whatever a damaged record says of itself: it may be one that counts, and all behind it of the same
 * leader would be passed over with it.
 */

/** Reads the records of a log in order. */
export class Chain {
  private at: Place;
  private parts: Buffer[] = [];
  private partBytes = 0;
  /** How many records it has ignored. */
  ignored = 0;

  constructor({ seq, epoch, number, digest }: Place) {
    this.at = { seq, epoch, number, digest };
  }

  get place(): Place {
    return this.at;
  }

  /** Whether pieces of a batch were read whose last one was not: a reader begins again behind the batch before. */
  get isOpen(): boolean {
    return this.parts.length > 0;
  }

  /** Reads the record at `seq`, which is the next one. What is damaged leaves the chain as it was. */
  read(seq: number, bytes: Buffer): Step {
    const { at } = this;
    if (seq !== at.seq + 1) return damaged(at.seq + 1, 'is not there');
    const record = readRecord(bytes);
    if (record === null || (record.fault === null && !this.continues(record, seq))) {
      this.ignored += 1;
      this.at = { ...at, seq };
      return IGNORED;
    }
    const { kind, number, fault } = record;
    const why = fault ?? this.faultOf(record);
    if (why !== null) return damaged(seq, why, record.isLater);
    const batch = this.gather(record);
    const digest = digestWith(at.digest, bytes);
    this.at = { seq, epoch: kind === LEAD ? seq : at.epoch, number, digest };
    return { is: 'counts', record, batch };
  }

  /** The rule: whether a record counts. */
  protected continues({ kind, epoch, number, body }: LogRecord, seq: number): boolean {
    if (kind === LEAD) return number === 0 && readLead(body)?.previous === seq - 1;
    return this.at.epoch !== 0 && epoch === this.at.epoch && number === this.at.number + 1;
  }

  /** Why a record that counts cannot be followed, or null. */
  protected faultOf({ kind, body }: LogRecord): string | null {
    if (kind === LEAD || kind === BEAT) {
      const digest = kind === BEAT ? readBeat(body) : (readLead(body)?.digest ?? null);
      if (digest === null || digest === this.at.digest) return null;
      return 'comes from a node that has read others before it than this node has: one of them is damaged';
    }
    if (kind !== PART && kind !== BATCH) return null;
    const fits = this.partBytes + body.length <= BATCH_BYTES_MAX;
    return fits ? null : `belongs to a batch of more than ${BATCH_BYTES_MAX} bytes`;
  }

  /** Keeps the pieces of a batch; returns those of one that is whole. */
  private gather({ kind, body }: LogRecord): readonly Buffer[] | null {
    const { parts } = this;
    if (kind === PART || kind === BATCH) {
      parts.push(body);
      this.partBytes += body.length;
    }
    // The batch that a deposed leader has begun counts nowhere.
    if (kind !== BATCH && kind !== LEAD) return null;
    this.parts = [];
    this.partBytes = 0;
    return kind === BATCH ? parts : null;
  }
}

function damaged(seq: number, why: string, isLater = false): Step {
  return { is: 'damaged', why: `record ${seq} of the log ${why}`, isLater };
}
