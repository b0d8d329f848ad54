// Owns the log of a leader, as its store sees it: batches go to the replicated log, and are durable once they count there.
// Never decides whether this node leads.

import { Histogram } from '../../util/histogram.ts';
import { StoreError } from '../errors.ts';
import type { BatchLog, TablesMark } from '../log/batch-log.ts';
import type { Store } from '../port.ts';
import type { Appender, Draft } from './appender.ts';
import { BATCH_BYTES_MAX, type Place } from './chain.ts';
import type { DeposedError } from './log-client.ts';
import { putPlace } from './place.ts';
import { BATCH, BEAT, DOWN, PART, RECORD_HEAD_BYTES } from './record.ts';

/** How long the last record of an epoch may take, ms. */
const DOWN_MS = 2000;

/** What the tables may be behind, bytes: memory holds that much. */
const UNAPPLIED_BYTES_MAX = 64 * 2 ** 20;

/** What a leader goes by before it says that something is durable. */
export interface Leading {
  /** Calls back once this node knows that it leads still; never where it does not. At once, as a rule. */
  whenSure(then: () => void): void;
  /** Calls back once the log may take a batch of so many bytes. At once, as a rule; where it is not there, always. */
  whenRoom?(bytes: number, then: () => void): void;
}

/** The log of one epoch. Made for the LEAD of this node, which is the last record that its tables have. */
export class ReplicatedLog implements BatchLog, TablesMark {
  readonly hasAll = true;
  readonly bodyBytesMax = Number.POSITIVE_INFINITY;
  readonly bytes = UNAPPLIED_BYTES_MAX;
  private readonly appender: Appender;
  private readonly leading: Leading;
  private readonly logId: string;
  private readonly partBytes: number;
  private readonly nowMs: () => number;
  /** Where each record of the store that the tables have not yet ends in the log, and its bytes. */
  private readonly unapplied: { number: number; place: Place; bytes: number }[] = [];
  private used = 0;
  private applied: number;
  /** One thing after the other. */
  private line: Promise<void> = Promise.resolve();
  private submitted = 0;
  private done: ((error: Error | null) => void) | null = null;
  private failure: Error | null = null;
  private failureListener: (error: Error) => void = ignore;
  private closed = false;
  /** How long batches took until they counted in the log. */
  readonly appends = new Histogram();
  /** What was submitted and does not count yet, bytes. */
  inflightBytes = 0;
  /** When the log last took something, in ms of the monotonic clock. */
  ackedMs: number;

  constructor(
    appender: Appender,
    leading: Leading,
    logId: string,
    recordBytesMax: number,
    nowMs: () => number,
  ) {
    this.appender = appender;
    this.applied = appender.place.seq;
    this.leading = leading;
    this.logId = logId;
    this.partBytes = recordBytesMax - RECORD_HEAD_BYTES;
    this.nowMs = nowMs;
    this.ackedMs = nowMs();
  }

  get usedBytes(): number {
    return this.used;
  }

  /** The place of the last record of this node that counts. */
  get place(): Place {
    return this.appender.place;
  }

  /** The place of the last record that the tables have. */
  get appliedSeq(): number {
    return this.applied;
  }

  /** How often it had to read the log to know what had become of its records. */
  get resyncs(): number {
    return this.appender.counts.resyncs;
  }

  hasRoom(bodyBytes: number): boolean {
    // One that is larger than all goes alone.
    return this.used === 0 || this.used + bodyBytes <= this.bytes;
  }

  append(
    number: number,
    parts: readonly Buffer[],
    bodyBytes: number,
    done: (error: Error | null) => void,
  ): void {
    if (this.failure !== null) return;
    this.done = done;
    if (bodyBytes > BATCH_BYTES_MAX) {
      queueMicrotask(() => this.end(tooLong(bodyBytes)));
      return;
    }
    this.used += bodyBytes;
    const { leading } = this;
    const write = (): void => {
      const beganMs = this.nowMs();
      this.inflightBytes += bodyBytes;
      void this.submit(inRecords(parts, this.partBytes)).then((acked) => {
        this.inflightBytes -= bodyBytes;
        if (!acked) return;
        this.appends.add(this.nowMs() - beganMs);
        this.unapplied.push({ number, place: this.appender.place, bytes: bodyBytes });
        leading.whenSure(() => this.end(null));
      });
    };
    if (leading.whenRoom === undefined) write();
    else leading.whenRoom(bodyBytes, write);
  }

