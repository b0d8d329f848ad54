// Owns bringing what the log has into the tables: when, in which pieces, and which records the log may let go of then.
// Never appends to the log.

import { systemClock } from '../../util/clock.ts';
import { clearTimeout, setTimeout } from '../../util/system/runtime.ts';
import { Batch } from '../batch.ts';
import type { Store } from '../port.ts';
import type { TablesMark } from './batch-log.ts';
import type { Changes, Overlay } from './overlay.ts';

/** What is durable in the log goes into the tables after so long, ms: half of it is void by then, as a rule. */
const WAIT_MS = 100;
/** Changes that are handed to the tables in one go: more would hold up all clients. */
const PIECE_CHANGES = 2048;

/** Batches that are committed to the tables without having been in the log. */
interface Direct {
  readonly batches: readonly Batch[];
  readonly number: number;
  readonly done: () => void;
}

/**
 * Applies records to the tables, those of a while together. One commit is under way at a time.
 *
 * Its pieces are no batches: where it ends between two of them, a start applies all records anew that the position row does
 * not have, and that row comes with the last piece.
 */
export class Applier {
  /** The number of the last record that the tables have, durably. */
  applied: number;
  /** How many times it has applied records, and how long that took, ms. */
  checkpoints = 0;
  checkpointMs = 0;
  /** How many need that what begins from now on is one batch: a copy of the tables has no log that completes pieces. */
  wholeFor = 0;
  private readonly inner: Store;
  private readonly overlay: Overlay;
  private readonly mark: TablesMark;
  private readonly bytesMax: number;
  private readonly waitMs: number;
  private readonly onApplied: () => void;
  private readonly pieces: Batch[] = [];
  private direct: Direct | null = null;
  /** The batch of the tables that is waited for; 0: none is. */
  private awaited = 0;
  /** The number that the tables will have then. */
  private target = 0;
  private startedMs = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  /**
   * `applied`: as the tables say, in the row that `mark` writes. Begins by itself once `bytesMax` wait, or some do for `waitMs`.
   * `onApplied` is called when one commit has ended, before the next may begin.
   */
  constructor(
    inner: Store,
    overlay: Overlay,
    applied: number,
    mark: TablesMark,
    bytesMax: number,
    onApplied: () => void,
    waitMs = WAIT_MS,
  ) {
    this.inner = inner;
    this.overlay = overlay;
    this.applied = applied;
    this.mark = mark;
    this.bytesMax = bytesMax;
    this.waitMs = waitMs;
    this.onApplied = onApplied;
    inner.onDurable((batch) => this.durable(batch));
  }

  /** Whether a commit is under way. */
  get busy(): boolean {
    return this.awaited !== 0;
  }

  /** Told that the overlay has got more. */
  added(): void {
    if (this.busy) return;
    if (this.overlay.recent.bytes >= this.bytesMax) this.begin();
    else this.arm();
  }

  /** Begins with what waits, unless a commit is under way. */
  begin(): void {
    if (this.busy || this.stopped || this.overlay.recent.number === this.applied) return;
    this.cut(this.overlay.take());
    this.next();
  }

  /**
   * Commits batches to the tables that the log does not get, behind all that waits. `done` is called once they are durable
   * there. No commit may be under way.
   */
  commit(batches: readonly Batch[], number: number, done: () => void): void {
    this.direct = { batches, number, done };
    this.cut(this.overlay.take());
    this.next();
  }

  /** Begins nothing any more, and has no timer. */
  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private arm(): void {
    if (this.timer !== null || this.stopped || this.overlay.recent.number === this.applied) return;
    this.timer = setTimeout(() => this.begin(), this.waitMs);
    this.timer.unref();
  }

  private cut(changes: Changes): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.startedMs = systemClock.monotonicMs();
    this.target = changes.number;
    let piece = new Batch();
    for (const [table, { byKey }] of changes.tables) {
      for (const { key, value } of byKey.values()) {
        if (piece.length === PIECE_CHANGES && this.wholeFor === 0) {
          this.pieces.push(piece);
          piece = new Batch();
        }
        if (value === null) piece.remove(table, key);
        else piece.put(table, key, value);
      }
    }
    this.pieces.push(piece);
  }

  /** Hands over the next piece, and with the last one what is committed directly. */
  private next(): void {
    const { inner, direct } = this;
    (this.pieces.shift() as Batch).putInto(inner);
    if (this.pieces.length > 0) {
      this.awaited = inner.seal();
      return;
    }
    if (this.target > this.applied) this.putPosition();
    if (direct !== null) {
      // Each as it is: the tables commit a batch wholly or not at all, and so these are what they promise. Where not all
      // get there, the row says that what was logged has: else it would be applied once more, over those that did.
      for (const batch of direct.batches) {
        if (inner.dirty) inner.seal();
        batch.putInto(inner);
      }
      this.target = direct.number;
      this.putPosition();
    }
    this.awaited = inner.seal();
  }

  private putPosition(): void {
    this.mark.put(this.inner, this.target, false);
  }

  private durable(batch: number): void {
    if (this.awaited === 0 || batch < this.awaited) return;
    if (this.pieces.length > 0) return this.next();
    const { direct } = this;
    this.awaited = 0;
    this.direct = null;
    this.applied = this.target;
    this.overlay.drop();
    if (this.overlay.recent.number < this.target) this.overlay.recent.number = this.target;
    this.checkpoints += 1;
    this.checkpointMs += systemClock.monotonicMs() - this.startedMs;
    this.onApplied();
    direct?.done();
    this.added();
  }
}
