// Owns letting large bodies that were held back half-way come to their end, one at a time, while memory is
// short. Never lets a connection begin a body.
//
// Bodies that are half there take memory that nothing can free: neither consumers, nor the disk. If they
// are what memory is full of, an alarm would last for ever.

import type { Alarms } from '../../broker/core/alarms.ts';
import type { AlarmGate } from './alarm-gate.ts';

/** So much of the limit may be in use, with what the body still lacks. */
const IN_USE_MAX = 2;
/** After so many looks in which less than this came, the next one has its turn. */
const PATIENCE_LOOKS = 6;
const PROGRESS_BYTES_MIN = 4096;

/** The way through for one connection at a time. */
export class PartialBodies {
  private readonly alarms: Alarms;
  private readonly guards: () => Iterable<AlarmGate>;
  private current: AlarmGate | null = null;
  private leftBefore = 0;
  private stuckLooks = 0;
  /** In how many looks in a row no connection could be let through. */
  private emptyLooks = 0;
  private readonly noneCanEnd: (limit: number) => void;

  /** `noneCanEnd` is called with the memory limit when memory is short and no body can come to its end. */
  constructor(
    alarms: Alarms,
    guards: () => Iterable<AlarmGate>,
    noneCanEnd: (limit: number) => void = () => {},
  ) {
    this.alarms = alarms;
    this.guards = guards;
    this.noneCanEnd = noneCanEnd;
  }

  /** Told of every look at the memory while an alarm is on. */
  looked(): void {
    const { memory, disk } = this.alarms;
    if (this.current !== null && this.isComing(this.current)) return;
    this.current = null;
    if (!memory.alarm) this.emptyLooks = 0;
    if (!memory.alarm || disk.alarm) return;
    this.current = this.choose(memory.limit * IN_USE_MAX - memory.now);
    if (this.current === null) {
      // A transaction may yet be committed, and what it held be consumed.
      this.emptyLooks += 1;
      if (this.emptyLooks > PATIENCE_LOOKS) this.noneCanEnd(memory.limit);
      return;
    }
    this.emptyLooks = 0;
    this.leftBefore = this.current.bodyLeft;
    this.stuckLooks = 0;
    this.current.letBodyEnd();
  }

  /** Whether the body of the one that was let through is still coming in. */
  private isComing(guard: AlarmGate): boolean {
    if (!guard.ending) return false;
    if (this.leftBefore - guard.bodyLeft >= PROGRESS_BYTES_MIN) {
      this.leftBefore = guard.bodyLeft;
      this.stuckLooks = 0;
      return true;
    }
    this.stuckLooks += 1;
    if (this.stuckLooks < PATIENCE_LOOKS) return true;
    guard.passedOver = true;
    guard.holdBody();
    return false;
  }

  /** The one that lacks least, and no more than there is room for. */
  private choose(room: number): AlarmGate | null {
    let best: AlarmGate | null = null;
    for (const guard of this.guards()) {
      if (!guard.blocked || guard.bodyLeft === 0 || guard.bodyLeft > room) continue;
      if (guard.passedOver) continue;
      if (best === null || guard.bodyLeft < best.bodyLeft) best = guard;
    }
    return best;
  }
}