  /** Shows that the log takes records; resolves once it has, or this node leads no longer. */
  async beat(): Promise<void> {
    await this.submit([{ kind: BEAT, parts: [] }]);
  }

  /** Says that this node leads no longer, of its own accord; nothing may be appended after that. */
  async down(): Promise<void> {
    await this.submit([{ kind: DOWN, parts: [] }]);
  }

  /** Has nothing become durable any more: this node leads no longer. */
  depose(error: DeposedError): void {
    this.appender.stop();
    this.end(error);
  }

  onFailure(listener: (error: Error) => void): void {
    this.failureListener = listener;
  }

  letGo(upTo: number): void {
    const { unapplied } = this;
    while (unapplied.length > 0 && (unapplied[0]?.number as number) <= upTo) {
      const { bytes, place } = unapplied.shift() as (typeof unapplied)[number];
      this.used -= bytes;
      this.applied = place.seq;
    }
    // What came after it changes nothing in the tables.
    if (unapplied.length === 0) this.applied = this.appender.place.seq;
  }

  /** Puts the row that says how far the tables are with the record of this number. */
  put(tables: Store, number: number): void {
    const found = this.unapplied.findLast((each) => each.number <= number);
    // Where there is none, what is said already is true still.
    if (found !== undefined) putPlace(tables, { ...found.place, logId: this.logId });
  }

  async close(): Promise<void> {
    // All that it was given is durable: its time ends here, and readers may know. Where the log does not answer, they learn it
    // by the lease.
    const answers = this.failure === null && this.submitted === 0;
    if (answers) await Promise.race([this.down(), this.appender.pause(DOWN_MS)]);
    this.closed = true;
    this.appender.stop();
    await this.line;
  }

  /** Appends behind all that was submitted before; whether it counts. */
  private submit(drafts: readonly Draft[]): Promise<boolean> {
    this.submitted += 1;
    const turn = this.line.then(() => this.appendNow(drafts));
    this.line = turn.then(() => {
      this.submitted -= 1;
    });
    return turn;
  }

  private async appendNow(drafts: readonly Draft[]): Promise<boolean> {
    if (this.failure !== null || this.closed) return false;
    try {
      await this.appender.append(drafts);
      this.ackedMs = this.nowMs();
      return this.failure === null;
    } catch (error) {
      if (this.closed) return false;
      this.end(error as Error);
      return false;
    }
  }

  /** Tells the store what became of its append. After a failure it is told nothing any more. */
  private end(error: Error | null): void {
    if (this.failure !== null) return;
    this.failure = error;
    const { done } = this;
    this.done = null;
    if (done !== null) done(error);
    else if (error !== null) this.failureListener(error);
  }
}

const ignore = (): void => {};

function tooLong(bytes: number): StoreError {
  return new StoreError(
    `a batch of ${bytes} bytes cannot be replicated: a batch has ${BATCH_BYTES_MAX} bytes at most`,
    'have publishers put less into one transaction',
  );
}

/** Cuts what makes up a batch into records. */
function inRecords(parts: readonly Buffer[], bytesMax: number): Draft[] {
  const drafts: { kind: number; parts: Buffer[] }[] = [];
  let current: Buffer[] = [];
  let room = bytesMax;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (room === 0) {
        drafts.push({ kind: PART, parts: current });
        current = [];
        room = bytesMax;
      }
      const piece = part.subarray(at, at + room);
      current.push(piece);
      at += piece.length;
      room -= piece.length;
    }
  }
  drafts.push({ kind: BATCH, parts: current });
  return drafts;
}
