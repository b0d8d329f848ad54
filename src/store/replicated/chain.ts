// Owns the rule of the chain: which records of the replicated log count. Never reads the log, nor applies a batch.

import { BATCH, LEAD, type LogRecord, PART, readLead, readRecord } from './record.ts';

/** How far a reader of the log is: the record at `seq`, and the last one that counts. */
export interface Place {
  /** The place in the log of the last record that was read; 0: none was. */
  readonly seq: number;
  /** The place of the LEAD that began the current epoch; 0: none did. */
  readonly epoch: number;
  /** The number within the epoch of the last record that counts. */
  readonly number: number;
}

export const LOG_START: Place = { seq: 0, epoch: 0, number: 0 };

/** What reading one record comes to. */
export type Step =
  /** It does not continue the current epoch, and means nothing: what a deposed leader had under way, as a rule. */
  | { readonly is: 'ignored' }
  /** It would count, but is not what was written: nothing behind it can be read. */
  | { readonly is: 'damaged'; readonly why: string }
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
 */

/** Reads the records of a log in order. */
export class Chain {
  private at: Place;
  private parts: Buffer[] = [];
  /** How many records it has ignored. */
  ignored = 0;

  constructor(at: Place) {
    this.at = at;
  }

  get place(): Place {
    return this.at;
  }

  /** Whether pieces of a batch were read whose last one was not: a reader begins again behind the batch before. */
  get isOpen(): boolean {
    return this.parts.length > 0;
  }

  /** Reads the record at `seq`, which is behind all that were read. */
  read(seq: number, bytes: Buffer): Step {
    const step = this.judge(seq, readRecord(bytes));
    if (step.is === 'counts') {
      const { kind, number } = step.record;
      this.at = { seq, epoch: kind === LEAD ? seq : this.at.epoch, number };
    } else if (step.is === 'ignored') {
      this.ignored += 1;
      this.at = { ...this.at, seq };
    }
    return step;
  }

  private judge(seq: number, record: LogRecord | null): Step {
    if (record === null) return IGNORED;
    if (record.kind === LEAD) {
      if (!record.intact) return IGNORED;
      const lead = readLead(record.body);
      if (lead === null || lead.previous !== seq - 1 || record.number !== 0) return IGNORED;
      this.parts = [];
      return { is: 'counts', record, batch: null };
    }
    const { epoch, number } = this.at;
    if (epoch === 0 || record.epoch !== epoch || record.number !== number + 1) return IGNORED;
    if (!record.intact) {
      return { is: 'damaged', why: `record ${seq} of the log does not match its checksum` };
    }
    if (record.kind !== PART && record.kind !== BATCH) {
      return { is: 'counts', record, batch: null };
    }
    this.parts.push(record.body);
    if (record.kind === PART) return { is: 'counts', record, batch: null };
    const batch = this.parts;
    this.parts = [];
    return { is: 'counts', record, batch };
  }
}
