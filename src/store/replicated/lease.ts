// Owns the lease: how a leader keeps it, and when another node may take it. Never makes a batch safe: the chain does, and a
// lease that two nodes hold costs time alone.

import type { Clock } from '../../util/clock.ts';
import { type LeaseCell, RefusedError, UnansweredError } from './log-client.ts';
import type { Leading } from './replicated-log.ts';

/** The value of a lease that no node holds. */
const FREE = Buffer.alloc(0);

/** A moment by both clocks. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const momentOf = (clock: Clock): Moment => ({
  monotonicMs: clock.monotonicMs(),
  wallMs: clock.wallMs(),
});

/** A leader's side of the lease. */
export class HeldLease implements Leading {
  private readonly cell: LeaseCell;
  private readonly clock: Clock;
  private readonly leaseMs: number;
  private readonly value: Buffer;
  private revision: number;
  /** When the last change that was taken was sent: from then on the others wait. */
  private renewed: Moment;
  /** When the first of the changes was sent that were not answered since; null: there is none. */
  private unanswered: Moment | null = null;
  private waiting: (() => void)[] = [];
  /** Another node has taken it, or this one has given it back. */
  lost = false;

  /** `revision`: of the change by which this node took it, which was sent at `taken`. */
  constructor(
    cell: LeaseCell,
    clock: Clock,
    leaseMs: number,
    value: Buffer,
    revision: number,
    taken: Moment,
  ) {
    this.cell = cell;
    this.clock = clock;
    this.leaseMs = leaseMs;
    this.value = value;
    this.revision = revision;
    this.renewed = taken;
  }

  /** Whether no other node can have taken it for want of a sign of this one. */
  get sure(): boolean {
    return !this.lost && this.ageMs < this.leaseMs;
  }

  /**
   * Milliseconds since the last change that was taken, by the clock that says more: the monotonic one may stand still where the
   * machine is suspended, and the time of day may be set back. One that is set forward costs a renewal.
   */
  get ageMs(): number {
    const { clock, renewed } = this;
    const wallMs = clock.wallMs() - renewed.wallMs;
    return Math.max(clock.monotonicMs() - renewed.monotonicMs, wallMs);
  }

  whenSure(then: () => void): void {
    if (this.sure) then();
    else if (!this.lost) this.waiting.push(then);
  }

  /** Tries to renew it once. Returns false where another node has taken it. */
  async renew(): Promise<boolean> {
    const sent = momentOf(this.clock);
    try {
      this.revision = await this.cell.set(this.value, this.revision);
    } catch (error) {
      if (!(error instanceof UnansweredError || error instanceof RefusedError)) throw error;
      this.unanswered ??= sent;
      return this.look();
    }
    this.isRenewed(sent);
    return !this.lost;
  }

  /** Gives it back, so that another node may take it at once. */
  async release(): Promise<void> {
    if (this.lost) return;
    this.lost = true;
    try {
      await this.cell.set(FREE, this.revision);
    } catch (error) {
      // Another node has it then, or it runs out by itself.
      if (!(error instanceof RefusedError || error instanceof UnansweredError)) throw error;
    }
  }

  /** A change was refused or not answered: sees whether what is there is one of this node. */
  private async look(): Promise<boolean> {
    try {
      const seen = await this.cell.look();
      const revision = seen?.revision ?? 0;
      // A machine of the log may be behind: what is older than what this node knows says nothing.
      if (revision < this.revision) return !this.lost;
      if (seen?.value.equals(this.value) === true) {
        // A change of its own was taken after all, and it may have been any of them.
        if (revision > this.revision) this.isRenewed(this.unanswered as Moment);
        this.revision = revision;
        return !this.lost;
      }
    } catch (error) {
      if (error instanceof UnansweredError) return !this.lost;
      throw error;
    }
    this.lost = true;
    return false;
  }

  private isRenewed(sent: Moment): void {
    this.renewed = sent;
    this.unanswered = null;
    if (!this.sure) return;
    const { waiting } = this;
    this.waiting = [];
    // Each by itself: one that throws is a bug of its own, and keeps none of the others back.
    for (const then of waiting) queueMicrotask(then);
  }
}

/** What is seen of the lease from outside. */
export interface LeaseSight {
  readonly revision: number;
  /** What its holder says of itself; null: no node holds it. */
  readonly value: Buffer | null;
}

/** The side of a node that does not lead. */
export class LeaseWatch {
  private readonly cell: LeaseCell;
  private readonly clock: Clock;
  private readonly leaseMs: number;
  private sinceMs = -1;
  /** What was seen last; null: nothing yet, or the last look has failed. */
  seen: LeaseSight | null = null;

  constructor(cell: LeaseCell, clock: Clock, leaseMs: number) {
    this.cell = cell;
    this.clock = clock;
    this.leaseMs = leaseMs;
  }

  /** Looks once; whether this node may take it now: it is free, or its holder has given no sign for as long as it lasts. */
  async look(): Promise<boolean> {
    let found: LeaseSight;
    try {
      const cell = await this.cell.look();
      found = {
        revision: cell?.revision ?? 0,
        value: cell === null || cell.value.length === 0 ? null : cell.value,
      };
    } catch (error) {
      // After an outage of the log its leader has a whole lease to show that it is there.
      this.forget();
      if (error instanceof UnansweredError) return false;
      throw error;
    }
    const nowMs = this.clock.monotonicMs();
    if (this.seen?.revision !== found.revision) this.sinceMs = nowMs;
    this.seen = found;
    return found.value === null || nowMs - this.sinceMs >= this.leaseMs;
  }

  /** Begins to wait anew. */
  forget(): void {
    this.seen = null;
  }

  /** Takes it as it was seen last; null: another node was first, or the log has not answered. */
  async take(value: Buffer): Promise<HeldLease | null> {
    const { cell, clock, leaseMs, seen } = this;
    if (seen === null) return null;
    const taken = momentOf(clock);
    try {
      const revision = await cell.set(value, seen.revision);
      return new HeldLease(cell, clock, leaseMs, value, revision, taken);
    } catch (error) {
      this.forget();
      if (error instanceof RefusedError || error instanceof UnansweredError) return null;
      throw error;
    }
  }
}
