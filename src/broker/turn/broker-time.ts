// Owns the time that messages and queues live by: the time of day without its jumps. Never schedules
// anything: server/turn/expiry-timer.ts does.
//
//   time of day   ----------------.                      set back by an operator
//                                  '----------------
//   broker time   ----------------------------------     goes on
//                                  <--> correction: what has to be taken off the time of day
//
// A time to live is a span, so what counts while the broker runs is the monotonic clock. Across a
// restart only the time of day is known; the correction is stored, so that times written before the
// jump and after it lie on one line. Where another machine had the queues until now, its time is known
// and its time of day says nothing.

import { CHECKSUM_BYTES, checksum, withChecksum } from '../../store/checksum.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_META } from '../../store/tables.ts';
import type { Clock } from '../../util/clock.ts';

/**
 * The time of day may run apart from the monotonic clock by so much between two looks before that is a
 * jump: both are slewed alike, and reading one after the other takes a moment on a busy machine.
 */
const JUMP_MS_MIN = 250;

const KEY = Buffer.from('clock');
const ROW_BYTES = 8;

/** The broker's time: milliseconds since the Unix epoch at the first start, and never going back. */
export class BrokerTime {
  private readonly clock: Clock;
  private readonly store: Store;
  /** Told that the time of day was set. */
  onJump: () => void = () => {};
  private lastMs: number;
  private wallMs: number;
  private monotonicMs: number;
  private correctionMs = 0;
  private storedMs = 0;
  private readonly knownMs: number | null;

  /** `knownMs`: the time that the queues lived by on another machine, now; null: the time of day counts. */
  constructor(clock: Clock, store: Store, knownMs: number | null = null) {
    this.knownMs = knownMs;
    this.clock = clock;
    this.store = store;
    this.wallMs = clock.wallMs();
    this.monotonicMs = clock.monotonicMs();
    this.lastMs = this.wallMs;
  }

  /**
   * Reads the correction back, before anything is told a time. A damaged one counts as none: the time
   * of day is what there is then, and no reason not to start.
   */
  recover(): void {
    this.correctionMs = correctionIn(this.store);
    this.storedMs = this.correctionMs;
    if (this.knownMs !== null) this.goOnFrom(this.knownMs);
    this.lastMs = Math.max(0, this.wallMs - this.correctionMs);
  }

  private goOnFrom(knownMs: number): void {
    const apart = this.wallMs - this.correctionMs - knownMs;
    const isApart = apart > JUMP_MS_MIN || apart < -JUMP_MS_MIN;
    if (isApart) this.correctionMs += Math.round(apart);
  }

  /** The time now, whole milliseconds: as the time of day, but for its jumps since the first start. */
  now(): number {
    const wallMs = this.clock.wallMs();
    const monotonicMs = this.clock.monotonicMs();
    const apart = wallMs - this.wallMs - (monotonicMs - this.monotonicMs);
    const jumped = apart > JUMP_MS_MIN || apart < -JUMP_MS_MIN;
    if (jumped) this.correctionMs += Math.round(apart);
    this.wallMs = wallMs;
    this.monotonicMs = monotonicMs;
    const nowMs = wallMs - this.correctionMs;
    if (nowMs > this.lastMs) this.lastMs = nowMs;
    if (jumped) this.onJump();
    return this.lastMs;
  }

  /** The time of day that belongs to a broker time, for people to read. */
  wallOf(brokerMs: number): number {
    return brokerMs + this.correctionMs;
  }

  /** The broker time of a time of day that a client names. */
  brokerOf(wallMs: number): number {
    return wallMs - this.correctionMs;
  }

  /** How far the time of day was set since `save` was last called, ms; 0: not at all. */
  get unsavedJumpMs(): number {
    return this.correctionMs - this.storedMs;
  }

  /** Puts the correction into the batch being gathered. */
  save(): void {
    const content = Buffer.alloc(ROW_BYTES);
    content.writeDoubleBE(this.correctionMs);
    this.store.put(TABLE_META, KEY, withChecksum(content));
    this.storedMs = this.correctionMs;
  }
}

/** How far the time of day was set while a broker ran on a store, ms; 0 where the row is damaged. */
export function correctionIn(store: Store): number {
  const value = store.get(TABLE_META, KEY);
  const correction = value === null ? 0 : readCorrection(value);
  return Number.isSafeInteger(correction) ? correction : 0;
}

/** The correction of a stored row, ms; 0 for one that is damaged. */
function readCorrection(value: Buffer): number {
  if (value.length !== ROW_BYTES + CHECKSUM_BYTES) return 0;
  const sound = checksum(value.subarray(0, ROW_BYTES)) === value.readUInt32LE(ROW_BYTES);
  return sound ? value.readDoubleBE() : 0;
}
