// Owns what a node knows of the time that queues live by while another node leads. Never reads the time of day: that of two
// machines may be apart by hours.

import type { Clock } from '../util/clock.ts';
import type { NodeRow } from './node-row.ts';

/** The time of the leader's broker, as far as it was told. */
export class LeadersTime {
  private readonly clock: Clock;
  /** By how much it is ahead of this node's monotonic clock; null: it was never told. */
  private aheadMs: number | null = null;
  /** The epoch of the leader that told it; 0: another node did, which had it of a leader. */
  private epoch = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Takes in what a node told just now. What is told late makes it later than it is, never earlier. */
  told({ role, epoch, timeMs }: Pick<NodeRow, 'role' | 'epoch' | 'timeMs'>): void {
    if (timeMs === null) return;
    const from = role === 'leader' ? epoch : 0;
    if (this.aheadMs !== null && (from === 0 || from < this.epoch)) return;
    this.epoch = from;
    this.aheadMs = timeMs - this.clock.monotonicMs();
  }

  /** What it is now, whole ms; null: no node has told it. */
  get nowMs(): number | null {
    const { aheadMs, clock } = this;
    return aheadMs === null ? null : Math.max(0, Math.round(clock.monotonicMs() + aheadMs));
  }
}
